//! Every front end's client against every front end's server.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use lmtp_proto::value::Security;

use crate::model::{Mailboxes, expected};
use crate::pki::Pki;

/// A socket that listens, and what protects its connections.
pub(crate) enum Socket {
    Tcp(TcpListener, Security),
    Unix(UnixListener),
}

/// A server that runs, and ends with this.
pub(crate) struct Running(Option<Box<dyn FnOnce()>>);

impl Running {
    pub(crate) fn new(end: impl FnOnce() + 'static) -> Self {
        Self(Some(Box::new(end)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that has failed already is not to hide behind another failure.
        if let Some(end) = self.0.take().filter(|_| !std::thread::panicking()) {
            end();
        }
    }
}

/// A front end, as the others see it.
#[derive(Clone, Copy)]
pub(crate) struct Front {
    /// Serves the model's application.
    pub(crate) serve: fn(Socket, Mailboxes, &Pki) -> Running,
    /// Sends three messages to the model's recipients; what was said of each.
    pub(crate) deliver: fn(String, &Pki) -> Vec<Vec<String>>,
}

const FRONTS: [(&str, Front); 4] = [
    ("blocking", crate::blocking::served::FRONT),
    ("tokio", crate::tokio::served::FRONT),
    ("smol", crate::smol::served::FRONT),
    ("async-std", crate::async_std::served::FRONT),
];

/// A listener and where it is, of each kind.
fn sockets(folder: &std::path::Path) -> Vec<(Socket, String)> {
    let path = folder.join("lmtp");
    let unix = Socket::Unix(UnixListener::bind(&path).unwrap());
    let protected = [("lmtp", Security::Plain), ("lmtp+starttls", Security::StartTls), ("lmtps", Security::Tls)];
    let tcp = protected.map(|(scheme, security)| {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("{scheme}://{}", socket.local_addr().unwrap());
        (Socket::Tcp(socket, security), endpoint)
    });
    [(unix, format!("unix:{}", path.display()))].into_iter().chain(tcp).collect()
}

/// Each pair over a Unix socket, over TCP, with STARTTLS and with TLS from the first
/// octet: 16 times 4 connections, each with three messages, two of them pipelined.
#[test]
fn every_client_against_every_server() {
    let pki = Pki::new();
    for (server, at_server) in FRONTS {
        let folder = tempfile::tempdir().unwrap();
        for (socket, endpoint) in sockets(folder.path()) {
            let mailboxes = Mailboxes::default();
            let running = (at_server.serve)(socket, mailboxes.clone(), &pki);
            for (client, at_client) in FRONTS {
                let said = (at_client.deliver)(endpoint.clone(), &pki);
                assert_eq!(said, vec![expected(); 3], "{client} to {server} at {endpoint}");
            }
            drop(running);
            for content in ["One\r\n.\r\n", "Two\r\n", "Three\r\n"] {
                assert_eq!(mailboxes.who_has(content), ["ann@x", "zoe@x"].repeat(4), "{server} at {endpoint}");
            }
        }
    }
}
