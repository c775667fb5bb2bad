//! Where mail goes beside Maildirs: what is answered for a recipient is what became of it there.

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;
use std::time::{Duration, Instant};

use lmtp_blocking::{Outcome, send};
use support::Serving;

const MESSAGE: &str = "Subject: hi\r\n\r\nHello!\r\n.dot\r\n";

/// What each recipient heard.
fn answers(place: &str, to: &[&str], message: &str) -> Vec<(Outcome, String)> {
    let report = send(place, "ann@example.net", to.iter().copied(), message).unwrap();
    let answer = |recipient: lmtp_blocking::RecipientReport<'_>| {
        let reply = recipient.reply().map(ToString::to_string).unwrap_or_default();
        (recipient.outcome(), reply.split(" (").next().unwrap_or_default().to_owned())
    };
    report.recipients().map(answer).collect()
}

fn said(answers: &[(Outcome, String)]) -> Vec<&str> {
    answers.iter().map(|(_, reply)| reply.as_str()).collect()
}

#[test]
fn memory_keeps_what_came() {
    let serving = Serving::begin(tempfile::tempdir().unwrap(), "sink = \"memory\"\n");
    assert!(serving.warnings[0].contains("in memory only"), "{:?}", serving.warnings);
    assert!(send(serving.place().as_str(), "ann@x", ["bob@y", "eve@z"], MESSAGE).unwrap().all_delivered());
    let messages = serving.memory.messages();
    assert_eq!((messages.len(), messages[0].from.as_str()), (1, "ann@x"));
    assert_eq!(
        (&messages[0].to, &messages[0].content[..]),
        (&vec!["bob@y".into(), "eve@z".into()], MESSAGE.as_bytes())
    );
    serving.memory.clear();
    assert!(serving.memory.messages().is_empty());
    serving.end();
}

/// A command that answers by who the recipient is, and keeps what it got.
const COMMAND: &str = "#!/bin/sh\n\
    cat > \"$1/$2\"\n\
    echo \"$3 $4 $5 $SENDER $RECIPIENT\" > \"$1/$2.args\"\n\
    case $2 in\n\
    gone) echo '5.2.1 Mailbox is closed'; exit 67;;\n\
    later) echo 'disk is slow' >&2; exit 75;;\n\
    broken) exit 3;;\n\
    killed) kill -9 $$;;\n\
    stuck) sleep 1000;;\n\
    daemon) echo 'kept'; sleep 1000 & exit 0;;\n\
    esac\n";

fn command(folder: &tempfile::TempDir) -> String {
    let script = folder.path().join("deliver");
    fs::write(&script, COMMAND).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let base = folder.path().display();
    format!(
        "sink = \"exec\"\n[exec]\ncommand = [\"{base}/deliver\", \"{base}\", \"{{user}}\", \"{{domain}}\", \"[{{detail}}]\", \
         \"{{sender}}\"]\ntimeout = 1\n"
    )
}

#[test]
fn a_command_answers_by_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let settings = command(&folder);
    let serving = Serving::begin(folder, &settings);
    let to = ["bob+lists@x", "gone@x", "later@x", "broken@x", "killed@x", "stuck@x", "-rf@x"];
    let begun = Instant::now();
    let heard = answers(&serving.place(), &to, MESSAGE);
    assert!(begun.elapsed() < Duration::from_secs(20), "the one that is stuck was not killed");
    assert_eq!(
        said(&heard),
        [
            "250 2.0.0 Delivered",
            "550 5.2.1 Mailbox is closed",
            "451 4.3.0 disk is slow",
            "451 4.3.0 Delivery failed, try again later",
            "451 4.3.0 Delivery failed, try again later",
            "451 4.3.0 Delivery takes too long",
            "553 5.1.3 Addresses that begin with - are not taken here",
        ]
    );
    let read = |name: &str| fs::read_to_string(serving.folder.path().join(name)).unwrap();
    let kept = read("bob");
    assert!(kept.starts_with("Return-Path: <ann@example.net>\nDelivered-To: bob+lists@x\nReceived: "), "{kept}");
    assert!(kept.ends_with("Subject: hi\n\nHello!\n.dot\n"), "{kept}");
    assert_eq!(read("bob.args"), "x [lists] ann@example.net ann@example.net bob+lists@x\n");
    serving.end();
}

/// What a command leaves behind holds its lines, and its answer is there all the same.
#[test]
fn a_command_may_leave_something_behind() {
    let folder = tempfile::tempdir().unwrap();
    let settings = command(&folder).replace("timeout = 1", "timeout = 60");
    let serving = Serving::begin(folder, &settings);
    let begun = Instant::now();
    assert_eq!(said(&answers(&serving.place(), &["daemon@x"], MESSAGE)), ["250 2.0.0 kept"]);
    assert!(begun.elapsed() < Duration::from_secs(20), "it was waited for");
    serving.end();
}

/// A message that does not fit into memory, and a command that reads nothing of it.
#[test]
fn a_command_gets_a_large_message_or_need_not_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let settings = command(&folder).replace("timeout = 1", "timeout = 60");
    let serving = Serving::begin(folder, &settings);
    let message = "0123456789abcdef\r\n".repeat(100_000);
    assert_eq!(answers(&serving.place(), &["bob@x"], &message)[0].0, Outcome::Delivered);
    let kept = fs::read_to_string(serving.folder.path().join("bob")).unwrap();
    assert!(kept.ends_with(&message.replace("\r\n", "\n")));
    serving.end();
    let serving = Serving::begin(tempfile::tempdir().unwrap(), "sink = \"exec\"\n[exec]\ncommand = [\"/bin/true\"]\n");
    assert_eq!(answers(&serving.place(), &["bob@x"], &message)[0].0, Outcome::Delivered);
    serving.end();
    let serving = Serving::begin(tempfile::tempdir().unwrap(), "sink = \"exec\"\n[exec]\ncommand = [\"/no/such\"]\n");
    assert_eq!(answers(&serving.place(), &["bob@x"], MESSAGE)[0].0, Outcome::Temporary);
    serving.end();
}

