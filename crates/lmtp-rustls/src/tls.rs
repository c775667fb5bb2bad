//! A machine, and TLS around it.

use std::fmt;

use lmtp_proto::{Instant, Machine};
use rustls::pki_types::CertificateDer;
use rustls::{CommonState, Connection, ProtocolVersion};

use crate::channel::Channel;
use crate::{CertificateIdentity, Error, Handshake};

/// A machine, and TLS around it: a [`Machine`] itself, with the events of the one
/// inside, so that a driver needs to know nothing of TLS.
///
/// Without a [`Handshake`], and before the machine asks for TLS, it adds nothing:
/// the buffers are the machine's own. Once encrypted, the machine's octets are
/// seen by nobody else.
///
/// - **Time.** The handshake has a deadline of its own. Around it each deadline is
///   the machine's.
/// - **What is sent.** For the machine, octets are sent when the driver has written
///   the record that holds them. So its reports are as exact as without TLS.
/// - **The end.** The last thing said is `close_notify`, or an alert if TLS failed;
///   a peer that does not read it within 5 seconds does without. A stream that
///   ends without the peer's `close_notify` has been cut off: if the machine was
///   done, or had nothing under way, that is no error; else it is
///   [`Error::Truncated`].
pub struct Tls<M: Machine> {
    pub(crate) machine: M,
    pub(crate) stage: Stage,
    pub(crate) channel: Option<Box<Channel>>,
    /// The stream has ended.
    pub(crate) eof: bool,
    /// The stream takes no more.
    pub(crate) write_closed: bool,
    /// Ours, not the machine's: for the handshake, or the last words.
    pub(crate) deadline: Option<Instant>,
    /// What ended it.
    pub(crate) error: Option<Error<M::Error>>,
}

/// How far TLS is.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Not there; it will begin when the machine asks for it, if there is a
    /// handshake.
    Clear(Option<Handshake>),
    /// To begin at once.
    Due(Handshake),
    /// The handshake is under way.
    Shaking,
    /// There.
    Open {
        /// The machine was told that the peer sends no more.
        told: bool,
        /// And that came without `close_notify`.
        cut: bool,
    },
    /// Nothing is left but what is queued.
    Ending,
}

impl<M: Machine> Tls<M> {
    /// A stream in the clear, which becomes TLS when the machine asks for it
    /// (STARTTLS). Without a handshake the driver gets to see
    /// [`Output::StartTls`](lmtp_proto::Output::StartTls) and has to do it itself.
    pub fn new(machine: M, handshake: impl Into<Option<Handshake>>) -> Self {
        Self::at(Stage::Clear(handshake.into()), machine)
    }

    /// A stream that is TLS from its first octet (`lmtps://`). The machine is told
    /// so, and first asked, when the handshake is done.
    pub fn implicit(machine: M, handshake: Handshake) -> Self {
        Self::at(Stage::Due(handshake), machine)
    }

    fn at(stage: Stage, machine: M) -> Self {
        Self { machine, stage, channel: None, eof: false, write_closed: false, deadline: None, error: None }
    }

    /// The machine inside.
    pub fn inner(&self) -> &M {
        &self.machine
    }

    /// The machine inside, to be asked by its application. A driver has to use
    /// this one around it.
    pub fn inner_mut(&mut self) -> &mut M {
        &mut self.machine
    }

    /// The machine inside. TLS is over, whatever was queued.
    pub fn into_inner(self) -> M {
        self.machine
    }

    /// Whether what is said is encrypted: the handshake is done, and TLS was begun
    /// here, not by a driver.
    pub fn is_encrypted(&self) -> bool {
        self.connection().is_some_and(|connection| !connection.is_handshaking())
    }

    /// The version of TLS that was agreed on, such as `TLSv1.3`.
    pub fn protocol_version(&self) -> Option<&'static str> {
        match self.connection()?.protocol_version()? {
            ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
            ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
            other => other.as_str(),
        }
    }

    /// The cipher suite that was agreed on, as rustls names it:
    /// `TLS13_AES_256_GCM_SHA384`.
    pub fn cipher_suite(&self) -> Option<&'static str> {
        self.connection()?.negotiated_cipher_suite()?.suite().as_str()
    }

    /// Whether a session from before was resumed.
    pub fn is_resumed(&self) -> bool {
        self.connection().is_some_and(|connection| connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed))
    }

    /// The chain of certificates that the peer showed, its own first; verified as
    /// the handshake was told to.
    pub fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.connection()?.peer_certificates()
    }

    /// Whom the peer's own certificate names: on a server the verified client, for
    /// AUTH EXTERNAL. Nothing without a certificate, before the handshake is done,
    /// or if the certificate cannot be read.
    pub fn peer_identity(&self) -> Option<CertificateIdentity> {
        let certificate = self.peer_certificates().filter(|_| self.is_encrypted())?.first()?;
        CertificateIdentity::of(certificate)
    }

    /// The name that a client asked this server for (SNI).
    pub fn requested_name(&self) -> Option<&str> {
        match &self.channel.as_ref()?.connection {
            Connection::Server(connection) => connection.server_name(),
            Connection::Client(_) => None,
        }
    }

    /// What ended it, if it did not end as it should.
    pub fn error(&self) -> Option<&Error<M::Error>> {
        self.error.as_ref().filter(|_| matches!(self.stage, Stage::Ending))
    }

    fn connection(&self) -> Option<&CommonState> {
        self.channel.as_ref().map(|channel| &*channel.connection)
    }
}

impl<M: Machine + fmt::Debug> fmt::Debug for Tls<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Tls");
        shown.field("machine", &self.machine).field("stage", &self.stage);
        shown.field("version", &self.protocol_version()).field("cipher", &self.cipher_suite());
        shown.field("deadline", &self.deadline).field("error", &self.error).finish_non_exhaustive()
    }
}
