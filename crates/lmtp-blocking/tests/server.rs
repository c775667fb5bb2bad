//! The server on real sockets: handlers that are late, gone or out of order, and clients that are.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lmtp_blocking::proto::RecipientId;
use lmtp_blocking::proto::proxy::Network;
use lmtp_blocking::proto::server::{BodyError, Config, Ending, Peer};
use lmtp_blocking::proto::value::{MailParams, RcptParams};
use lmtp_blocking::{
    Bind, Client, Envelope, ForwardPath, Message, Reply, ReversePath, Server, Session, Shutdown, Timeouts, Verdicts, send,
};

/// What a handler does with a message.
type Deliver = Arc<dyn Fn(Message, Verdicts) + Send + Sync>;

/// Takes everybody but `nobody@`, and does with messages as it is told.
#[derive(Clone)]
struct Told {
    deliver: Deliver,
    /// How messages ended.
    endings: Sender<Ending>,
}

impl Session for Told {
    fn mail(&mut self, from: &ReversePath, _: &MailParams) -> Result<(), Reply> {
        match from.to_string().as_str() {
            "panic@x" => panic!("told to"),
            "sleep@x" => thread::sleep(Duration::from_secs(2)),
            _ => {}
        }
        Ok(())
    }

    fn rcpt(&mut self, to: &ForwardPath, _: &RcptParams) -> Result<(), Reply> {
        if to.to_string().starts_with("nobody@") {
            return Err(Reply::no_such_user());
        }
        Ok(())
    }

    fn deliver(&mut self, message: Message, verdicts: Verdicts) {
        (self.deliver)(message, verdicts);
    }

    fn over(&mut self, ending: &Ending) {
        let _ = self.endings.send(ending.clone());
    }
}

/// A server in a thread, and where it listens.
struct Running {
    path: PathBuf,
    _folder: tempfile::TempDir,
    shutdown: Shutdown,
    endings: Receiver<Ending>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Running {
    fn new(deliver: impl Fn(Message, Verdicts) + Send + Sync + 'static) -> Self {
        Self::with(Config::default(), |server| server, deliver)
    }

    /// With little patience for handlers.
    fn hasty(deliver: impl Fn(Message, Verdicts) + Send + Sync + 'static) -> Self {
        let mut config = Config::default();
        config.timeouts.handler = Duration::from_millis(300);
        config.timeouts.verdict = Duration::from_millis(300);
        Self::with(config, |server| server, deliver)
    }

    fn with<F>(config: Config, set: F, deliver: impl Fn(Message, Verdicts) + Send + Sync + 'static) -> Self
    where
        F: FnOnce(Server<Box<dyn Fn(&Peer) -> Told + Send + Sync>>) -> Server<Box<dyn Fn(&Peer) -> Told + Send + Sync>>,
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lmtp.sock");
        let (sender, endings) = channel();
        let told = Mutex::new(Told { deliver: Arc::new(deliver), endings: sender });
        let handler: Box<dyn Fn(&Peer) -> Told + Send + Sync> = Box::new(move |_| told.lock().unwrap().clone());
        let server = set(Server::new(handler).config(config));
        let shutdown = server.handle();
        let place = format!("unix:{}", path.display());
        let (ready, listening) = channel();
        let thread = thread::spawn(move || {
            let listener = lmtp_blocking::Listen::listen(place.as_str());
            ready.send(()).unwrap();
            server.serve(listener?.remove(0))
        });
        listening.recv().unwrap();
        Self { path, _folder: folder, shutdown, endings, thread: Some(thread) }
    }

    fn endpoint(&self) -> String {
        format!("unix:{}", self.path.display())
    }

    fn talk(&self) -> Talk {
        Talk::on(UnixStream::connect(&self.path).unwrap())
    }

    fn ending(&self) -> Ending {
        self.endings.recv_timeout(Duration::from_secs(5)).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.shut_down();
        let result = self.thread.take().unwrap().join();
        if !thread::panicking() {
            result.unwrap().unwrap();
        }
    }
}

/// A client by hand, past the greeting.
struct Talk {
    stream: UnixStream,
    heard: String,
}

impl Talk {
    fn on(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut talk = Self { stream, heard: String::new() };
        talk.hear("\r\n");
        talk
    }

    fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Reads until what was heard since the last time ends so; gives it.
    fn hear(&mut self, end: &str) -> String {
        while !self.heard.ends_with(end) {
            let mut room = [0; 1024];
            match self.stream.read(&mut room) {
                Ok(0) => panic!("the end of the stream behind {:?}", self.heard),
                Ok(count) => self.heard.push_str(std::str::from_utf8(&room[..count]).unwrap()),
                Err(error) => panic!("{error} behind {:?}", self.heard),
            }
        }
        std::mem::take(&mut self.heard)
    }

    fn rest(mut self) -> String {
        match self.stream.read_to_string(&mut self.heard) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        self.heard
    }

    /// LHLO, MAIL, a RCPT for each of these, DATA; up to the 354.
    fn up_to_data(&mut self, to: &[&str]) {
        self.say("LHLO c\r\n");
        self.hear("RCPTMAX=1000\r\n");
        self.open(to);
    }

    fn open(&mut self, to: &[&str]) {
        self.say("MAIL FROM:<ann@x>\r\n");
        for to in to {
            self.say(&format!("RCPT TO:<{to}>\r\n"));
        }
        self.say("DATA\r\n");
        while !self.heard.contains("354 ") {
            let heard = self.hear("\r\n");
            self.heard = heard;
            if !self.heard.contains("354 ") {
                let mut room = [0; 1024];
                let count = self.stream.read(&mut room).unwrap();
                assert!(count > 0, "{}", self.heard);
                self.heard.push_str(std::str::from_utf8(&room[..count]).unwrap());
            }
        }
        self.heard.clear();
    }
}

fn codes(heard: &str) -> Vec<&str> {
    heard.lines().map(|line| line.split(' ').next().unwrap()).collect()
}

fn store(mut message: Message, verdicts: Verdicts) {
    if message.body.read_all().is_ok() {
        verdicts.give_rest(&Reply::stored());
    }
}

#[test]
fn from_client_to_handler() {
    let (sender, mail) = channel();
    let server = Running::new(move |mut message, verdicts| {
        let text = message.body.read_all().unwrap();
        sender.send((message.envelope.from().to_string(), text)).unwrap();
        verdicts.give(RecipientId(1), Reply::mailbox_full()).unwrap();
        verdicts.give(RecipientId(1), Reply::stored()).unwrap_err();
        verdicts.give(RecipientId(0), Reply::stored()).unwrap();
    });
    let to = ["bob@x", "nobody@x", "eve@x"];
    let report = send(server.endpoint().as_str(), "ann@x", to, "Hi\r\n.\r\n").unwrap();
    let results = lmtp_testkit::memory::results(&report);
    assert_eq!(
        results,
        ["bob@x delivered final 250 2.0.0", "nobody@x permanent rcpt 550 5.1.1", "eve@x temporary final 452 4.2.2"]
    );
    assert_eq!(mail.recv().unwrap(), ("ann@x".into(), "Hi\r\n.\r\n".into()));
    assert_eq!(server.ending(), Ending::Answered);
}

/// Nobody is known, and nothing is taken, until the application says so.
#[test]
fn the_defaults_are_safe() {
    struct Nothing;
    impl Session for Nothing {}
    struct Anybody;
    impl Session for Anybody {
        fn rcpt(&mut self, _: &ForwardPath, _: &RcptParams) -> Result<(), Reply> {
            Ok(())
        }
    }
    let (ours, theirs) = UnixStream::pair().unwrap();
    let served = thread::spawn(move || Server::new(|_: &Peer| Nothing).serve_stream(theirs, Peer::default()));
    let mut client = Client::builder("unix:pair").unwrap().over(ours).unwrap();
    let envelope = Envelope::new(ReversePath::Null, ["bob@x".parse().unwrap()]).unwrap();
    let report = client.deliver(&envelope, "Hi\r\n").unwrap();
    assert_eq!(lmtp_testkit::memory::results(&report), ["bob@x permanent rcpt 550 5.1.1"]);
    client.quit().unwrap();
    served.join().unwrap().unwrap();

    let (ours, theirs) = UnixStream::pair().unwrap();
    let served = thread::spawn(move || Server::new(|_: &Peer| Anybody).serve_stream(theirs, Peer::default()));
    let mut client = Client::builder("unix:pair").unwrap().over(ours).unwrap();
    let report = client.deliver(&envelope, "Hi\r\n").unwrap();
    assert_eq!(lmtp_testkit::memory::results(&report), ["bob@x temporary final 451 4.3.0"]);
    client.quit().unwrap();
    served.join().unwrap().unwrap();
}

/// A verdict leaves while the handler still works on the others.
#[test]
fn a_verdict_leaves_at_once() {
    let (go_on, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let server = Running::new(move |mut message, verdicts| {
        message.body.read_all().unwrap();
        verdicts.give(RecipientId(0), Reply::stored()).unwrap();
        wait.lock().unwrap().recv().unwrap();
        verdicts.give(RecipientId(1), Reply::mailbox_full()).unwrap();
    });
    let mut talk = server.talk();
    talk.up_to_data(&["bob@x", "eve@x"]);
    talk.say("Hi\r\n.\r\n");
    assert_eq!(codes(&talk.hear("\r\n")), ["250"]);
    go_on.send(()).unwrap();
    assert_eq!(codes(&talk.hear("\r\n")), ["452"]);
}

/// Early verdicts, in another order, from other threads, while the content comes; and
/// a body that is read by yet another.
#[test]
fn body_and_verdicts_may_go_to_threads_of_their_own() {
    let server = Running::new(|mut message, verdicts| {
        thread::spawn(move || {
            verdicts.give(RecipientId(2), Reply::refused()).unwrap();
            verdicts.give(RecipientId(0), Reply::stored()).unwrap();
            thread::sleep(Duration::from_millis(50));
            verdicts.give(RecipientId(1), Reply::mailbox_full()).unwrap();
        });
        thread::spawn(move || assert_eq!(message.body.read_all().unwrap(), "Hi\r\nHo\r\n"));
    });
    let mut talk = server.talk();
    talk.up_to_data(&["bob@x", "eve@x", "joe@x"]);
    talk.say("Hi\r\n");
    thread::sleep(Duration::from_millis(100));
    talk.say("Ho\r\n.\r\nQUIT\r\n");
    assert_eq!(codes(&talk.rest()), ["250", "452", "550", "221"]);
    assert_eq!(server.ending(), Ending::Answered);
}

/// Whatever the handler does, each recipient is answered for: 451.
#[test]
fn a_handler_that_does_not_do_its_part() {
    let handlers: [(&str, Deliver); 4] = [
        ("does nothing", Arc::new(|_, _| {})),
        ("reads, and says nothing", Arc::new(|mut message, _| drop(message.body.read_all()))),
        ("panics", Arc::new(|_, _| panic!("told to"))),
        ("panics behind the content", Arc::new(|mut message, _| {
            message.body.read_all().unwrap();
            panic!("told to");
        })),
    ];
    for (what, deliver) in handlers {
        let server = Running::new(move |message, verdicts| deliver(message, verdicts));
        let mut talk = server.talk();
        talk.up_to_data(&["bob@x", "eve@x"]);
        talk.say("Hi\r\n.\r\nNOOP\r\n");
        let heard = if what.starts_with("panics") { talk.rest() } else { talk.hear("Ok\r\n") };
        let mut codes = codes(&heard);
        if what.starts_with("panics") {
            // NOOP may have had its answer before.
            assert_eq!(codes.pop(), Some("421"), "{what}");
            codes.truncate(2);
            assert_eq!(codes, ["451", "451"], "{what}");
        } else {
            assert_eq!(codes, ["451", "451", "250"], "{what}");
        }
    }
}

/// A handler that is stuck gets its recipients 451 on time, and the client leave.
#[test]
fn a_stuck_handler_is_answered_for() {
    let (release, stuck) = channel::<()>();
    let stuck = Mutex::new(stuck);
    let stale = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&stale);
    let server = Running::hasty(move |mut message, verdicts| {
        message.body.read_all().unwrap();
        let _ = stuck.lock().unwrap().recv();
        counted.fetch_add(usize::from(verdicts.give(RecipientId(0), Reply::stored()).is_err()), Ordering::SeqCst);
    });
    let mut talk = server.talk();
    talk.up_to_data(&["bob@x", "eve@x"]);
    talk.say("Hi\r\n.\r\n");
    let started = Instant::now();
    assert_eq!(codes(&talk.rest()), ["451", "451", "421"]);
    assert!((Duration::from_millis(250)..Duration::from_secs(2)).contains(&started.elapsed()), "{:?}", started.elapsed());
    // The next one is served, while that one is still stuck.
    assert_eq!(server.shutdown.connections(), 1);
    server.talk();
    release.send(()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while stale.load(Ordering::SeqCst) == 0 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(stale.load(Ordering::SeqCst), 1, "a verdict that came too late counted");
}

/// A handler that does not read is given up; what the client sends is read to its end.
#[test]
fn a_handler_that_does_not_read_is_answered_for() {
    let (release, stuck) = channel::<()>();
    let stuck = Mutex::new(stuck);
    let server = Running::hasty(move |_message, _verdicts| {
        let _ = stuck.lock().unwrap().recv();
    });
    let mut talk = server.talk();
    talk.up_to_data(&["bob@x", "eve@x"]);
    let line = "x".repeat(98) + "\r\n";
    talk.say(&line.repeat(50_000));
    talk.say(".\r\n");
    assert_eq!(codes(&talk.rest()), ["451", "451", "421"]);
    drop(release);
}

#[test]
fn a_stuck_or_panicking_decision_is_answered_for() {
    for from in ["panic@x", "sleep@x"] {
        let server = Running::hasty(store);
        let mut talk = server.talk();
        talk.say(&format!("LHLO c\r\nNOOP\r\nMAIL FROM:<{from}>\r\nRCPT TO:<bob@x>\r\n"));
        let heard = talk.rest();
        assert!(heard.contains("\r\n451 4.3.0") && heard.contains("\r\n421 4.3.2"), "{from}: {heard}");
    }
}

/// A body whose end did not come is an error, whoever reads it and whenever.
#[test]
fn a_client_that_goes_amid_content() {
    let (sender, ends) = channel();
    let server = Running::new(move |mut message, _verdicts| {
        let mut text = String::new();
        let error = message.body.read_to_string(&mut text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        sender.send(message.body.next()).unwrap();
    });
    let mut talk = server.talk();
    talk.up_to_data(&["bob@x"]);
    talk.say("Hi\r\n");
    drop(talk);
    assert_eq!(ends.recv_timeout(Duration::from_secs(5)).unwrap(), Err(BodyError::Abandoned));
    assert_eq!(server.ending(), Ending::Abandoned);
}

/// What nobody reads is read to its end for nobody, and the session goes on.
#[test]
fn a_body_that_is_dropped() {
    let server = Running::new(|message, verdicts| {
        drop(message);
        verdicts.give_rest(&Reply::stored());
    });
    let mut client = Client::connect(server.endpoint().as_str()).unwrap();
    let envelope = Envelope::new(ReversePath::Null, ["bob@x".parse().unwrap()]).unwrap();
    let mail = "x".repeat(76) + "\r\n";
    for _ in 0..3 {
        assert!(client.deliver(&envelope, mail.repeat(20_000)).unwrap().all_delivered());
    }
}

/// The body of one message, kept for longer, is nothing to the next.
#[test]
fn a_body_that_outlives_its_message() {
    let kept = Mutex::new(None);
    let server = Running::new(move |mut message, verdicts| {
        let before = kept.lock().unwrap().take();
        let reader = thread::spawn(move || {
            drop(before);
            let whole = message.body.read_all().is_ok_and(|text| text.len() == 78 * 5000);
            (message.body, whole)
        });
        let (body, whole) = reader.join().unwrap();
        *kept.lock().unwrap() = Some(body);
        verdicts.give_rest(&if whole { Reply::stored() } else { Reply::refused() });
    });
    let mut client = Client::connect(server.endpoint().as_str()).unwrap();
    let envelope = Envelope::new(ReversePath::Null, ["bob@x".parse().unwrap()]).unwrap();
    let mail = "x".repeat(76) + "\r\n";
    for report in client.deliver_all((0..5).map(|_| (envelope.clone(), mail.repeat(5000)))) {
        assert!(report.all_delivered(), "{report:?}");
    }
}

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
    struct Nothing;
    impl Session for Nothing {}
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
    struct Nothing;
    impl Session for Nothing {}
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
    assert!(talk.rest().starts_with("421 4.4.2"));
    assert!((Duration::from_millis(1200)..Duration::from_millis(2500)).contains(&started.elapsed()));
}
