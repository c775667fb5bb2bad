// The client of one front end on real sockets. Included by the tests of each, which
// name it `front` and give `run`, which runs a future on its runtime.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use front::{Body, Client, Config, Envelope, Error, FaultKind, Handle, Outcome, Phase, Report, ReversePath, Timeouts, send};
use lmtp_testkit::memory::results;
use lmtp_testkit::socket::Act::{Data, Eof, Line, Say, Sleep};
use lmtp_testkit::socket::{Act, ScriptedServer};

const OPENING: [Act; 3] = [
    Say("220 mx.example.org ready\r\n"),
    Line,
    Say("250-mx.example.org\r\n250 PIPELINING\r\n"),
];

fn acts(others: impl IntoIterator<Item = Act>) -> Vec<Act> {
    OPENING.into_iter().chain(others).collect()
}

/// A server on a Unix socket of its own, which lives as long as its folder.
fn server(others: impl IntoIterator<Item = Act>) -> (ScriptedServer, String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("lmtp.sock");
    (ScriptedServer::on_unix(&path, acts(others)), format!("unix:{}", path.display()), folder)
}

fn to_bob() -> Envelope {
    Envelope::new(ReversePath::Null, ["bob@x".parse().unwrap()]).unwrap()
}

/// MAIL, one RCPT and DATA in a group; the content; an answer.
fn one_message(answer: &'static str) -> [Act; 6] {
    [Line, Line, Line, Say("250 Ok\r\n250 Ok\r\n354 Go\r\n"), Data, Say(answer)]
}

#[test]
fn each_recipient_has_an_answer_over_tcp() {
    let (server, address) = ScriptedServer::on_tcp(acts([
        Line, Line, Line, Line, Line,
        Say("250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n550 5.1.1 Who\r\n250 2.1.5 Ok\r\n354 Go\r\n"),
        Data,
        Say("250 2.0.0 Saved\r\n552 5.2.2 Full\r\n"),
        Line,
        Say("221 Bye\r\n"),
    ]));
    let to = ["bob@x", "eve@x", "joe@x"];
    let report = run(async move {
        send(format!("lmtp://{address}").as_str(), "ann@x", to, "Subject: hi\r\n\r\n.\r\n").await
    });
    assert_eq!(
        results(&report.unwrap()),
        ["bob@x delivered final 250 2.0.0", "eve@x permanent rcpt 550 5.1.1", "joe@x permanent final 552 5.2.2"]
    );
    let heard = String::from_utf8(server.heard()).unwrap();
    assert!(heard.ends_with("DATA\r\nSubject: hi\r\n\r\n..\r\n.\r\nQUIT\r\n"), "{heard}");
}

/// The second envelope leaves behind the first content: the server has read it before
/// it answers the first message.
#[test]
fn messages_go_one_behind_the_other() {
    let first = [Line, Line, Line, Say("250 Ok\r\n250 Ok\r\n354 Go\r\n"), Data];
    let second = [Line, Line, Line, Say("250 1\r\n"), Say("250 Ok\r\n250 Ok\r\n354 Go\r\n"), Data, Say("452 2\r\n")];
    let (_server, endpoint, _folder) = server(first.into_iter().chain(second).chain([Line, Say("221 Bye\r\n")]));
    run(async move {
        let mut client = Client::connect(endpoint.as_str()).await.unwrap();
        let messages = ["One\r\n", "T\nwo\r\n", "Two\r\n"].map(|message| (to_bob(), message));
        let mut reports = client.deliver_all(messages);
        assert_eq!(results(&reports.next().await.unwrap()), ["bob@x delivered final 250"]);
        // A message that cannot be sent has its place among the others.
        let refused = reports.next().await.unwrap();
        assert_eq!(refused.error().unwrap().kind(), FaultKind::Body);
        assert_eq!(results(&reports.next().await.unwrap()), ["bob@x temporary final 452"]);
        assert!(reports.next().await.is_none());
        client.quit().await.unwrap();
    });
}

