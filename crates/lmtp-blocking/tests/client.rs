//! The client on real sockets.

use std::io::{self, Read, Seek, Write};
use std::net::{TcpListener, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use lmtp_blocking::{
    Body, Client, Envelope, FaultKind, Handle, LineEndings, Outcome, Phase, Report, ReversePath, Timeouts, send,
};
use lmtp_testkit::memory::results;
use lmtp_testkit::socket::Act::{Data, Eof, Line, Say};
use lmtp_testkit::socket::{Act, ScriptedServer};

const GREET: Act = Say("220 mx.example.org ready\r\n");
const OFFER: Act = Say("250-mx.example.org\r\n250 PIPELINING\r\n");

/// Greeting, LHLO, a group of MAIL, RCPTs and DATA, each RCPT with its reply.
fn up_to_data(replies: &'static str, recipients: usize) -> Vec<Act> {
    let mut acts = vec![GREET, Line, OFFER, Line];
    acts.extend((0..recipients).map(|_| Line));
    acts.extend([Line, Say("250 2.1.0 Ok\r\n"), Say(replies), Say("354 Go\r\n")]);
    acts
}

/// A path for a socket.
struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("lmtp.sock"), _folder: folder }
    }

    fn endpoint(&self) -> String {
        format!("unix:{}", self.path.display())
    }

    fn builder(&self) -> lmtp_blocking::Builder {
        Client::builder(self.endpoint().as_str()).unwrap()
    }
}

fn to_bob() -> Envelope {
    Envelope::new(ReversePath::Null, ["bob@x".parse().unwrap()]).unwrap()
}

/// Sends to a server that acts so; gives the report and what the server heard.
fn conversation(to: &[&str], message: &str, acts: Vec<Act>) -> (Report, String) {
    let place = Place::new();
    let server = ScriptedServer::on_unix(&place.path, acts);
    let report = send(place.endpoint().as_str(), "ann@example.org", to, message).unwrap();
    (report, String::from_utf8_lossy(&server.heard()).into_owned())
}

#[test]
fn three_recipients_three_answers() {
    let mut acts = up_to_data("250 2.1.5 Ok\r\n550 5.1.1 Who\r\n250 2.1.5 Ok\r\n", 3);
    acts.extend([Data, Say("250 2.0.0 Saved\r\n552 5.2.2 Full\r\n"), Line, Say("221 Bye\r\n")]);
    let (report, heard) = conversation(&["bob@x", "eve@x", "joe@x"], "Subject: hi\r\n\r\n.\r\n", acts);
    assert_eq!(
        results(&report),
        ["bob@x delivered final 250 2.0.0", "eve@x permanent rcpt 550 5.1.1", "joe@x permanent final 552 5.2.2"]
    );
    assert!(heard.ends_with("DATA\r\nSubject: hi\r\n\r\n..\r\n.\r\nQUIT\r\n"), "{heard}");
    let lines: Vec<_> = report.recipients().map(|recipient| recipient.to_string()).collect();
    assert_eq!(lines[0], "bob@x: delivered: 250 2.0.0 Saved");
    assert_eq!(lines[1], "eve@x: permanent: 550 5.1.1 Who (in reply to RCPT)");
}

/// `let report = client.deliver(…)?` never loses a status that was read: the
/// connection dies after the first of three answers, and `?` passes.
#[test]
fn a_status_that_was_read_is_never_lost() {
    fn deliver(endpoint: &str) -> Result<Report, lmtp_blocking::Error> {
        let mut client = Client::connect(endpoint)?;
        let to = ["bob@x".parse()?, "eve@x".parse()?, "bob@x".parse()?];
        let envelope = Envelope::new("ann@x".parse()?, to)?;
        let report = client.deliver(&envelope, "Hi\r\n")?;
        Ok(report)
    }
    let mut acts = up_to_data("250 Ok\r\n250 Ok\r\n250 Ok\r\n", 3);
    acts.extend([Data, Say("250 2.0.0 Saved\r\n")]);
    let place = Place::new();
    let _server = ScriptedServer::on_unix(&place.path, acts);
    let report = deliver(&place.endpoint()).unwrap();
    assert_eq!(
        results(&report),
        ["bob@x delivered final 250 2.0.0", "eve@x uncertain final", "bob@x uncertain final", "error closed final"]
    );
    let fault = report.error().unwrap();
    assert!(fault.message().starts_with(&place.endpoint()), "{fault}");
    let error = report.into_result().unwrap_err();
    assert!(error.to_string().starts_with("2 of 3 recipients not delivered; first: eve@x: uncertain"), "{error}");
}

