//! From an endpoint to a machine with the TLS that it asks for.

use lmtp_proto::client::{Client, Config, StartTls};
use lmtp_proto::server::{PeerTls, Server};
use lmtp_proto::value::{Security, Target};
use lmtp_proto::{Endpoint, Fault, FaultKind, Machine, Phase};

use crate::{ClientTls, Handshake, ServerTls, SetupError, Tls};

impl Tls<Client> {
    /// A client for a new connection to that endpoint, with the TLS that it asks for:
    /// at `lmtps://` from the first octet, at `lmtp+starttls://` by STARTTLS, without
    /// which no message and no secret leaves. Elsewhere
    /// [`Config::starttls`] decides.
    ///
    /// Without `tls`, servers are verified against the trust store of the platform. The
    /// handshake has the time of the session's
    /// [timeouts](lmtp_proto::Timeouts::connect).
    ///
    /// # Errors
    ///
    /// TLS is wanted and cannot be set up like this.
    pub fn to(endpoint: &Endpoint, mut config: Config, tls: Option<&ClientTls>) -> Result<Self, Fault> {
        let (host, security) = match endpoint.target() {
            Target::Tcp { host, security, .. } => (Some(host), security),
            _ => (None, Security::Plain),
        };
        if security == Security::StartTls {
            config.starttls = StartTls::Required;
        }
        if security == Security::Plain && config.starttls == StartTls::Off {
            return Ok(Self::new(Client::new(config), None));
        }
        let handshake = handshake(host, tls).map_err(|error| {
            Fault::new(FaultKind::Tls, Phase::Connect, error.to_string()).with_source(error).at(endpoint)
        })?;
        let handshake = handshake.within(&config.timeouts);
        Ok(match security {
            Security::Tls => Self::implicit(Client::new(config), handshake),
            Security::Plain | Security::StartTls => Self::new(Client::new(config), handshake),
        })
    }
}

impl Tls<Server> {
    /// A server for a new connection at a listener of that kind: TLS from the first
    /// octet, when the client asks for it, or not at all. Where STARTTLS is offered is
    /// in the server's configuration; without `tls` it is done by nobody.
    pub fn serving(server: Server, security: Security, tls: Option<&ServerTls>) -> Self {
        match (security, tls) {
            (Security::Tls, Some(tls)) => Self::implicit(server, tls.handshake()),
            (Security::StartTls, Some(tls)) => Self::new(server, tls.handshake()),
            _ => Self::new(server, None),
        }
    }
}

impl<M: Machine> Tls<M> {
    /// What TLS tells about the peer, for applications; nothing while it is not
    /// encrypted.
    pub fn peer_tls(&self) -> Option<Box<PeerTls>> {
        if !self.is_encrypted() {
            return None;
        }
        let mut peer = PeerTls::default();
        peer.version = self.protocol_version().unwrap_or_default().into();
        peer.cipher = self.cipher_suite().unwrap_or_default().into();
        peer.server_name = self.requested_name().map(Into::into);
        peer.certificate = self.peer_certificates().and_then(<[_]>::first).map(|certificate| certificate.to_vec());
        peer.identity = self.peer_identity().and_then(|identity| identity.authcid().map(Into::into));
        Some(Box::new(peer))
    }
}

fn handshake(host: Option<&str>, tls: Option<&ClientTls>) -> Result<Handshake, SetupError> {
    match tls {
        Some(tls) => tls.handshake(host),
        None => ClientTls::builder().build()?.handshake(host),
    }
}

#[cfg(test)]
mod tests {
    use lmtp_proto::{Instant, Machine as _, Output};

    use super::*;

    fn first(url: &str, config: Config, tls: Option<&ClientTls>) -> Result<Output<lmtp_proto::Event>, Fault> {
        let mut client = Tls::to(&url.parse().unwrap(), config, tls)?;
        Ok(client.poll_output(Instant::ORIGIN).unwrap())
    }

    #[test]
    fn the_scheme_says_who_speaks_first() {
        let tls = ClientTls::builder().dangerous_without_verification().build().unwrap();
        for url in ["unix:/run/lmtp", "lmtp://mx.example.org", "lmtp+starttls://mx.example.org"] {
            // The server does, with its greeting.
            assert_eq!(first(url, Config::default(), Some(&tls)).unwrap(), Output::Receive, "{url}");
        }
        assert_eq!(first("lmtps://mx.example.org", Config::default(), Some(&tls)).unwrap(), Output::Transmit);
    }

    #[test]
    #[cfg(feature = "platform-verifier")]
    fn no_name_is_made_up_for_a_unix_socket() {
        let mut config = Config::default();
        config.starttls = StartTls::Required;
        let fault = first("unix:/run/lmtp", config, None).unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Tls);
        assert!(fault.message().starts_with("unix:/run/lmtp: "), "{fault}");
    }
}