#[test]
fn a_message_goes_step_by_step() {
    let (server, endpoint, _folder) = server([
        Line, Say("250 Ok\r\n"), Line, Say("250 Ok\r\n"), Line, Say("550 5.1.1 Who\r\n"), Line, Say("354 Go\r\n"),
        Data, Say("250 2.0.0 Saved\r\n"),
        Line, Say("452 Full\r\n"),
        Line, Say("250 Reset\r\n"), Line, Say("250 Ok\r\n"), Line, Say("250 Ok\r\n"),
        Line, Say("250 Reset\r\n"),
        Line, Say("221 Bye\r\n"),
    ]);
    run(async move {
        let mut client = Client::connect(endpoint.as_str()).await.unwrap();
        let mut transaction = client.mail("ann@x".parse().unwrap()).await.unwrap();
        assert!(transaction.rcpt("bob@x".parse().unwrap()).await.unwrap().code().is_success());
        assert_eq!(transaction.rcpt("eve@x".parse().unwrap()).await.unwrap().code().to_string(), "550");
        let mut content = transaction.data().await.unwrap();
        content.write("Subject: hi\r\n\r\n").await.unwrap();
        content.write("Hello\r\n").await.unwrap();
        let report = content.finish().await;
        assert_eq!(results(&report), ["bob@x delivered final 250 2.0.0", "eve@x permanent rcpt 550 5.1.1"]);
        // MAIL is refused, and that is everybody's answer.
        let mut transaction = client.mail("ann@x".parse().unwrap()).await.unwrap();
        assert_eq!(transaction.rcpt("bob@x".parse().unwrap()).await.unwrap().code().to_string(), "452");
        let error = transaction.data().await.unwrap_err();
        assert_eq!(results(&error.report), ["bob@x temporary mail 452"]);
        // A dropped guard costs a RSET.
        let mut transaction = client.mail("ann@x".parse().unwrap()).await.unwrap();
        let _ = transaction.rcpt("bob@x".parse().unwrap()).await.unwrap();
        drop(transaction);
        assert_eq!(results(&client.report().unwrap()), ["bob@x unsent rcpt", "error closed rcpt"]);
        client.reset().await.unwrap();
        assert!(client.is_ready());
        client.quit().await.unwrap();
    });
    let heard = String::from_utf8(server.heard()).unwrap();
    assert!(heard.ends_with("RSET\r\nMAIL FROM:<ann@x>\r\nRCPT TO:<bob@x>\r\nRSET\r\nQUIT\r\n"), "{heard}");
}

#[test]
fn a_status_that_was_read_is_never_lost() {
    let (_server, endpoint, _folder) = server([
        Line, Line, Line, Line, Say("250 Ok\r\n250 Ok\r\n250 Ok\r\n354 Go\r\n"), Data, Say("250 2.0.0 Saved\r\n"),
    ]);
    let place = endpoint.clone();
    let report: Result<Report, Error> = run(async move {
        let mut client = Client::connect(endpoint.as_str()).await?;
        let envelope = Envelope::new("ann@x".parse()?, ["bob@x".parse()?, "eve@x".parse()?])?;
        Ok(client.deliver(&envelope, "Hi\r\n").await?)
    });
    let report = report.unwrap();
    assert_eq!(
        results(&report),
        ["bob@x delivered final 250 2.0.0", "eve@x uncertain final", "error closed final"]
    );
    assert!(report.error().unwrap().message().starts_with(&place));
}

#[test]
fn a_silent_server_is_given_up_in_time() {
    let (_server, endpoint, _folder) = server([Line, Line, Line, Sleep(Duration::from_millis(600))]);
    let started = Instant::now();
    let report = run(async move {
        let mut timeouts = Timeouts::default();
        timeouts.mail = Duration::from_millis(100);
        let mut client = Client::builder(endpoint.as_str()).unwrap().timeouts(timeouts).connect().await.unwrap();
        client.deliver(&to_bob(), "Hi\r\n").await.unwrap()
    });
    assert_eq!(results(&report), ["bob@x unsent mail", "error timeout mail"]);
    assert!(started.elapsed() < Duration::from_millis(500));
}

#[test]
fn a_client_can_be_cancelled_from_elsewhere() {
    let (_server, endpoint, _folder) = server([Line, Line, Line, Eof]);
    let handle = Handle::new();
    let other = handle.clone();
    let watcher = thread::spawn(move || {
        while other.phase() != Phase::Mail {
            thread::sleep(Duration::from_millis(1));
        }
        other.cancel();
    });
    let report = run(async move {
        let mut client = Client::builder(endpoint.as_str()).unwrap().handle(&handle).connect().await.unwrap();
        let report = client.deliver(&to_bob(), "Hi\r\n").await.unwrap();
        assert!(Client::builder(endpoint.as_str()).unwrap().handle(&handle).connect().await.is_err());
        report
    });
    watcher.join().unwrap();
    assert_eq!(results(&report), ["bob@x unsent mail", "error closed mail"]);
    assert!(report.error().unwrap().message().ends_with("cancelled"), "{:?}", report.error());
}