/// The next server's answer for a recipient is the answer.
#[test]
fn what_the_next_server_says_is_said() {
    let next = Serving::begin(
        tempfile::tempdir().unwrap(),
        "sink = \"memory\"\n[faults]\nfail = [\"rcpt=550:eve@x\", \"final=452:full@x\", \"mail=421:off@x\"]\n",
    );
    let settings = format!("sink = \"lmtp\"\n[forward]\nto = \"{}\"\ntimeout = 20\n", next.place());
    let serving = Serving::begin(tempfile::tempdir().unwrap(), &settings);
    let heard = answers(&serving.place(), &["bob@x", "eve@x", "full@x", "bob@x"], MESSAGE);
    let (stored, unknown) = ("250 2.0.0 Message stored", "550 5.1.1 Injected fault");
    assert_eq!(said(&heard), [stored, unknown, "452 4.2.2 Injected fault", stored]);
    let large = "0123456789abcdef\r\n".repeat(100_000);
    assert_eq!(answers(&serving.place(), &["bob@x"], &large)[0].0, Outcome::Delivered);
    let kept = next.memory.messages();
    assert_eq!(kept[0].to, ["bob@x", "bob@x"]);
    for (kept, sent) in kept.iter().zip([MESSAGE, &large]) {
        let text = String::from_utf8_lossy(&kept.content);
        let (header, below) = text.split_at(text.len() - sent.len());
        assert!(below == sent && header.starts_with("Received: from ") && header.ends_with("\r\n"), "{header}");
    }
    // 421 ends that session, and not ours.
    let report = send(serving.place().as_str(), "off@x", ["bob@x"], MESSAGE).unwrap();
    let reply = report.recipients().next().unwrap().reply().unwrap().to_string();
    assert!(reply.starts_with("451 4.4.2 The next server said: 421 "), "{reply}");
    next.end();
    let heard = answers(&serving.place(), &["bob@x"], MESSAGE);
    assert_eq!(said(&heard), ["451 4.4.1 The next server cannot be reached"]);
    serving.end();
}

/// It dies when it has the message: nobody knows, and the client is not told that it is there.
#[test]
fn a_next_server_that_falls_silent_has_not_delivered() {
    let next = Serving::begin(tempfile::tempdir().unwrap(), "sink = \"memory\"\n[faults]\ndrop_at = [\"final\"]\n");
    let settings = format!("sink = \"lmtp\"\n[forward]\nto = \"{}\"\ntimeout = 20\n", next.place());
    let serving = Serving::begin(tempfile::tempdir().unwrap(), &settings);
    let heard = answers(&serving.place(), &["bob@x"], MESSAGE);
    assert_eq!(said(&heard), ["451 4.4.2 The next server has not said what became of it"]);
    serving.end();
    next.end();
}

/// A web service that answers one request, and gives what it was sent.
fn web(answer: &str) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mail", listener.local_addr().unwrap());
    let answer = answer.to_owned();
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (mut asked, mut room) = (Vec::new(), [0; 4096]);
        while !asked.ends_with(b"--\r\n") {
            match stream.read(&mut room) {
                Ok(count @ 1..) => asked.extend_from_slice(&room[..count]),
                _ => break,
            }
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&asked).into_owned()
    });
    (url, asked)
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

#[test]
fn a_web_service_answers_for_each_recipient() {
    let verdicts = r#"{"recipients":[{"index":0,"code":250,"enhanced":"2.1.5","text":"Kept"},
                       {"index":1,"code":552,"enhanced":"5.2.2","text":"Full"}]}"#;
    let later = "451 4.3.0 Internal error, try again later";
    for (answer, expected) in [
        (http("200 OK", verdicts), ["250 2.1.5 Kept", "552 5.2.2 Full", later]),
        (http("204 No Content", ""), ["250 2.0.0 Message stored"; 3]),
        (http("200 OK", "It works!"), [later; 3]),
        (http("302 Found", verdicts), [later; 3]),
        ("nonsense\r\n\r\n".into(), [later; 3]),
        (String::new(), [later; 3]),
    ] {
        let (url, asked) = web(&answer);
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        fs::write(&token, "sesame\n").unwrap();
        let token = token.display().to_string();
        let settings = format!("sink = \"http\"\n[webhook]\nurl = \"{url}\"\ntoken_file = \"{token}\"\ntimeout = 20\n");
        let serving = Serving::begin(folder, &settings);
        let heard = answers(&serving.place(), &["bob@x", "full@x", "eve@x"], MESSAGE);
        assert_eq!(said(&heard), expected, "{answer}");
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("POST /mail HTTP/1.1\r\n"), "{asked}");
        assert!(asked.to_ascii_lowercase().contains("authorization: bearer sesame\r\n"), "{asked}");
        assert!(asked.contains("\"from\":\"ann@example.net\""), "{asked}");
        assert!(asked.contains("{\"index\":1,\"recipient\":\"full@x\"}"), "{asked}");
        assert!(asked.contains(&format!("message/rfc822\r\n\r\n{MESSAGE}\r\n--lmtp-")), "{asked}");
        serving.end();
    }
}
