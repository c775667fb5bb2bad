// The server of a front end, `front`, on real sockets; `run` runs its futures. Clients
// are threads.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use front::{Bind, Handler, Listen, Message, Peer, Reply, Server, Session, Shutdown, Verdicts};

/// Whoever connected, and whatever came.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<(Vec<Peer>, Vec<usize>)>>);

impl Handler for Kept {
    type Session = Self;

    async fn connect(&self, peer: &Peer) -> Result<Self, Reply> {
        self.0.lock().unwrap().0.push(peer.clone());
        Ok(self.clone())
    }
}

impl Session for Kept {
    async fn rcpt(&mut self, _: &front::ForwardPath, _: &front::RcptParams) -> Result<(), Reply> {
        Ok(())
    }

    async fn deliver(&mut self, mut message: Message, verdicts: Verdicts) {
        let mut length = 0;
        while let Some(octets) = message.body.next().await.unwrap() {
            length += octets.len();
        }
        self.0.lock().unwrap().1.push(length);
        verdicts.give_rest(&Reply::stored());
    }
}

/// A server in a thread of its own.
struct Running(Shutdown, JoinHandle<std::io::Result<()>>);

impl Running {
    fn new<L: Listen<Runtime> + Send + 'static>(server: Server<Kept>, listen: L) -> Self {
        let shutdown = server.handle();
        Self(shutdown, thread::spawn(move || run(server.serve(listen))))
    }

    fn end(self) {
        self.0.shut_down();
        self.1.join().unwrap().unwrap();
    }
}

struct Talk<S>(BufReader<S>);

impl<S: Read + Write> Talk<S> {
    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    fn say(&mut self, words: &str) -> String {
        self.0.get_mut().write_all(words.as_bytes()).unwrap();
        loop {
            let line = self.hear();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    fn open(&mut self) {
        assert!(self.say("LHLO c\r\n").starts_with("250 "));
        assert!(self.say("MAIL FROM:<a@x>\r\n").starts_with("250 "));
        assert!(self.say("RCPT TO:<b@x>\r\n").starts_with("250 "));
        assert!(self.say("DATA\r\n").starts_with("354 "));
    }
}

fn tcp(address: std::net::SocketAddr) -> Talk<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    Talk(BufReader::new(stream))
}

fn unix(path: &std::path::Path) -> Talk<UnixStream> {
    for _ in 0..200 {
        if let Ok(stream) = UnixStream::connect(path) {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            return Talk(BufReader::new(stream));
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("nobody listens at {}", path.display());
}

fn listening() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn a_message_of_a_megabyte_over_tcp() {
    let (kept, (listener, address)) = (Kept::default(), listening());
    let running = Running::new(Server::new(kept.clone()), listener);
    let mut talk = tcp(address);
    assert!(talk.hear().starts_with("220 "));
    let line = format!("{}\r\n", "x".repeat(998));
    for _ in 0..2 {
        talk.open();
        assert_eq!(talk.say(&format!("{}.\r\n", line.repeat(1000))), "250 2.0.0 Message stored\r\n");
    }
    assert!(talk.say("QUIT\r\n").starts_with("221 "));
    running.end();
    let (peers, lengths) = &*kept.0.lock().unwrap();
    assert_eq!(lengths, &[1_000_000, 1_000_000]);
    assert_eq!(peers[0].address, Some(talk.0.get_ref().local_addr().unwrap()));
}

#[test]
fn unix_sockets_have_permissions_credentials_and_an_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lmtp");
    // Left behind by a server that died.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let kept = Kept::default();
    let bind = Bind::new(&format!("unix:{}", path.display())).unwrap().mode(0o606);
    let running = Running::new(Server::new(kept.clone()), bind.clone());
    let mut talk = unix(&path);
    assert!(talk.hear().starts_with("220 "));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o606);
    let second = run(Server::new(kept.clone()).serve(bind)).unwrap_err();
    assert_eq!(second.kind(), ErrorKind::AddrInUse, "a server that lives is not replaced");
    running.end();
    assert!(!path.exists(), "the file goes with the server");
    let peer = kept.0.lock().unwrap().0[0].clone();
    assert_eq!(peer.address, None);
    if cfg!(target_os = "linux") {
        let them = peer.credentials.unwrap();
        assert_eq!(them.pid, Some(i32::try_from(std::process::id()).unwrap()));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn abstract_names() {
    use std::os::linux::net::SocketAddrExt;
    let name = format!("lmtp-test-{}-{}", std::process::id(), module_path!());
    let running = Running::new(Server::new(Kept::default()), format!("unix:@{name}"));
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let stream = (0..200).find_map(|_| {
        thread::sleep(Duration::from_millis(10));
        UnixStream::connect_addr(&address).ok()
    });
    assert!(Talk(BufReader::new(stream.unwrap())).hear().starts_with("220 "));
    running.end();
}

#[test]
fn several_at_once() {
    let ((one, first), (two, second)) = (listening(), listening());
    let running = Running::new(Server::new(Kept::default()), vec![one, two]);
    assert!(tcp(second).hear().starts_with("220 "));
    assert!(tcp(first).hear().starts_with("220 "));
    running.end();
}

#[test]
fn who_is_one_too_many_is_told_at_once() {
    for server in [Server::new(Kept::default()).max_connections(1), Server::new(Kept::default()).max_connections_per_address(1)] {
        let (listener, address) = listening();
        let running = Running::new(server, listener);
        let mut first = tcp(address);
        assert!(first.hear().starts_with("220 "));
        let mut second = tcp(address);
        assert_eq!(second.hear(), "421 4.3.2 Too many connections, try again later\r\n");
        assert_eq!(second.hear(), "", "and closed");
        assert!(first.say("QUIT\r\n").starts_with("221 "));
        assert_eq!(first.hear(), "");
        let served = (0..200).any(|_| {
            thread::sleep(Duration::from_millis(10));
            tcp(address).hear().starts_with("220 ")
        });
        assert!(served, "there is a place again");
        running.end();
    }
}

#[test]
fn the_end_waits_for_the_message_on_its_way() {
    let (kept, (listener, address)) = (Kept::default(), listening());
    let running = Running::new(Server::new(kept), listener);
    let (mut busy, mut idle) = (tcp(address), tcp(address));
    assert!(busy.hear().starts_with("220 ") && idle.hear().starts_with("220 "));
    busy.open();
    running.0.shut_down();
    assert_eq!(idle.hear(), "421 4.3.2 Shutting down\r\n");
    let refused = (0..200).any(|_| {
        thread::sleep(Duration::from_millis(10));
        TcpStream::connect(address).is_err()
    });
    assert!(refused, "nobody new is let in");
    assert!(!running.1.is_finished());
    assert_eq!(busy.say("hi\r\n.\r\n"), "250 2.0.0 Message stored\r\n");
    assert_eq!(busy.hear(), "421 4.3.2 Shutting down\r\n");
    running.end();
}

#[test]
fn where_nobody_can_listen() {
    for place in ["unix:/nowhere/at/all", "lmtp://192.0.2.1:2424", "lmtps://127.0.0.1:0", "somewhere"] {
        assert!(run(Server::new(Kept::default()).serve(place)).is_err(), "{place}");
    }
}
