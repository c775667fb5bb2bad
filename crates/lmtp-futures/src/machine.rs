//! What a server speaks with: LMTP, and whatever is around it.

use std::sync::Arc;
use std::time::Duration;

use lmtp_proto::proxy::Proxied;
use lmtp_proto::server::{Config, PeerTls, Server};
use lmtp_proto::value::Security;

#[cfg(not(feature = "rustls"))]
type Secured = Server;
#[cfg(feature = "rustls")]
type Secured = lmtp_rustls::Tls<Server>;

/// What a server speaks with.
pub(crate) type Machine = Proxied<Secured>;
/// What ends it before its time.
pub(crate) type MachineError = <Machine as lmtp_proto::Machine>::Error;

/// How a server does TLS, if it does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Encryption {
    #[cfg(feature = "rustls")]
    pub(crate) tls: Option<lmtp_rustls::ServerTls>,
}

impl Encryption {
    /// Whether a connection can be protected so.
    pub(crate) fn can(&self, security: Security) -> bool {
        #[cfg(feature = "rustls")]
        let has_tls = self.tls.is_some();
        #[cfg(not(feature = "rustls"))]
        let has_tls = false;
        security == Security::Plain || has_tls
    }

    /// A machine for a new connection; a proxy has so long to say for whom it speaks.
    pub(crate) fn machine(&self, config: &Arc<Config>, security: Security, proxy: Option<Duration>) -> Machine {
        let machine = self.secured(Server::new(Arc::clone(config)), security);
        match proxy {
            Some(patience) => Proxied::new(machine, patience),
            None => Proxied::direct(machine),
        }
    }

    #[cfg(not(feature = "rustls"))]
    #[expect(clippy::unused_self, reason = "with TLS it is used")]
    fn secured(&self, server: Server, _: Security) -> Secured {
        server
    }

    #[cfg(feature = "rustls")]
    fn secured(&self, server: Server, security: Security) -> Secured {
        let handshake = self.tls.as_ref().map(lmtp_rustls::ServerTls::handshake);
        match (security, handshake) {
            (Security::Tls, Some(handshake)) => Secured::implicit(server, handshake),
            (Security::StartTls, handshake) => Secured::new(server, handshake),
            _ => Secured::new(server, None),
        }
    }
}

/// LMTP's part of it.
pub(crate) fn server(machine: &mut Machine) -> &mut Server {
    #[cfg(feature = "rustls")]
    return machine.inner_mut().inner_mut();
    #[cfg(not(feature = "rustls"))]
    return machine.inner_mut();
}

/// What TLS tells about the peer.
#[cfg(not(feature = "rustls"))]
pub(crate) fn peer_tls(_: &Machine) -> Option<Box<PeerTls>> {
    None
}

/// What TLS tells about the peer.
#[cfg(feature = "rustls")]
pub(crate) fn peer_tls(machine: &Machine) -> Option<Box<PeerTls>> {
    let tls = machine.inner();
    if !tls.is_encrypted() {
        return None;
    }
    let mut peer = PeerTls::default();
    peer.version = tls.protocol_version().unwrap_or_default().into();
    peer.cipher = tls.cipher_suite().unwrap_or_default().into();
    peer.server_name = tls.requested_name().map(Into::into);
    peer.certificate = tls.peer_certificates().and_then(<[_]>::first).map(|certificate| certificate.to_vec());
    peer.identity = tls.peer_identity().and_then(|identity| identity.authcid().map(Into::into));
    Some(Box::new(peer))
}
