//! The server with TLS, from the first octet behind a proxy and by STARTTLS.
#![cfg(feature = "rustls")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use lmtp_tokio::tls::rustls::pki_types::ServerName;
use lmtp_tokio::tls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::aws_lc_rs};
use lmtp_tokio::{Listener, Peer, Security, Server, ServerConfig, ServerTls, Session, Shutdown};

/// What was heard of the peer, at the beginning and by STARTTLS.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<(&'static str, Peer)>>>);

impl Session for Heard {
    fn secured(&mut self, peer: &Peer) {
        self.0.lock().unwrap().push(("secured", peer.clone()));
    }
}

struct Running {
    heard: Heard,
    address: SocketAddr,
    client: Arc<ClientConfig>,
    shutdown: Shutdown,
    server: thread::JoinHandle<std::io::Result<()>>,
}

fn running(security: Security, proxy: bool) -> Running {
    let pki = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (pki.path().join("chain.pem"), pki.path().join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into());
    let client = client.with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();

    let heard = Heard::default();
    let noting = heard.clone();
    let server = Server::new(move |peer: &Peer| {
        noting.0.lock().unwrap().push(("connect", peer.clone()));
        noting.clone()
    });
    let server = server.config(ServerConfig::default()).tls(ServerTls::builder(chain, key).build().unwrap());
    let server = if proxy { server.proxy_from(["127.0.0.0/8".parse().unwrap()]) } else { server };
    let shutdown = server.handle();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            server.serve(Listener::new(listener).security(security)).await
        })
    });
    Running { heard, address, client: client.into(), shutdown, server }
}

impl Running {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn connection(&self) -> ClientConnection {
        ClientConnection::new(Arc::clone(&self.client), ServerName::try_from("localhost").unwrap()).unwrap()
    }

    fn end(self) -> Vec<(&'static str, Peer)> {
        self.shutdown.shut_down();
        self.server.join().unwrap().unwrap();
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
    let running = running(Security::Tls, true);
    let (mut stream, mut connection) = (running.connect(), running.connection());
    let mut first = b"PROXY TCP4 198.51.100.7 192.0.2.2 40000 24\r\n".to_vec();
    connection.write_tls(&mut first).unwrap();
    stream.write_all(&first).unwrap();
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    assert!(hear(&mut stream).starts_with("220 "));
    assert!(!say(&mut stream, "LHLO c\r\n").contains("STARTTLS"));
    assert!(say(&mut stream, "QUIT\r\n").starts_with("221 "));
    let heard = running.end();
    let [("connect", peer)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(peer.client().unwrap().to_string(), "198.51.100.7:40000");
    let tls = peer.tls.as_ref().unwrap();
    assert_eq!((tls.version.as_str(), tls.server_name.as_deref()), ("TLSv1.3", Some("localhost")));
}

#[test]
fn no_header_no_handshake() {
    let running = running(Security::Tls, true);
    let (mut stream, mut connection) = (running.connect(), running.connection());
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    stream.write_all(&hello).unwrap();
    let mut rest = Vec::new();
    // Closed, whether or not the system says so with a reset.
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.is_empty());
    assert!(running.end().is_empty(), "nobody is asked about it");
}

#[test]
fn starttls_is_told() {
    let running = running(Security::StartTls, false);
    let mut stream = BufReader::new(running.connect());
    assert!(hear(&mut stream).starts_with("220 "));
    assert!(say(&mut stream, "LHLO c\r\n").contains("STARTTLS"));
    assert!(say(&mut stream, "STARTTLS\r\n").starts_with("220 "));
    let mut stream = BufReader::new(StreamOwned::new(running.connection(), stream.into_inner()));
    assert!(!say(&mut stream, "LHLO c\r\n").contains("STARTTLS"));
    assert!(say(&mut stream, "QUIT\r\n").starts_with("221 "));
    let heard = running.end();
    let [("connect", before), ("secured", after)] = &heard[..] else { panic!("{heard:?}") };
    assert!(before.tls.is_none() && after.tls.is_some());
}

#[test]
fn tls_has_to_be_set_up() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = runtime.block_on(Server::new(|_: &Peer| Heard::default()).serve("lmtps://127.0.0.1:24024"));
    assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::Unsupported);
}
