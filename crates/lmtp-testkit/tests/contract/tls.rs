//! The server with TLS, seen by a client that is not ours: from the first octet behind a
//! proxy, and by STARTTLS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::front::tls::rustls::pki_types::ServerName;
use super::front::tls::rustls::{ClientConnection, StreamOwned};
use super::front::{Listen as _, Peer, Security, Server, Session};
use super::served::begin;
use crate::pairs::{Running, Socket};
use crate::pki::Pki;

/// What was heard of the peer, at the beginning and by STARTTLS.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<(&'static str, Peer)>>>);

impl Session for Heard {
    fn secured(&mut self, peer: &Peer) {
        self.0.lock().unwrap().push(("secured", peer.clone()));
    }
}

struct Served {
    pki: Pki,
    heard: Heard,
    address: SocketAddr,
    running: Running,
}

fn served(security: Security, proxy: bool) -> Served {
    let (pki, heard) = (Pki::new(), Heard::default());
    let noting = heard.clone();
    let server = Server::new(move |peer: &Peer| {
        noting.0.lock().unwrap().push(("connect", peer.clone()));
        noting.clone()
    });
    let server = server.tls(pki.server());
    let server = if proxy { server.proxy_from(["127.0.0.0/8".parse().unwrap()]) } else { server };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    Served { pki, heard, address, running: begin(server, Socket::Tcp(listener, security)) }
}

impl Served {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn connection(&self) -> ClientConnection {
        ClientConnection::new(self.pki.raw_client(), ServerName::try_from("localhost").unwrap()).unwrap()
    }

    /// Ends it, and tells what was heard.
    fn end(self) -> Vec<(&'static str, Peer)> {
        drop(self.running);
        std::mem::take(&mut *self.heard.0.lock().unwrap())
    }
}

fn hear(stream: &mut impl BufRead) -> String {
    let mut all = String::new();
    loop {
        let from = all.len();
        stream.read_line(&mut all).unwrap();
        if all.as_bytes().get(from + 3) != Some(&b'-') {
            return all;
        }
    }
}

fn say<S: Read + Write>(stream: &mut BufReader<S>, words: &str) -> String {
    stream.get_mut().write_all(words.as_bytes()).unwrap();
    stream.get_mut().flush().unwrap();
    hear(stream)
}

#[test]
fn header_and_client_hello_in_one_segment() {
    let served = served(Security::Tls, true);
    let (mut stream, mut connection) = (served.connect(), served.connection());
    let mut first = b"PROXY TCP4 198.51.100.7 192.0.2.2 40000 24\r\n".to_vec();
    connection.write_tls(&mut first).unwrap();
    stream.write_all(&first).unwrap();
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    assert!(hear(&mut stream).starts_with("220 "));
    assert!(!say(&mut stream, "LHLO c\r\n").contains("STARTTLS"));
    assert!(say(&mut stream, "QUIT\r\n").starts_with("221 "));
    let heard = served.end();
    let [("connect", peer)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(peer.client().unwrap().to_string(), "198.51.100.7:40000");
    let tls = peer.tls.as_ref().unwrap();
    assert_eq!((tls.version.as_str(), tls.server_name.as_deref()), ("TLSv1.3", Some("localhost")));
}

#[test]
fn no_header_no_handshake() {
    let served = served(Security::Tls, true);
    let (mut stream, mut connection) = (served.connect(), served.connection());
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    stream.write_all(&hello).unwrap();
    let mut rest = Vec::new();
    // Closed, whether or not the system says so with a reset.
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.is_empty());
    assert!(served.end().is_empty(), "nobody is asked about it");
}

#[test]
fn starttls_is_told() {
    let served = served(Security::StartTls, false);
    let mut stream = BufReader::new(served.connect());
    assert!(hear(&mut stream).starts_with("220 "));
    assert!(say(&mut stream, "LHLO c\r\n").contains("STARTTLS"));
    assert!(say(&mut stream, "STARTTLS\r\n").starts_with("220 "));
    let mut stream = BufReader::new(StreamOwned::new(served.connection(), stream.into_inner()));
    assert!(!say(&mut stream, "LHLO c\r\n").contains("STARTTLS"));
    assert!(say(&mut stream, "QUIT\r\n").starts_with("221 "));
    let heard = served.end();
    let [("connect", before), ("secured", after)] = &heard[..] else { panic!("{heard:?}") };
    assert!(before.tls.is_none() && after.tls.is_some());
}

/// What is said behind STARTTLS in the clear is heard by nobody (RFC 3207 section 6).
#[test]
fn what_was_said_in_the_clear_is_not_obeyed() {
    let served = served(Security::StartTls, false);
    let mut stream = BufReader::new(served.connect());
    hear(&mut stream);
    say(&mut stream, "LHLO c\r\n");
    stream.get_mut().write_all(b"STARTTLS\r\nLHLO evil\r\n").unwrap();
    let mut rest = String::new();
    let _ = stream.read_to_string(&mut rest);
    assert_eq!(rest.matches("250").count(), 0, "{rest}");
    drop(stream);
    assert!(served.end().iter().all(|(when, _)| *when == "connect"));
}

#[test]
fn tls_has_to_be_set_up() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let result = run!({
        let listener = socket.listen().unwrap().pop().unwrap().security(Security::Tls);
        wait!(Server::new(|_: &Peer| Heard::default()).serve(listener))
    });
    assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::Unsupported);
}
