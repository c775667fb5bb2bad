//! The service, with a client that is not its own: what is answered is on disk.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use lmtp_blocking::{Body, Client, Envelope, Outcome, send};
use lmtp_serve::{Service, Settings};
use support::Serving;

const MESSAGE: &str = "Subject: hi\r\n\r\nHello!\r\n.dot\r\n";

struct Running(Serving);

impl Running {
    fn new(more: &str) -> Self {
        Self::with(more, "")
    }

    /// With more at the top, and more sections.
    fn with(more: &str, sections: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for user in ["bob", "full"] {
            for part in ["tmp", "new", "cur"] {
                fs::create_dir_all(folder.path().join(format!("mail/example.org/{user}/{part}"))).unwrap();
            }
        }
        let base = folder.path().display();
        let text = format!(
            "{more}\n[maildir]\nroot = \"{base}/mail\"\npostmaster = \"bob@example.org\"\nquota_messages = 3\n\
             when_full = \"permanent\"\n{sections}"
        );
        let serving = Serving::begin(folder, &text);
        assert!(serving.warnings.is_empty(), "{:?}", serving.warnings);
        Self(serving)
    }

    fn place(&self) -> String {
        self.0.place()
    }

    fn inbox(&self, user: &str) -> Vec<String> {
        let new = self.0.folder.path().join(format!("mail/example.org/{user}/new"));
        let files = fs::read_dir(new).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        files.collect()
    }

    fn end(self) {
        self.0.end();
    }
}

#[test]
fn each_recipient_has_an_answer_that_is_true() {
    let running = Running::new("");
    for _ in 0..3 {
        assert!(send(running.place().as_str(), "ann@x", ["full@example.org"], "a\r\n").unwrap().all_delivered());
    }
    let to = ["bob@example.org", "nobody@example.org", "full@example.org", "postmaster", "bob@example.org"];
    let report = send(running.place().as_str(), "ann@example.net", to, MESSAGE).unwrap();
    let outcomes: Vec<Outcome> = report.recipients().map(|recipient| recipient.outcome()).collect();
    let (delivered, permanent) = (Outcome::Delivered, Outcome::Permanent);
    assert_eq!(outcomes, [delivered, permanent, permanent, delivered, delivered], "{report:?}");
    let kept = running.inbox("bob");
    assert_eq!(kept.len(), 3);
    let first = report.recipients().next().unwrap().reply().unwrap().to_string();
    let name = first.split(['(', ')']).nth(1).expect("the message's name").to_owned();
    for text in &kept {
        assert!(text.starts_with("Return-Path: <ann@example.net>\n"), "{text}");
        assert!(text.contains(&format!("id {name}")) && text.contains("by mx.example.org with LMTP"), "{text}");
        assert!(text.ends_with("Subject: hi\n\nHello!\n.dot\n"), "{text}");
    }
    running.end();
}

#[test]
fn a_large_message_arrives_octet_for_octet() {
    let running = Running::new("");
    let message = "0123456789abcdef0123456789abcdef\r\n".repeat(100_000);
    let report = send(running.place().as_str(), "ann@x", ["bob@example.org"], message.as_str()).unwrap();
    assert!(report.all_delivered(), "{report:?}");
    let kept = running.inbox("bob").remove(0);
    assert!(kept.ends_with(&message.replace("\r\n", "\n")));
    running.end();
}

/// A client that is there when the server ends is served to the end of its message.
#[test]
fn it_drains() {
    let running = Running::new("");
    let mut client = Client::connect(running.place().as_str()).unwrap();
    let envelope = Envelope::new("ann@x".parse().unwrap(), ["bob@example.org".parse().unwrap()]).unwrap();
    assert!(client.deliver(&envelope, MESSAGE).unwrap().all_delivered());
    running.0.shutdown.shut_down();
    let report = client.deliver(&envelope, MESSAGE).unwrap();
    let outcome = report.recipients().next().unwrap().outcome();
    assert_eq!(running.inbox("bob").len(), if outcome == Outcome::Delivered { 2 } else { 1 });
    running.end();
}

/// A message that stops behind its first line until it may go on.
struct Slow {
    begun: bool,
    waits: mpsc::Receiver<()>,
}

