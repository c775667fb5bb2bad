//! Every front end's client against every front end's server.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use crate::model::{Mailboxes, expected};

/// A socket that listens.
pub(crate) enum Socket {
    Tcp(TcpListener),
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
    pub(crate) serve: fn(Socket, Mailboxes) -> Running,
    /// Sends three messages to the model's recipients; what was said of each.
    pub(crate) deliver: fn(String) -> Vec<Vec<String>>,
}

const FRONTS: [(&str, Front); 4] = [
    ("blocking", crate::blocking::served::FRONT),
    ("tokio", crate::tokio::served::FRONT),
    ("smol", crate::smol::served::FRONT),
    ("async-std", crate::async_std::served::FRONT),
];

/// A listener and where it is, of each kind.
///
/// With TLS there are two kinds more (`lmtp+starttls://` and `lmtps://`), which need the
/// feature `rustls` of the front ends.
fn sockets(folder: &std::path::Path) -> [(Socket, String); 2] {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let path = folder.join("lmtp");
    let unix = UnixListener::bind(&path).unwrap();
    [(Socket::Tcp(tcp), format!("lmtp://{address}")), (Socket::Unix(unix), format!("unix:{}", path.display()))]
}

/// Each pair over TCP and over a Unix socket: 16 times 2 connections, each with three
/// messages, two of them pipelined.
#[test]
fn every_client_against_every_server() {
    for (server, at_server) in FRONTS {
        let folder = tempfile::tempdir().unwrap();
        for (socket, endpoint) in sockets(folder.path()) {
            let mailboxes = Mailboxes::default();
            let running = (at_server.serve)(socket, mailboxes.clone());
            for (client, at_client) in FRONTS {
                let said = (at_client.deliver)(endpoint.clone());
                assert_eq!(said, vec![expected(); 3], "{client} to {server} at {endpoint}");
            }
            drop(running);
            for content in ["One\r\n.\r\n", "Two\r\n", "Three\r\n"] {
                assert_eq!(mailboxes.who_has(content), ["ann@x", "zoe@x"].repeat(4), "{server} at {endpoint}");
            }
        }
    }
}
