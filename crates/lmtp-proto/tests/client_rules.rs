//! What a transcript cannot show of the client: cuts at the moments when it looks,
//! lines as long as may be, and the counts of whatever a server announces.

use std::collections::BTreeSet;

use lmtp_proto::client::{Chunking, Config};
use lmtp_proto::{Envelope, Error, FaultKind, Limit, Machine, Outcome, Phase};
use lmtp_testkit::auth::Scripted;
use lmtp_testkit::effort::cases;
use lmtp_testkit::memory::{Message, Session, Waiting};
use proptest::prelude::*;

const LHLO_OK: &[u8] = b"250-mx\r\n250 PIPELINING\r\n";

fn envelope(to: &[impl AsRef<str>]) -> Envelope {
    let to = to.iter().map(|address| address.as_ref().parse().unwrap());
    Envelope::new("ann@example.org".parse().unwrap(), to).unwrap()
}

/// A client that has just sent its message and been answered, and another that is
/// to end the content: where a server has nothing to say.
fn before_mail_and_before_the_end() -> [(Phase, Session); 2] {
    let session = || {
        let mut session = Session::new(Config::default(), envelope(&["bob@x"]), Message::new("Hi\r\n"));
        for said in [&b"220 mx\r\n"[..], LHLO_OK, b"250 ok\r\n250 ok\r\n354 go\r\n"] {
            session.run();
            session.hear(said);
        }
        session
    };
    let mut idle = session();
    idle.run();
    idle.hear(b"250 2.0.0 Saved\r\n");
    idle.run();
    [(Phase::Mail, idle), (Phase::Body, session())]
}

/// Goes on to where it looks: to the next message, or through the content.
fn go_on(phase: Phase, session: &mut Session) {
    if phase == Phase::Mail {
        session.deliver(envelope(&["bob@x"]));
    }
}

/// A reply that nobody asked for is what it is, wherever it is cut and whichever
/// part of it is there when the client looks; nothing is sent behind its first
/// octet.
#[test]
fn a_stray_reply_is_the_same_under_every_cut() {
    lmtp_testkit::proves!("R5321-4.3.2-c");
    for said in ["421 4.3.2 Going\r\n", "421-4.3.2 Going\r\n421 4.3.2 now\r\n", "250 2.0.0 Saved\r\n", "rubbish\r\n"] {
        for which in 0..2 {
            let mut errors = BTreeSet::new();
            for cut in 0..=said.len() {
                let (phase, mut session) = before_mail_and_before_the_end().into_iter().nth(which).unwrap();
                let before = session.sent.len();
                let (left, right) = said.as_bytes().split_at(cut);
                session.hear(left);
                go_on(phase, &mut session);
                if cut == 0 {
                    session.hear(right);
                    session.run();
                } else {
                    session.run();
                    session.hear(right);
                    session.run();
                }
                let sent = session.sent[before..].escape_ascii().to_string();
                assert!(!sent.contains("MAIL") && !sent.ends_with("\\r\\n.\\r\\n"), "{said:?} cut at {cut}: {sent}");
                let outcome = session.report.as_ref().unwrap().recipients().next().unwrap().outcome();
                assert_eq!(outcome, Outcome::Unsent, "{said:?} cut at {cut}");
                let error = session.error.expect("an error");
                assert_eq!(matches!(error, Error::Closing { .. }), said.starts_with("421"), "{error:?}");
                errors.insert(format!("{error:?}"));
            }
            assert_eq!(errors.len(), 1, "{said:?}: {errors:?}");
        }
    }
}