impl Read for Slow {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        if self.begun {
            // Told, or nobody is left who could.
            let _ = self.waits.recv();
            return Ok(0);
        }
        self.begun = true;
        room[..6].copy_from_slice(b"A: b\r\n");
        Ok(6)
    }
}

/// Alive, ready, and counted; red while it drains.
#[test]
fn machines_may_ask() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let running = Running::new(&format!("http = \"127.0.0.1:{port}\""));
    let ask = |path: &str| {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask("/healthz").ends_with("alive\n") && ask("/readyz").starts_with("HTTP/1.1 200"));
    let to = ["bob@example.org", "nobody@example.org"];
    assert!(!send(running.place().as_str(), "ann@x", to, MESSAGE).unwrap().all_delivered());
    let metrics = ask("/metrics");
    for line in [
        "lmtp_messages_total 1",
        "lmtp_octets_total 29",
        "lmtp_recipients_total{outcome=\"delivered\"} 1",
        "lmtp_recipients_total{outcome=\"permanent\"} 1",
    ] {
        assert!(metrics.lines().any(|there| there == line), "{line} in {metrics}");
    }
    // Somebody is there amid a message, so that it goes on.
    let (go_on, waits) = mpsc::channel::<()>();
    let place = running.place();
    let sending = thread::spawn(move || {
        let body = Body::reader(Slow { begun: false, waits });
        let report = send(place.as_str(), "ann@x", ["bob@example.org", "nobody@example.org"], body).unwrap();
        report.recipients().next().unwrap().outcome()
    });
    let patience = Instant::now() + Duration::from_secs(20);
    while !ask("/metrics").contains("{outcome=\"permanent\"} 2\n") {
        assert!(Instant::now() < patience, "nobody connects");
    }
    // DATA came with RCPT.
    thread::sleep(Duration::from_millis(300));
    running.0.shutdown.shut_down();
    let (answer, alive) = (ask("/readyz"), ask("/healthz"));
    assert!(answer.starts_with("HTTP/1.1 503") && answer.ends_with("draining\n"), "{answer}");
    assert!(alive.starts_with("HTTP/1.1 200"));
    drop(go_on);
    assert_eq!(sending.join().unwrap(), Outcome::Delivered, "whoever was there is served");
    running.end();
}

/// Whatever its octets: a mailbox is beneath the root, or is none.
#[test]
fn no_address_leaves_the_root() {
    let running = Running::new("");
    let before = tree(running.0.folder.path());
    for to in [
        "\"../../x\"@example.org",
        "\"a/b\"@example.org",
        "x@[127.0.0.1]",
        "\"..\"@example.org",
        "\".bob\"@example.org",
    ] {
        let report = send(running.place().as_str(), "ann@x", [to], MESSAGE).unwrap();
        assert_eq!(report.recipients().next().unwrap().outcome(), Outcome::Permanent, "{to}");
    }
    assert_eq!(tree(running.0.folder.path()), before);
    running.end();
}