#[test]
fn no_reply_to_quit_is_a_warning() {
    let mut acts = up_to_data("250 Ok\r\n", 1);
    acts.extend([Data, Say("250 Ok\r\n"), Line]);
    let (report, _) = conversation(&["bob@x"], "Hi\r\n", acts);
    assert!(report.all_delivered());
    assert!(report.error().is_none());
    assert_eq!(report.warnings().len(), 1);
    assert!(report.warnings()[0].contains("QUIT"), "{:?}", report.warnings());
}

/// DATA was accepted though no RCPT was, so a lone dot leaves.
#[test]
fn a_lone_dot_reaches_the_server() {
    lmtp_testkit::proves!("R2920-3.1-e");
    let mut acts = up_to_data("550 5.1.1 Who\r\n", 1);
    acts.push(Eof);
    let (report, heard) = conversation(&["bob@x"], "Hi\r\n", acts);
    assert_eq!(results(&report), ["bob@x permanent rcpt 550 5.1.1", "warning"]);
    assert!(heard.ends_with("DATA\r\n.\r\n"), "{heard}");
}

/// A fault is told once: as the error, not as a warning besides.
#[test]
fn a_lost_connection_is_no_warning_besides() {
    let acts = up_to_data("250 Ok\r\n", 1);
    let (report, _) = conversation(&["bob@x"], "Hi\r\n", acts);
    assert!(report.error().is_some());
    assert!(report.warnings().is_empty(), "{:?}", report.warnings());
}

#[test]
fn no_server_is_a_report_as_well() {
    let place = Place::new();
    let report = send(place.endpoint().as_str(), "ann@x", ["bob@x"], "Hi\r\n").unwrap();
    assert_eq!(results(&report), ["bob@x unsent connect", "error connect connect"]);
    let fault = report.error().unwrap();
    assert!(fault.message().contains(&place.endpoint()) && fault.message().contains("no such socket"), "{fault}");
    // No label is that long, so no resolver asks anybody.
    let endpoint = format!("lmtp://{}:24", "a".repeat(70));
    let report = send(endpoint.as_str(), "ann@x", ["bob@x"], "Hi\r\n").unwrap();
    assert_eq!(results(&report), ["bob@x unsent connect", "error resolve connect"]);
}

#[test]
fn what_cannot_be_said_is_refused_before_anybody_is_asked() {
    for (from, to) in [("ann@x", "a@b\r\nRCPT TO:<c@d>"), ("ann@x>\r\nDATA", "bob@x"), ("ann@x", ""), ("ann@x", "bob")]
    {
        // Nobody listens there: had it been tried, there would be a report.
        assert!(send("unix:/nonexistent/lmtp", from, [to], "Hi\r\n").is_err(), "{from:?} {to:?}");
    }
    assert!(send("unix:/nonexistent/lmtp", "ann@x", [""; 0], "Hi\r\n").is_err());
    assert!(send("lmtp://localhost:25", "ann@x", ["bob@x"], "Hi\r\n").is_err());
}

#[test]
fn a_silent_server_is_named_with_the_phase() {
    for (acts, phase) in [
        (vec![Eof], Phase::Greeting),
        (vec![GREET, Eof], Phase::Lhlo),
        (vec![GREET, Line, OFFER, Eof], Phase::Mail),
        (vec![GREET, Line, OFFER, Line, Line, Line, Say("250 Ok\r\n"), Eof], Phase::Rcpt),
        (vec![GREET, Line, OFFER, Line, Line, Line, Say("250 Ok\r\n250 Ok\r\n"), Eof], Phase::Data),
        ([up_to_data("250 Ok\r\n", 1), vec![Data, Eof]].concat(), Phase::Final),
    ] {
        let (server, address) = ScriptedServer::on_tcp(acts);
        let started = Instant::now();
        let builder = Client::builder(format!("lmtp://{address}").as_str()).unwrap();
        let report = match builder.timeouts(Timeouts::all(Duration::from_millis(200))).connect() {
            Ok(mut client) => client.deliver(&to_bob(), "Hi\r\n").unwrap(),
            Err(fault) => Report::unsent(to_bob(), fault),
        };
        let fault = report.error().unwrap();
        assert_eq!((fault.kind(), fault.phase()), (FaultKind::Timeout, phase));
        assert!(fault.message().contains(&address.to_string()), "{fault}");
        assert!(started.elapsed() < Duration::from_secs(5));
        let outcome = report.recipients().next().unwrap().outcome();
        assert_eq!(outcome, if phase == Phase::Final { Outcome::Uncertain } else { Outcome::Unsent });
        server.heard();
    }
}

