//! A handshake that has not begun.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lmtp_proto::Timeouts;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

/// One side of a TLS handshake that has not begun: what a [`Tls`](crate::Tls) needs to
/// begin it. For one connection; [`ClientTls`](crate::ClientTls) and
/// [`ServerTls`](crate::ServerTls) make as many as are wanted.
#[derive(Clone)]
pub struct Handshake {
    side: Side,
    /// How long it may take.
    pub(crate) timeout: Duration,
}

#[derive(Clone)]
enum Side {
    Client(Arc<ClientConfig>, ServerName<'static>),
    Server(Arc<ServerConfig>),
}

impl Handshake {
    /// How long a handshake may take if nothing else is said:
    /// [`Timeouts::connect`](lmtp_proto::Timeouts::connect) of the default.
    pub(crate) fn default_timeout() -> Duration {
        Timeouts::default().of(lmtp_proto::Phase::Tls)
    }

    pub(crate) fn client(config: Arc<ClientConfig>, name: ServerName<'static>, timeout: Duration) -> Self {
        Self { side: Side::Client(config, name), timeout }
    }

    pub(crate) fn server(config: Arc<ServerConfig>, timeout: Duration) -> Self {
        Self { side: Side::Server(config), timeout }
    }

    /// The same handshake, which may take so long as the timeouts of the session
    /// allow for its [phase](lmtp_proto::Phase::Tls).
    #[must_use]
    pub fn within(mut self, timeouts: &Timeouts) -> Self {
        self.timeout = timeouts.of(lmtp_proto::Phase::Tls);
        self
    }

    /// Begins it.
    pub(crate) fn begin(self) -> Result<Connection, rustls::Error> {
        Ok(match self.side {
            Side::Client(config, name) => ClientConnection::new(config, name)?.into(),
            Side::Server(config) => ServerConnection::new(config)?.into(),
        })
    }
}

/// Nothing of the configuration: it knows keys.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match &self.side {
            Side::Client(_, name) => format!("client of {}", name.to_str()),
            Side::Server(_) => "server".into(),
        };
        f.debug_struct("Handshake").field("side", &side).field("timeout", &self.timeout).finish()
    }
}
