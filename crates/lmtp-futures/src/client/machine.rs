//! The machine in a client.

use lmtp_proto::auth::Mechanism;
use lmtp_proto::client::Config;
use lmtp_proto::value::{Security, Target};
use lmtp_proto::{Client, Endpoint, Fault, FaultKind, Phase};

pub(super) type ClientMachine = Client;

/// A machine for a new connection to that endpoint.
pub(super) fn client(
    endpoint: &Endpoint,
    config: Config,
    mechanisms: Vec<Box<dyn Mechanism>>,
) -> Result<ClientMachine, Fault> {
    if let Target::Tcp { security: Security::StartTls | Security::Tls, .. } = endpoint.target() {
        let message = "this build speaks no TLS; switch on the feature \"rustls\", or use lmtp:// or unix:";
        return Err(Fault::new(FaultKind::Tls, Phase::Connect, message).at(endpoint));
    }
    let mut client = Client::new(config);
    // It is new, so it is not too late.
    let _ = client.authenticate(mechanisms);
    Ok(client)
}

/// LMTP's part of it.
pub(super) fn of(machine: &ClientMachine) -> &Client {
    machine
}

pub(super) fn of_mut(machine: &mut ClientMachine) -> &mut Client {
    machine
}