/// A server that does not read: the deadline bounds writes, too.
#[test]
fn a_server_that_does_not_read_is_not_waited_for() {
    let place = Place::new();
    let mut acts = up_to_data("250 Ok\r\n", 1);
    // It reads no content, and stays until the client has given up.
    acts.push(Act::Sleep(Duration::from_secs(3)));
    let _server = ScriptedServer::on_unix(&place.path, acts);
    let mut timeouts = Timeouts::all(Duration::from_secs(20));
    timeouts.body = Duration::from_millis(300);
    let mut client = place.builder().timeouts(timeouts).connect().unwrap();
    let started = Instant::now();
    let report = client.deliver(&to_bob(), "x".repeat(8 << 20) + "\r\n").unwrap();
    assert_eq!(results(&report), ["bob@x unsent body", "error timeout body"]);
    assert!(started.elapsed() < Duration::from_millis(2500), "{:?}", started.elapsed());
}

/// A listener whose backlog is full neither accepts nor refuses.
#[test]
fn a_busy_listener_is_not_waited_for() {
    let unix = || socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    let place = Place::new();
    let listener = unix();
    let address = socket2::SockAddr::unix(&place.path).unwrap();
    listener.bind(&address).unwrap();
    listener.listen(0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let socket = unix();
        socket.set_nonblocking(true).unwrap();
        match socket.connect(&address) {
            Ok(()) => waiting.push(socket),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    let started = Instant::now();
    let fault = place.builder().timeouts(Timeouts::all(Duration::from_millis(200))).connect().unwrap_err();
    assert_eq!((fault.kind(), fault.phase()), (FaultKind::Timeout, Phase::Connect));
    assert!(fault.message().contains(&place.endpoint()), "{fault}");
    let elapsed = started.elapsed();
    assert!(elapsed >= Duration::from_millis(150) && elapsed < Duration::from_secs(5), "{elapsed:?}");

    // Nor has it to be: connecting can be cancelled.
    let handle = Handle::new();
    let canceller = handle.clone();
    let thread = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        canceller.cancel();
    });
    let started = Instant::now();
    let fault = place.builder().handle(&handle).connect().unwrap_err();
    assert!(fault.message().contains("cancelled"), "{fault}");
    assert!(started.elapsed() < Duration::from_secs(5));
    thread.join().unwrap();
}

/// A reader that fails after so many octets.
struct Failing(usize);

impl Read for Failing {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("the disk is gone"));
        }
        let count = room.len().min(self.0);
        room[..count].fill(b'x');
        self.0 -= count;
        Ok(count)
    }
}

#[test]
fn a_reader_that_fails_leaves_nothing_behind() {
    for octets in [0, 1, 65_535, 65_536, 65_537, 200_000] {
        let place = Place::new();
        let mut acts = up_to_data("250 Ok\r\n550 5.1.1 Who\r\n", 2);
        acts.extend([Data, Eof]);
        let server = ScriptedServer::on_unix(&place.path, acts);
        let body = Body::reader(Failing(octets));
        let report = send(place.endpoint().as_str(), "ann@x", ["bob@x", "eve@x"], body).unwrap();
        assert_eq!(results(&report), ["bob@x unsent body", "eve@x permanent rcpt 550 5.1.1", "error body body"]);
        let fault = report.error().unwrap();
        assert!(fault.message().contains("the disk is gone"), "{fault}");
        assert!(!server.heard().ends_with(b".\r\n"), "the end of the data was sent");
    }
}

#[test]
fn a_reader_that_panics_leaves_nothing_behind() {
    struct Panicking;
    impl Read for Panicking {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("in the reader");
        }
    }
    let place = Place::new();
    let mut acts = up_to_data("250 Ok\r\n", 1);
    acts.extend([Data, Eof]);
    let server = ScriptedServer::on_unix(&place.path, acts);
    let mut client = place.builder().connect().unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| client.deliver(&to_bob(), Body::reader(Panicking))));
    assert!(panicked.is_err());
    assert_eq!(results(&client.report().unwrap()), ["bob@x unsent body"]);
    // The connection is over, and says so: with this message nothing is wrong.
    let report = client.deliver(&to_bob(), "Hi\r\n").unwrap();
    assert_eq!(results(&report), ["bob@x unsent mail", "error closed mail"]);
    assert!(!server.heard().ends_with(b".\r\n"));
}