/// Those who keep it busy are answered or closed by the limits, and whoever behaves is served all the while.
#[test]
fn nobody_stands_in_the_way_of_others() {
    let limits = "[limits]\nconnections = 6\nerrors = 5\n[timeouts]\ncommand = 3\nbody = 3\nbetween_messages = 9\n";
    let running = Running::with("", limits);
    let connect = || {
        let stream = UnixStream::connect(running.0.folder.path().join("lmtp")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    };
    let hear_all = |mut stream: UnixStream| {
        let mut all = Vec::new();
        // A reset is an end like any other.
        let _ = stream.read_to_end(&mut all);
        String::from_utf8_lossy(&all).into_owned()
    };
    // One says nothing, one talks nonsense, one never reads, one trickles.
    let silent = connect();
    let mut noisy = connect();
    noisy.write_all(&b"nonsense\r\n".repeat(50)).unwrap();
    let mut deaf = connect();
    deaf.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    while deaf.write_all(&b"NOOP\r\n".repeat(1000)).is_ok() {}
    let mut trickling = connect();
    trickling.write_all(b"LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n").unwrap();
    let trickle = thread::spawn(move || {
        let begin = Instant::now();
        while trickling.write_all(b"x").is_ok() && begin.elapsed() < Duration::from_secs(40) {
            thread::sleep(Duration::from_millis(50));
        }
        (begin.elapsed(), hear_all(trickling))
    });
    // Whoever behaves.
    for _ in 0..3 {
        assert!(send(running.place().as_str(), "ann@x", ["bob@example.org"], MESSAGE).unwrap().all_delivered());
    }
    let said = hear_all(noisy);
    assert!(said.contains("421 "), "{said}");
    let said = hear_all(silent);
    assert!(said.starts_with("220 ") && said.ends_with("421 4.4.2 Timed out, closing\r\n"), "{said}");
    let (elapsed, said) = trickle.join().unwrap();
    assert!(elapsed < Duration::from_secs(30) && said.contains("421 "), "{elapsed:?}: {said}");
    drop(deaf);
    // One connection too many is told so.
    let mut many: Vec<UnixStream> = (0..6).map(|_| connect()).collect();
    for stream in &mut many {
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting, b"220 ");
    }
    assert!(hear_all(connect()).starts_with("421 "));
    drop(many);
    let patience = Instant::now() + Duration::from_secs(20);
    while !send(running.place().as_str(), "ann@x", ["full@example.org"], MESSAGE).unwrap().all_delivered() {
        assert!(Instant::now() < patience, "it does not recover");
    }
    assert_eq!(running.inbox("bob").len(), 3, "nothing of a message without an end");
    running.end();
}

fn tree(root: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(place) = left.pop() {
        if place.is_dir() {
            left.extend(fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()));
        }
        found.push(place);
    }
    found.sort();
    found
}

#[test]
fn what_cannot_be_is_named() {
    for (text, said) in [
        ("", "listen: names no place"),
        ("listen = [\"unix:/tmp/x\"]", "maildir.root: names no directory"),
        ("listen = [\"http://x\"]\nsink = \"discard\"", "listen: "),
        (
            "listen = [\"lmtps://127.0.0.1:2400\"]\nsink = \"discard\"",
            "tls.certificate: is needed to listen at lmtps://",
        ),
        ("listen = [\"unix:/tmp/x\"]\n[maildir]\nroot = \"/\"\ntemplate = \"{who}\"", "maildir.template: "),
        ("listen = [\"unix:/tmp/x\"]\nsink = \"discard\"\n[access]\nnetworks = [\"10.0.0.0/99\"]", "access.networks: "),
        ("listen = [\"unix:/tmp/x\"]\nsink = \"discard\"\n[access]\nunix_mode = \"999\"", "access.unix_mode: "),
    ] {
        let problem = Service::new(&Settings::parse(text).unwrap()).unwrap_err().to_string();
        assert!(problem.contains(said), "{text}: {problem}");
    }
}

/// Who is trusted may say for whom it speaks, and it stands above the message; others are not even offered it.
#[test]
fn a_trusted_client_speaks_for_another() {
    use lmtp_blocking::proto::value::{AttributeValue, ClientAttribute, ClientAttributes};
    for (trusted, is_told) in [("unix", true), ("127.0.0.1", false)] {
        let running = Running::with("", &format!("[access]\ntrusted = [\"{trusted}\"]\n"));
        let address = AttributeValue::from("192.0.2.7".parse::<std::net::IpAddr>().unwrap());
        let helo = AttributeValue::text("far.example.net").unwrap();
        let mut config = lmtp_blocking::Config::default();
        let attributes = [(ClientAttribute::Addr, address), (ClientAttribute::Helo, helo)];
        config.xclient = Some(ClientAttributes::new(attributes).unwrap());
        let mut client = Client::builder(running.place().as_str()).unwrap().config(config).connect().unwrap();
        let envelope = Envelope::new("ann@x".parse().unwrap(), ["bob@example.org".parse().unwrap()]).unwrap();
        assert!(client.deliver(&envelope, MESSAGE).unwrap().all_delivered());
        drop(client);
        let kept = running.inbox("bob").remove(0);
        assert_eq!(kept.contains("[192.0.2.7]"), is_told, "{trusted}: {kept}");
        running.end();
    }
}
