//! The adapter, with servers that are told what to offer, whom to take and how long to wait.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lmtp_delivery::{Delivery, Message, Options, Report};
use lmtp_tokio::{Envelope, Outcome};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

const MESSAGE: &str = "Subject: hi\r\n\r\nHello!\r\n";

/// What a server does.
#[derive(Debug, Clone, Copy)]
struct Manner {
    /// The lines of its answer to LHLO.
    offers: &'static [&'static str],
    /// So many recipients are taken in a transaction, and the others told 452 4.5.3.
    takes: usize,
    /// What passes before the answers behind a content.
    final_after: Duration,
}

impl Default for Manner {
    fn default() -> Self {
        Self { offers: &["ENHANCEDSTATUSCODES"], takes: usize::MAX, final_after: Duration::ZERO }
    }
}

/// What it has heard.
#[derive(Debug, Default)]
struct Heard {
    /// Commands as they came, one read after the other.
    reads: Vec<String>,
    /// Whom it was asked to take, by transaction.
    asked: Vec<Vec<String>>,
    /// Whom it took, and what for, by message.
    kept: Vec<(Vec<String>, String)>,
}

struct Peer {
    folder: TempDir,
    heard: Arc<Mutex<Heard>>,
}

impl Peer {
    fn begin(manner: Manner) -> Self {
        let (folder, heard) = (tempfile::tempdir().unwrap(), Arc::<Mutex<Heard>>::default());
        let listener = UnixListener::bind(folder.path().join("lmtp")).unwrap();
        let also = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, manner, Arc::clone(&also)));
            }
        });
        Self { folder, heard }
    }

    fn delivery(&self, more: &str) -> Delivery {
        let text = format!("socket_path = \"{}/lmtp\"\n{more}", self.folder.path().display());
        Delivery::new(&Options::parse(&text).unwrap()).unwrap()
    }

    fn heard(&self) -> Heard {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

async fn serve(mut stream: UnixStream, manner: Manner, heard: Arc<Mutex<Heard>>) {
    let (mut input, mut to, mut answers) = (String::new(), Vec::new(), "220 mx\r\n".to_owned());
    loop {
        while let Some(line) = cut(&mut input, "\r\n") {
            let address = || line.split(['<', '>']).nth(1).unwrap().to_owned();
            let mut heard = heard.lock().unwrap();
            let answer = match line.split([' ', ':']).next().unwrap() {
                "LHLO" => {
                    answers += "250-";
                    answers += &[&["mx"], manner.offers].concat().join("\r\n250-");
                    "\r\n250 HELP\r\n"
                }
                "MAIL" => {
                    to.clear();
                    heard.asked.push(Vec::new());
                    "250 2.1.0 ok\r\n"
                }
                "RCPT" => {
                    heard.asked.last_mut().unwrap().push(address());
                    if to.len() < manner.takes {
                        to.push(address());
                        "250 2.1.5 ok\r\n"
                    } else {
                        "452 4.5.3 Too many recipients\r\n"
                    }
                }
                "DATA" if to.is_empty() => "503 5.5.1 Nobody to send to\r\n",
                // Nobody sends more behind it before the answer.
                "DATA" => "354 go\r\n",
                "QUIT" => "221 2.0.0 bye\r\n",
                _ => "250 2.0.0 ok\r\n",
            };
            answers += answer;
        }
        let in_content = answers.ends_with("354 go\r\n");
        // One that has left does not hear it.
        let _ = stream.write_all(std::mem::take(&mut answers).as_bytes()).await;
        let content = loop {
            if let Some(content) = in_content.then(|| cut(&mut input, "\r\n.\r\n")).flatten() {
                break Some(content);
            }
            let mut room = vec![0; 64 * 1024];
            let count = stream.read(&mut room).await.unwrap_or(0);
            if count == 0 {
                return;
            }
            let text = std::str::from_utf8(&room[..count]).unwrap();
            input += text;
            if !in_content {
                heard.lock().unwrap().reads.push(text.to_owned());
                break None;
            }
        };
        if let Some(content) = content {
            answers = to.iter().map(|to| format!("250 2.0.0 {to} has it\r\n")).collect::<Vec<_>>().concat();
            heard.lock().unwrap().kept.push((std::mem::take(&mut to), content + "\r\n"));
            tokio::time::sleep(manner.final_after).await;
        }
    }
}

/// What is before the end of a line or of a content, if that is there.
fn cut(input: &mut String, end: &str) -> Option<String> {
    let (before, rest) = input.split_once(end)?;
    let (before, rest) = (before.to_owned(), rest.to_owned());
    *input = rest;
    Some(before)
}

fn envelope(to: &[&str]) -> Envelope {
    Envelope::new("ann@x".parse().unwrap(), to.iter().map(|to| to.parse().unwrap())).unwrap()
}

fn outcomes(report: &Report) -> Vec<Outcome> {
    report.recipients().map(|recipient| recipient.outcome()).collect()
}

fn replies(report: &Report) -> Vec<String> {
    report.recipients().map(|recipient| recipient.reply().map(ToString::to_string).unwrap_or_default()).collect()
}

const FIVE: [&str; 5] = ["a@x", "b@x", "c@x", "d@x", "e@x"];

/// A server that does not announce how many it takes (RFC 5321 section 4.5.3.1.10).
#[tokio::test]
async fn one_too_many_is_for_the_next_transaction() {
    for offers in [&["ENHANCEDSTATUSCODES"][..], &["PIPELINING", "ENHANCEDSTATUSCODES"]] {
        let peer = Peer::begin(Manner { offers, takes: 2, ..Manner::default() });
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, MESSAGE.as_bytes()).unwrap();
        for message in [Message::from(MESSAGE), Message::file(file)] {
            let report = peer.delivery("").deliver(&envelope(&FIVE), message).await;
            assert_eq!(replies(&report), FIVE.map(|to| format!("250 2.0.0 {to} has it")));
            let heard = peer.heard();
            // After the first as many are asked for as it took then.
            assert_eq!(heard.asked, [&FIVE[..], &FIVE[2..4], &FIVE[4..]]);
            let kept: Vec<_> =
                FIVE.chunks(2).map(|to| (to.iter().map(ToString::to_string).collect(), MESSAGE)).collect();
            let heard: Vec<(Vec<String>, &str)> =
                heard.kept.iter().map(|(to, content)| (to.clone(), content.as_str())).collect();
            assert_eq!(heard, kept);
        }
    }
}

