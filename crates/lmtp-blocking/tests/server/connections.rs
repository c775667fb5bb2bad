//! Who is let in and how long, and where.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use lmtp_blocking::{Bind, Client, Network, Peer, Server, ServerConfig as Config, Session, Timeouts};

use crate::running::{Running, Talk, codes, store};

/// Takes no mail.
struct Nothing;

impl Session for Nothing {}

/// A client that does not read its replies is not waited for.
#[test]
fn a_client_that_does_not_read() {
    let mut config = Config::default();
    config.timeouts.command = Duration::from_millis(300);
    config.limits.errors = usize::MAX;
    let server = Running::with(config, |server| server, store);
    let mut stream = UnixStream::connect(&server.path).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let nonsense = "X\r\n".repeat(10_000);
    let started = Instant::now();
    while stream.write_all(nonsense.as_bytes()).is_ok() {
        assert!(started.elapsed() < Duration::from_secs(10), "it is waited for");
    }
    while server.shutdown.connections() > 0 {
        assert!(started.elapsed() < Duration::from_secs(10), "it is still there");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_silent_client_is_told_so() {
    let mut config = Config::default();
    config.timeouts.command = Duration::from_millis(300);
    let server = Running::with(config, |server| server, store);
    let heard = server.talk().rest();
    assert!(heard.starts_with("421 4.4.2"), "{heard}");
}

/// Shut down, it takes the message that is on its way, and turns the idle away.
#[test]
fn a_shutdown_drains() {
    let server = Running::new(store);
    let idle = server.talk();
    let mut busy = server.talk();
    busy.up_to_data(&["bob@x"]);
    busy.say("Hi\r\n");
    thread::sleep(Duration::from_millis(50));
    server.shutdown.shut_down();
    assert!(idle.rest().starts_with("421 4.3.2"));
    UnixStream::connect(&server.path).map(|stream| Talk { stream, heard: String::new() }.rest()).unwrap_or_default();
    busy.say("Ho\r\n.\r\n");
    assert_eq!(codes(&busy.rest()), ["250", "421"]);
}

#[test]
fn too_many_are_told_so() {
    let server = Running::with(Config::default(), |server| server.max_connections(2), store);
    let (_one, two) = (server.talk(), server.talk());
    let mut third = Talk { stream: UnixStream::connect(&server.path).unwrap(), heard: String::new() };
    assert!(third.hear("\r\n").starts_with("421 4.3.2 Too many connections"));
    drop((third, two));
    let deadline = Instant::now() + Duration::from_secs(5);
    while server.shutdown.connections() > 1 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    server.talk();
}

#[test]
fn tcp_has_addresses_proxies_and_bounds() {
    let (sender, peers) = channel();
    let sender = Mutex::new(sender);
    let listeners: Vec<_> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
    let server = Server::new(move |peer: &Peer| {
        sender.lock().unwrap().send(peer.clone()).unwrap();
        Nothing
    });
    let server = server.proxy_from(["127.0.0.2/32".parse::<Network>().unwrap()]).max_connections_per_address(1);
    let shutdown = server.handle();
    let thread = thread::spawn(move || server.serve(listeners));
    let mut first = TcpStream::connect(addresses[0]).unwrap();
    let mut room = [0; 4];
    first.read_exact(&mut room).unwrap();
    assert_eq!(&room, b"220 ");
    let peer = peers.recv().unwrap();
    assert_eq!(peer.address, Some(first.local_addr().unwrap()));
    // A second one from there is one too many, on whichever listener.
    let mut second = TcpStream::connect(addresses[1]).unwrap();
    second.read_exact(&mut room).unwrap();
    assert_eq!(&room, b"421 ");
    // From the proxy, with its header in the same segment as what comes behind it.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.2:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.connect(&addresses[0].into()).unwrap();
    let mut proxied = TcpStream::from(socket);
    proxied.write_all(b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 24\r\nLHLO mx\r\nQUIT\r\n").unwrap();
    let mut heard = String::new();
    proxied.read_to_string(&mut heard).unwrap();
    assert!(heard.starts_with("220 ") && heard.ends_with("221 2.0.0 Bye\r\n"), "{heard}");
    assert_eq!(peers.recv().unwrap().client().unwrap().to_string(), "192.0.2.1:40000");
    shutdown.shut_down();
    thread.join().unwrap().unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_unix_peer_is_known_and_abstract_names_are_places() {
    let place = format!("unix:@lmtp-blocking-{}", std::process::id());
    let (sender, peers) = channel();
    let sender = Mutex::new(sender);
    let server = Server::new(move |peer: &Peer| {
        sender.lock().unwrap().send(peer.clone()).unwrap();
        Nothing
    });
    let shutdown = server.handle();
    let listener = lmtp_blocking::Listen::listen(place.as_str()).unwrap();
    let thread = thread::spawn(move || server.serve(listener));
    Client::connect(place.as_str()).unwrap().quit().unwrap();
    let credentials = peers.recv().unwrap().credentials.unwrap();
    assert_eq!(credentials.pid, Some(i32::try_from(std::process::id()).unwrap()));
    shutdown.shut_down();
    thread.join().unwrap().unwrap();
}

/// A socket that was left behind is replaced, one in use is not; it goes with its server.
#[test]
fn sockets_that_were_left_behind() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let bind = Bind::new(&format!("unix:{}", path.display())).unwrap().mode(0o600);
    let listener = lmtp_blocking::Listen::listen(bind.clone()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let error = lmtp_blocking::Listen::listen(bind).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    drop(listener);
    assert!(!path.exists());
}

/// Deadlines are the machine's, to the point.
#[test]
fn timeouts_are_those_of_the_config() {
    let mut config = Config::default();
    config.timeouts = Timeouts::all(Duration::from_millis(1300));
    let server = Running::with(config, |server| server, store);
    let talk = server.talk();
    let started = Instant::now();
    let heard = talk.rest();
    assert!(heard.starts_with("421 4.4.2"), "{heard:?}");
    assert!((Duration::from_millis(1200)..Duration::from_millis(2500)).contains(&started.elapsed()));
}