/// Abstract names, several addresses of which the first does not answer, no server at
/// all, and a full backlog.
#[test]
fn servers_are_found_or_not() {
    let name = format!("@lmtp-{}-{}", std::process::id(), module_path!());
    if cfg!(target_os = "linux") {
        let listener = listen_abstract(&name);
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            std::io::Write::write_all(&mut stream, b"220 Hi\r\n250 mx\r\n").unwrap();
            assert_ne!(std::io::Read::read(&mut stream, &mut [0; 64]).unwrap(), 0);
        });
        let fault = run(async move { Client::connect(format!("unix:{name}").as_str()).await.map(drop).unwrap_err() });
        // It has said what nobody had asked for; but it was there.
        let Error::Fault(fault) = fault else { panic!("{fault}") };
        assert_eq!(fault.kind(), FaultKind::Protocol, "{fault}");
        server.join().unwrap();
    }
    // `localhost` is both families, and only one has a listener.
    let (server, address) = ScriptedServer::on_tcp(acts([Line, Say("221 Bye\r\n")]));
    run(async move {
        let endpoint = format!("lmtp://localhost:{}", address.port());
        Client::connect(endpoint.as_str()).await.unwrap().quit().await.unwrap();
    });
    server.heard();
    let report = run(async { send("unix:/nowhere/lmtp", "ann@x", ["bob@x"], "Hi\r\n").await.unwrap() });
    assert_eq!(results(&report), ["bob@x unsent connect", "error connect connect"]);
    assert!(report.error().unwrap().message().ends_with("(no such socket: is the server running?)"));
}

#[cfg(target_os = "linux")]
fn listen_abstract(name: &str) -> std::os::unix::net::UnixListener {
    use std::os::linux::net::SocketAddrExt as _;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name[1..]).unwrap();
    std::os::unix::net::UnixListener::bind_addr(&address).unwrap()
}

/// A full backlog neither lets in nor turns away: it is waited for, but not for ever.
#[test]
fn a_full_backlog_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp.sock");
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    socket.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    socket.listen(0).unwrap();
    let waiting = UnixStream::connect(&path).unwrap();
    let endpoint = format!("unix:{}", path.display());
    let started = Instant::now();
    let connect = |wait| {
        let mut timeouts = Timeouts::default();
        timeouts.connect = wait;
        timeouts.greeting = Duration::from_millis(50);
        let builder = Client::builder(endpoint.as_str()).unwrap().timeouts(timeouts);
        run(async move { builder.connect().await.map(drop).unwrap_err() })
    };
    let fault = connect(Duration::from_millis(100));
    assert_eq!((fault.kind(), fault.phase()), (FaultKind::Timeout, Phase::Connect), "{fault}");
    assert!(started.elapsed() >= Duration::from_millis(100));
    let room = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        let _ = socket.accept().unwrap();
        thread::sleep(Duration::from_millis(200));
        (socket, waiting)
    });
    let fault = connect(Duration::from_secs(10));
    assert_eq!((fault.kind(), fault.phase()), (FaultKind::Timeout, Phase::Greeting), "{fault}");
    room.join().unwrap();
}

#[test]
fn a_message_comes_from_a_file_or_a_stream() {
    let text = "Subject: hi\r\n\r\nHello\r\n".repeat(10_000);
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let (server, endpoint, _folder) =
        server(one_message("250 1\r\n").into_iter().chain(one_message("250 2\r\n")).chain([Line, Say("221 Bye\r\n")]));
    let stream = text.clone();
    run(async move {
        let mut config = Config::default();
        config.transcript = false;
        let mut client = Client::builder(endpoint.as_str()).unwrap().config(config).connect().await.unwrap();
        let report = client.deliver(&to_bob(), Body::file(opened(file))).await.unwrap();
        assert_eq!(results(&report), ["bob@x delivered final 250"]);
        let report = client.deliver(&to_bob(), Body::reader(reader(stream.as_bytes()))).await.unwrap();
        assert_eq!(report.recipients().next().unwrap().outcome(), Outcome::Delivered);
        client.quit().await.unwrap();
    });
    let heard = String::from_utf8(server.heard()).unwrap();
    assert_eq!(heard.matches(&text).count(), 2);
}

/// A stream that the caller has opened, and each line of what is said on it.
#[test]
fn any_stream_will_do() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || {
        use std::io::{Read, Write};
        (&theirs).write_all(b"220 Hi\r\n").unwrap();
        assert_ne!((&theirs).read(&mut [0; 64]).unwrap(), 0);
        (&theirs).write_all(b"250 mx\r\n").unwrap();
        assert_ne!((&theirs).read(&mut [0; 64]).unwrap(), 0);
        (&theirs).write_all(b"221 Bye\r\n").unwrap();
    });
    let (lines, said) = std::sync::mpsc::channel();
    run(async move {
        let builder = Client::builder("unix:a-pair").unwrap().on_line(move |line| lines.send(line.to_string()).unwrap());
        builder.over(adopted(ours)).await.unwrap().quit().await.unwrap();
    });
    server.join().unwrap();
    assert_eq!(said.iter().collect::<Vec<_>>(), ["S: 220 Hi", "C: LHLO localhost", "S: 250 mx", "C: QUIT", "S: 221 Bye"]);
}