/// Its end is not awaited for long, and the end of the stream says that it does
/// not come.
#[test]
fn half_a_stray_reply_has_its_time() {
    for which in 0..2 {
        for closes in [false, true] {
            let (phase, mut session) = before_mail_and_before_the_end().into_iter().nth(which).unwrap();
            session.hear(b"421 4.3");
            go_on(phase, &mut session);
            assert_eq!(session.run(), Waiting::ToReceive);
            assert!(session.client.poll_timeout().unwrap().since_origin().as_secs() <= 5);
            if closes {
                session.eof();
            } else {
                assert!(session.time_out());
            }
            session.run();
            let error = if closes { Error::Closed { phase } } else { Error::StrayOctets { phase } };
            assert_eq!(session.error, Some(error));
        }
    }
}

/// A client that logs in, behind the reply to LHLO, on a line that is encrypted
/// or not.
fn logging_in(secured: bool, in_clear: bool, offered: &str, mechanisms: &[(&str, &[u8])]) -> Session {
    let mut config = Config::default();
    (config.secured, config.auth_in_clear) = (secured, in_clear);
    let mut session = Session::new(config, envelope(&["bob@x"]), Message::new("Hi\r\n"));
    let scripted = mechanisms.iter().map(|&(name, says)| {
        let mechanism =
            Scripted::new(name, says.is_empty(), [says.to_vec()].into_iter().filter(|says| !says.is_empty()));
        Box::new(mechanism) as _
    });
    session.client.authenticate(scripted.collect()).unwrap();
    for said in ["220 mx\r\n", &format!("250-mx\r\n250 AUTH {offered}\r\n")] {
        session.run();
        session.hear(said.as_bytes());
    }
    session.run();
    session
}

/// A challenge of 12288 octets is read and a response of as many is said; a reply
/// outside of an exchange may not be as long.
#[test]
fn long_lines_of_an_exchange_are_read_and_said() {
    lmtp_testkit::proves!("R4954-4-k");
    let line = [b"334 ", &vec![b'A'; 12_288][..], b"\r\n"].concat();
    for by_octet in [false, true] {
        let mut session = logging_in(true, false, "EXTERNAL", &[("EXTERNAL", &[b'x'; 9216])]);
        assert!(session.sent.ends_with(b"\r\nAUTH EXTERNAL\r\n"), "{}", session.sent.escape_ascii());
        session.hear(b"334 \r\n");
        session.run();
        let response = session.sent.rsplit(|&octet| octet == b'\n').nth(1).unwrap();
        assert_eq!(response.len(), 12_288 + 1);
        for piece in line.chunks(if by_octet { 1 } else { line.len() }) {
            session.hear(piece);
            session.run();
        }
        // What it says is no matter: it has been read.
        assert!(session.error.is_none(), "{:?}", session.error);
        assert!(session.sent.ends_with(b"\n*\r\n") || session.sent.ends_with(b"\n\r\n"));
    }
    let mut session = logging_in(true, false, "EXTERNAL", &[("EXTERNAL", b"x")]);
    session.hear(b"235 2.7.0 Welcome\r\n");
    session.run();
    session.hear(&line);
    session.run();
    assert_eq!(session.error, Some(Error::Limit { phase: Phase::Mail, limit: Limit::ReplyLine }));
}

/// On a clear line OAUTHBEARER is not used, though PLAIN may be.
#[test]
fn oauthbearer_needs_tls() {
    lmtp_testkit::proves!("R7628-3-a");
    let both: [(&str, &[u8]); 2] = [("OAUTHBEARER", b"token"), ("PLAIN", b"\0ann\0secret")];
    for (secured, in_clear, offered, said) in [
        (true, false, "PLAIN OAUTHBEARER", Some("AUTH OAUTHBEARER ")),
        (false, true, "PLAIN OAUTHBEARER", Some("AUTH PLAIN ")),
        (false, true, "oauthbearer", None),
        (false, false, "PLAIN OAUTHBEARER", None),
    ] {
        let session = logging_in(secured, in_clear, offered, &both);
        let sent = String::from_utf8(session.sent.clone()).unwrap();
        assert!(!sent.contains("dG9rZW4=") || secured, "the token is in the clear");
        match said {
            Some(said) => assert!(sent.lines().last().unwrap().starts_with(said), "{sent}"),
            None => assert_eq!((session.error, &*sent), (Some(Error::NoMechanism), "LHLO localhost\r\n")),
        }
    }
}