/// A hook is the caller's code as well.
#[test]
fn a_hook_that_panics_leaves_nothing_behind() {
    let place = Place::new();
    let server = ScriptedServer::on_unix(&place.path, vec![GREET, Line, OFFER, Eof]);
    let builder = place.builder().on_line(|line| assert!(!line.to_string().starts_with("C: MAIL"), "in the hook"));
    let mut client = builder.connect().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| client.deliver(&to_bob(), "Hi\r\n"))).is_err());
    assert_eq!(client.quit().map_err(|fault| fault.to_string()), Ok(()));
    assert_eq!(server.heard(), b"LHLO localhost\r\n");
}

/// A connection that has failed is closed at once, and a dropped client's is,
/// whoever still holds its handle.
#[test]
fn the_server_learns_at_once_that_it_is_over() {
    let place = Place::new();
    let server = ScriptedServer::on_unix(&place.path, [up_to_data("250 Ok\r\n", 1), vec![Data, Eof]].concat());
    let mut client = place.builder().connect().unwrap();
    let report = client.deliver(&to_bob(), Body::reader(Failing(10))).unwrap();
    assert!(report.error().is_some());
    server.heard(); // while the client is still there

    drop(client);
    let place = Place::new();
    let server = ScriptedServer::on_unix(&place.path, vec![GREET, Line, OFFER, Eof]);
    let handle = Handle::new();
    let client = place.builder().handle(&handle).connect().unwrap();
    assert_eq!(place.builder().handle(&handle).connect().unwrap_err().kind(), FaultKind::Usage);
    drop(client);
    server.heard(); // while the handle is still there
    handle.cancel();
}

/// A file is sent from where it stands, and the server told its size; one that
/// changes under our hands is not ended.
#[test]
fn files() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"not this\r\nSubject: hi\r\n\r\nh\xc3\xaf\r\n").unwrap();
    file.seek(io::SeekFrom::Start(10)).unwrap();
    let place = Place::new();
    let mut acts = up_to_data("250 Ok\r\n", 1);
    acts[2] = Say("250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE\r\n");
    acts.extend([Data, Say("250 Ok\r\n"), Eof]);
    let server = ScriptedServer::on_unix(&place.path, acts);
    let mut client = place.builder().connect().unwrap();
    assert!(client.deliver(&to_bob(), Body::file(&file)).unwrap().all_delivered());
    drop(client);
    let heard = String::from_utf8(server.heard()).unwrap();
    assert!(heard.contains("MAIL FROM:<> SIZE=20 BODY=8BITMIME\r\n"), "{heard}");
    assert!(heard.ends_with("DATA\r\nSubject: hi\r\n\r\nhï\r\n.\r\n"), "{heard}");

    let place = Place::new();
    let server = ScriptedServer::on_unix(&place.path, [up_to_data("250 Ok\r\n", 1), vec![Data, Eof]].concat());
    let mut client = place.builder().connect().unwrap();
    let body = Body::reader(&b"Hi\r\n"[..]).with_size(1_000_000);
    assert_eq!(results(&client.deliver(&to_bob(), body).unwrap()), ["bob@x unsent body", "error body body"]);
    assert!(!server.heard().ends_with(b".\r\n"));
}

/// A reply that comes between two messages answers neither.
#[test]
fn a_surplus_reply_between_messages_shifts_nothing() {
    let place = Place::new();
    let mut acts = up_to_data("250 Ok\r\n", 1);
    acts.extend([Data, Say("250 Ok\r\n"), Act::Sleep(Duration::from_millis(50)), Say("250 surplus\r\n"), Eof]);
    let server = ScriptedServer::on_unix(&place.path, acts);
    let mut client = place.builder().connect().unwrap();
    assert!(client.deliver(&to_bob(), "Hi\r\n").unwrap().all_delivered());
    thread::sleep(Duration::from_millis(300));
    let report = client.deliver(&to_bob(), "Hi\r\n").unwrap();
    assert_eq!(results(&report), ["bob@x unsent mail", "error protocol mail"]);
    assert!(server.heard().ends_with(b"Hi\r\n.\r\n"), "the second message was not begun");
}

