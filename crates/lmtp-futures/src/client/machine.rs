//! The machine in a client: LMTP, and TLS around it where it was built in.

use lmtp_proto::auth::Mechanism;
use lmtp_proto::client::Config;
use lmtp_proto::{Client, Endpoint, Fault};

/// How a client does TLS; nothing can be said of it where it is not built in.
#[cfg(feature = "rustls")]
pub(super) use lmtp_rustls::ClientTls;
/// How a client does TLS; nothing can be said of it where it is not built in.
#[cfg(not(feature = "rustls"))]
pub(super) enum ClientTls {}

#[cfg(feature = "rustls")]
pub(super) type ClientMachine = lmtp_rustls::Tls<Client>;
#[cfg(not(feature = "rustls"))]
pub(super) type ClientMachine = Client;

/// A machine for a new connection to that endpoint.
pub(super) fn client(
    endpoint: &Endpoint,
    config: Config,
    tls: Option<&ClientTls>,
    mechanisms: Vec<Box<dyn Mechanism>>,
) -> Result<ClientMachine, Fault> {
    let mut machine = new(endpoint, config, tls)?;
    // It is new, so it is not too late.
    let _ = of_mut(&mut machine).authenticate(mechanisms);
    Ok(machine)
}

#[cfg(feature = "rustls")]
fn new(endpoint: &Endpoint, config: Config, tls: Option<&ClientTls>) -> Result<ClientMachine, Fault> {
    ClientMachine::to(endpoint, config, tls)
}

#[cfg(not(feature = "rustls"))]
fn new(endpoint: &Endpoint, config: Config, _: Option<&ClientTls>) -> Result<ClientMachine, Fault> {
    use lmtp_proto::value::{Security, Target};
    use lmtp_proto::{FaultKind, Phase};

    if let Target::Tcp { security: Security::StartTls | Security::Tls, .. } = endpoint.target() {
        let message = "this build speaks no TLS; switch on the feature \"rustls\", or use lmtp:// or unix:";
        return Err(Fault::new(FaultKind::Tls, Phase::Connect, message).at(endpoint));
    }
    Ok(Client::new(config))
}

/// LMTP's part of it.
pub(super) fn of(machine: &ClientMachine) -> &Client {
    #[cfg(feature = "rustls")]
    let machine = machine.inner();
    machine
}

/// LMTP's part of it.
pub(super) fn of_mut(machine: &mut ClientMachine) -> &mut Client {
    #[cfg(feature = "rustls")]
    let machine = machine.inner_mut();
    machine
}