/// A server that does what it is told, says 550 to recipients at `no`, and keeps
/// the lines that it was told.
#[derive(Default)]
struct Honest {
    read: usize,
    rest: Vec<u8>,
    lines: Vec<String>,
    accepted: usize,
    /// Octets of a chunk that are still to come, and whether it is the last.
    chunk: Option<(usize, bool)>,
    content: bool,
}

impl Honest {
    fn converse(&mut self, session: &mut Session, offers: &str) {
        session.run();
        session.hear(b"220 mx\r\n");
        while session.run() == Waiting::ToReceive {
            self.rest.extend_from_slice(&session.sent[self.read..]);
            self.read = session.sent.len();
            let replies = self.hear(offers);
            if replies.is_empty() {
                return;
            }
            session.hear(replies.as_bytes());
        }
    }

    fn finals(&mut self) -> String {
        "250 2.0.0 Saved\r\n".repeat(std::mem::take(&mut self.accepted))
    }

    fn hear(&mut self, offers: &str) -> String {
        let mut replies = String::new();
        loop {
            if let Some((size, last)) = self.chunk {
                if self.rest.len() < size {
                    return replies;
                }
                self.rest.drain(..size);
                self.chunk = None;
                replies += &if last { self.finals() } else { "250 2.0.0 Chunk\r\n".into() };
            }
            let Some(end) = self.rest.windows(2).position(|pair| pair == b"\r\n") else { return replies };
            let line = String::from_utf8(self.rest.drain(..end + 2).take(end).collect()).unwrap();
            match line.split([' ', ':']).next().unwrap() {
                "." if self.content => {
                    self.content = false;
                    replies += &self.finals();
                    continue;
                }
                _ if self.content => continue,
                "LHLO" => replies.extend(["250-mx\r\n", offers]),
                "RCPT" if line.contains("<no") => replies += "550 5.1.1 Who\r\n",
                "RCPT" => {
                    self.accepted += 1;
                    replies += "250 2.1.5 Ok\r\n";
                }
                "DATA" if self.accepted == 0 => replies += "503 5.5.1 Nobody\r\n",
                "DATA" => {
                    self.content = true;
                    replies += "354 Go\r\n";
                }
                "BDAT" => {
                    let size = line.split(' ').nth(1).unwrap().parse().unwrap();
                    self.chunk = Some((size, line.ends_with("LAST")));
                }
                "MAIL" | "RSET" => {
                    self.accepted = 0;
                    replies += "250 2.0.0 Ok\r\n";
                }
                _ => panic!("{line:?}"),
            }
            self.lines.push(line);
        }
    }
}

