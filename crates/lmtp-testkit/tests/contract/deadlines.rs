//! Nobody is waited for for ever, in whatever phase, and neither are writes.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::{Duration, Instant};

use lmtp_proto::{Envelope, Report};
use lmtp_testkit::memory::results;
use lmtp_testkit::socket::Act::{self, Data, Eof, Line, Say, Sleep};
use lmtp_testkit::socket::ScriptedServer;

use super::front::{Client, Phase, Server, ServerConfig, Timeouts};
use super::served::{Keeping, begin};
use crate::model::Mailboxes;
use crate::pairs::Socket;

/// How long is waited in the phase at hand.
const WAIT: Duration = Duration::from_millis(120);
/// What would be another deadline, or none.
const LONG: Duration = Duration::from_secs(8);

const GREET: Act = Say("220 mx\r\n");
const OFFER: Act = Say("250-mx\r\n250 PIPELINING\r\n");

/// The time-outs with a short one for this phase alone.
fn short(phase: Phase) -> Timeouts {
    let mut timeouts = Timeouts::default();
    let one = match phase {
        Phase::Greeting => &mut timeouts.greeting,
        Phase::Lhlo => &mut timeouts.lhlo,
        Phase::Mail => &mut timeouts.mail,
        Phase::Rcpt => &mut timeouts.rcpt,
        Phase::Data => &mut timeouts.data,
        Phase::Body => &mut timeouts.body,
        Phase::Final => &mut timeouts.final_reply,
        Phase::Quit => &mut timeouts.quit,
        other => panic!("{other}"),
    };
    *one = WAIT;
    timeouts
}

/// What a client comes to with a server that does this and then nothing.
fn silent_in(phase: Phase, acts: Vec<Act>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let server = ScriptedServer::on_unix(&path, acts);
    let envelope = Envelope::new("ann@x".parse().unwrap(), ["bob@x".parse().unwrap()]).unwrap();
    // More than a socket holds.
    let message = if phase == Phase::Body { "x\r\n".repeat(1 << 20) } else { "Hi\r\n".to_owned() };
    let endpoint = format!("unix:{}", path.display());
    let started = Instant::now();
    let said = run!({
        match wait!(Client::builder(endpoint.as_str()).unwrap().timeouts(short(phase)).connect()) {
            Err(fault) => results(&Report::unsent(envelope, fault)),
            Ok(mut client) => {
                let mut said = results(&wait!(client.deliver(&envelope, message)).unwrap());
                if let Err(fault) = wait!(client.quit()) {
                    said.push(format!("quit {} {}", fault.kind().name(), fault.phase()));
                }
                said
            }
        }
    });
    let took = started.elapsed();
    assert!(took >= WAIT && took < LONG, "{phase}: {took:?}");
    server.heard();
    said
}

#[test]
fn of_a_client_in_every_phase() {
    let open = || vec![GREET, Line, OFFER];
    let then = |acts: &[Act]| [&open(), acts].concat();
    let cases = [
        (Phase::Greeting, vec![Eof], "bob@x unsent greeting, error timeout greeting"),
        (Phase::Lhlo, vec![GREET, Eof], "bob@x unsent lhlo, error timeout lhlo"),
        (Phase::Mail, then(&[Eof]), "bob@x unsent mail, error timeout mail"),
        (Phase::Rcpt, then(&[Line, Say("250 1\r\n"), Eof]), "bob@x unsent rcpt, error timeout rcpt"),
        (Phase::Data, then(&[Line, Say("250 1\r\n250 2\r\n"), Eof]), "bob@x unsent data, error timeout data"),
        (
            Phase::Body,
            then(&[Line, Say("250 1\r\n250 2\r\n354 Go\r\n"), Sleep(Duration::from_secs(2))]),
            "bob@x unsent body, error timeout body",
        ),
        (
            Phase::Final,
            then(&[Line, Line, Line, Say("250 1\r\n250 2\r\n354 Go\r\n"), Data, Eof]),
            "bob@x uncertain final, error timeout final",
        ),
        (
            Phase::Quit,
            then(&[Line, Line, Line, Say("250 1\r\n250 2\r\n354 Go\r\n"), Data, Say("250 3\r\n"), Eof]),
            "bob@x delivered final 250, quit timeout quit",
        ),
    ];
    let running = cases.map(|(phase, acts, expected)| (thread::spawn(move || silent_in(phase, acts)), phase, expected));
    for (said, phase, expected) in running {
        assert_eq!(said.join().unwrap().join(", "), expected, "{phase}");
    }
}

/// A server whose every time-out is short; a connection to it.
fn impatient(timeouts: Timeouts, act: impl FnOnce(UnixStream)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let mut config = ServerConfig::default();
    config.timeouts = timeouts;
    let server = Server::new(Keeping(Mailboxes::default())).config(config);
    let running = begin(server, Socket::Unix(UnixListener::bind(&path).unwrap()));
    let stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_write_timeout(Some(LONG)).unwrap();
    act(stream);
    drop(running);
}

/// Whatever a client has begun, it is told 421 and the connection is closed.
#[test]
fn of_a_server_in_every_phase() {
    let content = "LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<ann@x>\r\nDATA\r\nhalf a li";
    for said in ["", "LHLO", "LHLO c\r\n", "LHLO c\r\nMAIL FROM:<>\r\n", content] {
        impatient(Timeouts::all(WAIT), |mut stream| {
            stream.write_all(said.as_bytes()).unwrap();
            let mut heard = String::new();
            stream.read_to_string(&mut heard).unwrap();
            assert!(heard.lines().last().unwrap().starts_with("421 4.4.2"), "{said:?}: {heard}");
        });
    }
}

/// A client that says much and reads nothing: it is the server's write that is not
/// waited for.
#[test]
fn of_a_server_that_cannot_write() {
    impatient(Timeouts::all(WAIT), |mut stream| {
        let noops = "LHLO c\r\n".repeat(512);
        let error = (0..).find_map(|_| stream.write_all(noops.as_bytes()).err()).unwrap();
        let closed = [std::io::ErrorKind::BrokenPipe, std::io::ErrorKind::ConnectionReset];
        assert!(closed.contains(&error.kind()), "{error}");
    });
}