#[tokio::test]
async fn a_server_that_takes_nobody_is_asked_once() {
    for offers in [&["ENHANCEDSTATUSCODES"][..], &["PIPELINING", "ENHANCEDSTATUSCODES"]] {
        let peer = Peer::begin(Manner { offers, takes: 0, ..Manner::default() });
        let (delivery, to) = (peer.delivery(""), envelope(&FIVE));
        let report = timeout(Duration::from_secs(20), delivery.deliver(&to, MESSAGE)).await.expect("an end");
        assert_eq!(outcomes(&report), [Outcome::Temporary; 5]);
        assert_eq!(replies(&report), ["452 4.5.3 Too many recipients"; 5]);
        let heard = peer.heard();
        assert_eq!((heard.asked.len(), heard.kept.len()), (1, 0));
    }
}

/// A pipe has no second reading, and no transaction has the end of a message for all of it.
#[tokio::test]
async fn what_cannot_be_read_again_is_sent_to_nobody() {
    let peer = Peer::begin(Manner { takes: 2, ..Manner::default() });
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, MESSAGE.as_bytes()).unwrap();
    drop(writer);
    let message = Message::file(File::from(OwnedFd::from(reader)));
    let report = peer.delivery("").deliver(&envelope(&FIVE), message).await;
    assert_eq!(outcomes(&report), [Outcome::Unsent; 5], "{report:?}");
    for recipient in report.recipients() {
        assert!(recipient.error().unwrap().contains("seek"), "{recipient}");
    }
    let heard = peer.heard();
    assert_eq!((heard.asked.len(), heard.kept.len()), (0, 0));
}

/// The seed's adapter gave up after three seconds. Ten minutes are what RFC 5321 section 4.5.3.2.6 asks for. The clock
/// is one that passes over what nobody does.
#[tokio::test(start_paused = true)]
async fn a_final_reply_that_takes_its_time_is_a_delivery() {
    for (seconds, option, outcome) in [
        (4, "", Outcome::Delivered),
        (599, "", Outcome::Delivered),
        (601, "", Outcome::Uncertain),
        (4, "final_timeout = 3\n", Outcome::Uncertain),
        // The time for other replies is no bound on it.
        (4, "timeout = 3\n", Outcome::Delivered),
    ] {
        let peer = Peer::begin(Manner { final_after: Duration::from_secs(seconds), ..Manner::default() });
        let report = peer.delivery(option).deliver(&envelope(&["bob@x", "eve@x"]), MESSAGE).await;
        assert_eq!(outcomes(&report), [outcome; 2], "{seconds} s, {option:?}");
        assert_eq!(peer.heard().kept.len(), 1);
    }
}

/// PIPELINING (RFC 2920): nobody waits between the commands. 8BITMIME (RFC 6152) and SIZE (RFC 1870) stand in MAIL.
#[tokio::test]
async fn what_a_server_offers_is_used_and_nothing_else() {
    const GERMAN: &str = "Subject: hi\r\n\r\nGr\u{fc}\u{df}e\r\n";
    const TO: &str = "RCPT TO:<bob@x>\r\nRCPT TO:<eve@x>\r\nDATA\r\n";
    let sized = format!("MAIL FROM:<ann@x> SIZE={}", GERMAN.len());
    for (offers, content, mail, is_one_write) in [
        (&["PIPELINING", "8BITMIME", "SIZE 1000"][..], GERMAN, format!("{sized} BODY=8BITMIME\r\n"), true),
        (&["8BITMIME", "SIZE"], GERMAN, format!("{sized} BODY=8BITMIME\r\n"), false),
        (&["8BITMIME"], GERMAN, "MAIL FROM:<ann@x> BODY=8BITMIME\r\n".into(), false),
        (&["PIPELINING"], MESSAGE, "MAIL FROM:<ann@x>\r\n".into(), true),
        (&[], MESSAGE, "MAIL FROM:<ann@x>\r\n".into(), false),
    ] {
        let peer = Peer::begin(Manner { offers, ..Manner::default() });
        let report = peer.delivery("").deliver(&envelope(&["bob@x", "eve@x"]), content).await;
        assert!(report.all_delivered(), "{report:?}");
        let all = mail + TO;
        let writes = if is_one_write { vec![&*all] } else { all.split_inclusive('\n').collect() };
        // Before them is LHLO.
        assert_eq!(peer.heard().reads[1..], writes, "{offers:?}");
    }
    // What it cannot be sent it is not sent.
    let peer = Peer::begin(Manner::default());
    let report = peer.delivery("").deliver(&envelope(&["bob@x"]), GERMAN).await;
    assert_eq!(replies(&report), ["554 5.6.3 the message is 8-bit and the server does not offer 8BITMIME"]);
    assert!(peer.heard().asked.is_empty());
}
