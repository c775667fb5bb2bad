//! How the application sets the client up.

use super::{Extensions, Quirks};
use crate::value::{ClientAttributes, LhloName, TraceId};
use crate::{Limits, LineEndings, Timeouts};

/// How a client behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Who we say we are in LHLO; `localhost` by default.
    pub lhlo_name: LhloName,
    /// How much a peer may ask of us.
    pub limits: Limits,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// Whether commands may leave ahead of replies.
    pub pipelining: Pipelining,
    /// How many messages may be under way at once, counted until their reports
    /// are taken: 2 by default. With PIPELINING the next one's MAIL leaves
    /// directly behind the content of the one before, so that a busy connection
    /// costs one round trip a message. One at a time is the most careful: then
    /// each transaction begins with a look at an idle line.
    pub depth: usize,
    /// Whether to encrypt the stream by STARTTLS (RFC 3207).
    pub starttls: StartTls,
    /// Whether the stream is encrypted from the start. A driver that finds out
    /// later calls [`handle_tls`](crate::Machine::handle_tls) before the greeting.
    pub secured: bool,
    /// Whether mechanisms that reveal a secret, such as PLAIN, may be used on a
    /// line that is not encrypted: for Unix sockets. OAUTHBEARER may not even then
    /// (RFC 7628 section 3).
    pub auth_in_clear: bool,
    /// Who the connection is for: told by XCLIENT to a server that offers it,
    /// as far as it asks for it. The server then takes us for that client.
    pub xclient: Option<ClientAttributes>,
    /// Who the messages are from: told by XFORWARD to a server that offers it,
    /// once, before the first message, for its log. (Servers forget it with the
    /// end of a transaction.)
    pub xforward: Option<ClientAttributes>,
    /// The name for the server to log this session under: told by TRACE to a
    /// server that offers it (Cyrus).
    pub trace_id: Option<TraceId>,
    /// Whether content leaves in chunks.
    pub chunking: Chunking,
    /// What to do with line ends that are not CRLF.
    pub line_endings: LineEndings,
    /// What to do with 8-bit content that the server does not offer to take.
    pub eight_bit: EightBit,
    /// Which other extensions are used.
    pub extensions: Extensions,
    /// What the server is known to do otherwise.
    pub quirks: Quirks,
    /// Whether to report each line of the conversation as [`Event::Line`](super::Event::Line).
    pub transcript: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lhlo_name: LhloName::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            pipelining: Pipelining::default(),
            depth: 2,
            starttls: StartTls::default(),
            secured: false,
            auth_in_clear: false,
            xclient: None,
            xforward: None,
            trace_id: None,
            chunking: Chunking::default(),
            line_endings: LineEndings::default(),
            eight_bit: EightBit::default(),
            extensions: Extensions::default(),
            quirks: Quirks::default(),
            transcript: false,
        }
    }
}

/// Whether commands may leave ahead of replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Pipelining {
    /// When the server offers it (RFC 2920).
    #[default]
    Auto,
    /// Never: each command waits for the reply to the one before.
    Off,
    /// Always. For servers that can and do not say so (aiosmtpd), and for those
    /// that answer RCPT only when DATA has come.
    Force,
}

/// Whether to encrypt the stream by STARTTLS (RFC 3207).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StartTls {
    /// No.
    #[default]
    Off,
    /// When the server offers it and then does not refuse it. Somebody who can
    /// change what the server says can prevent it.
    IfOffered,
    /// Always: no message and no secret leaves without it.
    Required,
}

/// Whether content leaves in chunks, by BDAT, or behind DATA (RFC 3030).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Chunking {
    /// Where the message needs it: a [binary](crate::ContentClass::Binary) one,
    /// to a server that offers CHUNKING and BINARYMIME.
    #[default]
    Auto,
    /// Wherever the server offers CHUNKING.
    Always,
    /// Never: a binary message is refused for the server, 554 5.6.1.
    Off,
}

/// What to do with 8-bit content that the server does not offer to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EightBit {
    /// Refuse it for the server: 554 5.6.3 for a body without 8BITMIME,
    /// 554 5.6.9 for a header without SMTPUTF8.
    #[default]
    Refuse,
    /// Send it as it is. Most servers take it, though none has to.
    Send,
}