#[test]
fn line_ends_are_refused_or_converted() {
    let (report, heard) = conversation(&["bob@x"], "a\n.\nb", vec![GREET, Line, OFFER, Line, Say("221 Bye\r\n")]);
    assert_eq!(results(&report), ["bob@x unsent body", "error body body"]);
    assert!(report.error().unwrap().message().contains("LF without CR at octet 1, line 1"), "{:?}", report.error());
    assert_eq!(heard, "LHLO localhost\r\nQUIT\r\n");

    let place = Place::new();
    let mut acts = up_to_data("250 Ok\r\n", 1);
    acts.extend([Data, Say("250 Ok\r\n"), Eof]);
    let server = ScriptedServer::on_unix(&place.path, acts);
    let mut client = place.builder().line_endings(LineEndings::Convert).connect().unwrap();
    assert!(client.deliver(&to_bob(), "a\n.\nb").unwrap().all_delivered());
    drop(client);
    assert!(server.heard().ends_with(b"DATA\r\na\r\n..\r\nb\r\n.\r\n"));
}

#[test]
fn many_messages_over_one_connection() {
    const MESSAGES: usize = 50;
    let mut acts = vec![GREET, Line, OFFER];
    for _ in 0..MESSAGES {
        acts.extend([Line, Line, Line, Say("250 Ok\r\n250 Ok\r\n354 Go\r\n"), Data, Say("250 Ok\r\n")]);
    }
    acts.extend([Line, Say("221 Bye\r\n")]);
    let place = Place::new();
    let server = ScriptedServer::on_unix(&place.path, acts);
    let mut client = place.builder().connect().unwrap();
    for number in 0..MESSAGES {
        assert!(client.is_ready());
        assert!(client.deliver(&to_bob(), format!("Message {number}\r\n")).unwrap().all_delivered());
    }
    client.quit().unwrap();
    assert!(server.heard().ends_with(b"Message 49\r\n.\r\nQUIT\r\n"));
}

#[test]
fn a_client_can_be_cancelled_from_another_thread() {
    let place = Place::new();
    let mut acts = up_to_data("250 Ok\r\n", 1);
    acts.extend([Data, Eof]);
    let server = ScriptedServer::on_unix(&place.path, acts);
    let handle = Handle::new();
    let mut client = place.builder().handle(&handle).connect().unwrap();
    let watcher = thread::spawn(move || {
        while handle.phase() != Phase::Final {
            thread::sleep(Duration::from_millis(5));
        }
        handle.cancel();
    });
    let report = client.deliver(&to_bob(), "Hi\r\n").unwrap();
    assert_eq!(results(&report), ["bob@x uncertain final", "error closed final"]);
    assert!(report.error().unwrap().message().contains("cancelled"));
    watcher.join().unwrap();
    server.heard();
}

#[test]
fn a_cancelled_handle_connects_to_nobody() {
    let place = Place::new();
    let _server = ScriptedServer::on_unix(&place.path, vec![GREET, Eof]);
    let handle = Handle::new();
    handle.cancel();
    let fault = place.builder().handle(&handle).connect().unwrap_err();
    assert!(fault.message().contains("cancelled"), "{fault}");
    // The server still waits for its client.
    drop(UnixStream::connect(&place.path).unwrap());
}

/// IPv6 where there is one, and a name with addresses of both families.
#[test]
fn addresses_of_both_families() {
    for bind in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(bind) else {
            eprintln!("no {bind} here: not tried");
            continue;
        };
        let address = listener.local_addr().unwrap();
        let mut hosts = vec![address.to_string()];
        let named = ("localhost", address.port()).to_socket_addrs();
        if named.is_ok_and(|mut addresses| addresses.any(|one| one == address)) {
            hosts.push(format!("localhost:{}", address.port()));
        }
        let clients = hosts.len();
        let server = thread::spawn(move || {
            for _ in 0..clients {
                listener.accept().unwrap().0.write_all(b"554 no\r\n").unwrap();
            }
        });
        for host in hosts {
            let fault = Client::builder(format!("lmtp://{host}").as_str()).unwrap().connect().unwrap_err();
            assert_eq!(fault.phase(), Phase::Greeting, "{host}: {fault}");
        }
        server.join().unwrap();
    }
}
