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

/// How a server does TLS; nothing can be said of it where it is not built in.
#[cfg(feature = "rustls")]
pub(crate) use lmtp_rustls::ServerTls;
/// How a server does TLS; nothing can be said of it where it is not built in.
#[cfg(not(feature = "rustls"))]
#[derive(Debug)]
pub(crate) enum ServerTls {}

/// A machine for a new connection; a proxy has so long to say for whom it speaks.
pub(crate) fn new(
    config: &Arc<Config>,
    security: Security,
    tls: Option<&ServerTls>,
    proxy: Option<Duration>,
) -> Machine {
    let machine = secured(Server::new(Arc::clone(config)), security, tls);
    match proxy {
        Some(patience) => Proxied::new(machine, patience),
        None => Proxied::direct(machine),
    }
}

#[cfg(not(feature = "rustls"))]
fn secured(server: Server, _: Security, _: Option<&ServerTls>) -> Secured {
    server
}

#[cfg(feature = "rustls")]
fn secured(server: Server, security: Security, tls: Option<&ServerTls>) -> Secured {
    Secured::serving(server, security, tls)
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
    machine.inner().peer_tls()
}
