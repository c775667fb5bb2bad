//! From an endpoint to a client with the TLS that it asks for.

use lmtp_proto::client::{Client, Config, StartTls};
use lmtp_proto::value::{Security, Target};
use lmtp_proto::{Endpoint, Fault, FaultKind, Phase};

use crate::{ClientTls, Handshake, SetupError, Tls};

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