proptest! {
    #![proptest_config(cases(256))]

    /// A server is never asked for more than it has announced. Who is not asked
    /// for is unsent for that reason; everybody else has an answer.
    #[test]
    fn no_limit_is_exceeded(
        most in prop::option::of(1_usize..4),
        domains in prop::option::of(1_usize..3),
        mails in prop::option::of(1_usize..4),
        pipelining: bool,
        messages in prop::collection::vec(prop::collection::vec(0_usize..4, 1..7), 1..4),
    ) {
        lmtp_testkit::proves!("R9422-3.7-b", "R9422-4.1-a");
        let value = |name, value: Option<usize>| value.map(|value| format!(" {name}={value}")).unwrap_or_default();
        let offers = format!(
            "{}250 LIMITS FOO=bar RCPTDOMAINMAX=0{}{}{}\r\n",
            if pipelining { "250-PIPELINING\r\n" } else { "" },
            value("RCPTMAX", most), value("RCPTDOMAINMAX", domains), value("MAILMAX", mails)
        );
        let (mut server, mut asked, mut told) = (Honest::default(), Vec::new(), Vec::new());
        let mut session = Session::idle(Config::default(), Message::new("Hi\r\n"));
        for (number, message) in messages.iter().enumerate() {
            let to: Vec<String> = message.iter().enumerate().map(|(place, domain)| format!("u{place}@{number}d{domain}.example"))
                .collect();
            session.pending.push_back((envelope(&to), Message::new("Hi\r\n")));
            told.push(to);
        }
        server.converse(&mut session, &offers);
        for line in &server.lines {
            if line.starts_with("MAIL") {
                asked.push(Vec::new());
            } else if let Some(to) = line.strip_prefix("RCPT TO:<") {
                asked.last_mut().unwrap().push(to.trim_end_matches('>').to_string());
            }
        }
        prop_assert!(asked.len() <= mails.unwrap_or(usize::MAX));
        prop_assert!(asked.iter().all(|asked| asked.len() <= most.unwrap_or(usize::MAX)), "{asked:?}");
        let seen: BTreeSet<_> = asked.iter().flatten().map(|to| to.split_once('@').unwrap().1).collect();
        prop_assert!(seen.len() <= domains.unwrap_or(usize::MAX), "{seen:?}");
        prop_assert_eq!(session.error.clone(), None);
        // What was not given for want of a session is not in any report.
        for report in &session.reports {
            for recipient in report.recipients() {
                let path = recipient.path().to_string();
                let was_asked = asked.iter().flatten().any(|to| *to == path);
                let outcome = if was_asked { Outcome::Delivered } else { Outcome::Unsent };
                prop_assert_eq!(recipient.outcome(), outcome, "{}", path);
                prop_assert!(was_asked || report.error().map(lmtp_proto::Fault::kind) == Some(FaultKind::Limit));
            }
        }
        let room = mails.is_none_or(|mails| messages.len() <= mails);
        prop_assert!(session.reports.len() == messages.len() || !room);
        // No more is withheld than must be.
        if domains.is_none() {
            for (asked, told) in asked.iter().zip(&told) {
                prop_assert_eq!(asked.len(), told.len().min(most.unwrap_or(usize::MAX)));
            }
        }
    }

    /// A client that sends chunks waits for one reply to each but the last, and
    /// then for one for each accepted recipient: no more, no less.
    #[test]
    fn chunks_and_recipients_are_counted(
        accepted in prop::collection::vec(any::<bool>(), 1..6),
        chunk in 1_usize..8,
        outstanding in 1_usize..4,
        pipelining: bool,
    ) {
        lmtp_testkit::proves!("R2033-4.3-f");
        let mut config = Config::default();
        config.chunking = Chunking::Always;
        config.limits.outstanding_chunks = outstanding;
        let offers = if pipelining { "250-PIPELINING\r\n250 CHUNKING\r\n" } else { "250 CHUNKING\r\n" };
        let to: Vec<_> = accepted.iter().enumerate().map(|(place, yes)| format!("{}{place}@x", if *yes { "u" } else { "no" })).collect();
        let mut session = Session::idle(config, Message::new(""));
        for _ in 0..2 {
            let message = Message { chunk, ..Message::new("one\r\ntwo\r\nthree\r\n") };
            session.pending.push_back((envelope(&to), message));
        }
        let mut server = Honest::default();
        server.converse(&mut session, offers);
        prop_assert_eq!(session.error.clone(), None);
        prop_assert_eq!(session.reports.len(), 2);
        prop_assert!(session.client.is_ready(), "a reply is awaited that is not due: {:?}", session.client);
        for report in &session.reports {
            for (recipient, yes) in report.recipients().zip(&accepted) {
                prop_assert_eq!(recipient.outcome(), if *yes { Outcome::Delivered } else { Outcome::Permanent });
                prop_assert_eq!(recipient.reply().unwrap().code().get(), if *yes { 250 } else { 550 });
            }
        }
    }
}
