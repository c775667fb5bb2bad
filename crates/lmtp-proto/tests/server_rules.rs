//! What a file of `C:` and `S:` lines cannot show of the server: time, secrets,
//! memory, and drivers that ask too often.

use std::time::Duration;

use lmtp_proto::auth::{AuthError, Mechanism, Step};
use lmtp_proto::bytes::{Buf, Bytes};
use lmtp_proto::server::{Ask, Config, Error, Event, Question, Server};
use lmtp_proto::{Instant, Machine, Output, Reply};

/// A server, its driver, and an application that answers yes to all but AUTH.
struct Driven {
    server: Server,
    now: Instant,
    sent: String,
    lines: Vec<String>,
    content: Vec<Bytes>,
    /// How many transactions are over.
    over: usize,
    /// The last question about AUTH, and in a manual run any question.
    open: Option<Question>,
    asks_me: bool,
}

impl Driven {
    fn new(set: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        set(&mut config);
        Self {
            server: Server::new(config),
            now: Instant::ORIGIN,
            sent: String::new(),
            lines: Vec::new(),
            content: Vec::new(),
            over: 0,
            open: None,
            asks_me: false,
        }
    }

    fn greeted(set: impl FnOnce(&mut Config)) -> Self {
        let mut driven = Self::new(set);
        _ = driven.run();
        _ = driven.hear(b"LHLO client.example\r\n");
        driven.sent.clear();
        driven
    }

    /// Runs up to a wait, the end or an error; never waits for a deadline.
    fn run(&mut self) -> Result<Output<()>, Error> {
        loop {
            match self.server.poll_output(self.now)? {
                Output::Transmit => {
                    let queue = self.server.transmit();
                    let count = queue.chunk().len();
                    assert!(count > 0, "asked to write nothing");
                    self.sent.push_str(&String::from_utf8_lossy(queue.chunk()));
                    queue.advance(count);
                }
                Output::Event(Event::Question(question)) => {
                    let is_auth = matches!(question.ask(), Ask::Auth(..) | Ask::AuthResponse(_));
                    if self.asks_me || is_auth {
                        self.open = Some(question);
                    } else {
                        self.server.accept(question).unwrap();
                    }
                }
                Output::Event(Event::Content(_, octets)) => self.content.push(octets),
                Output::Event(Event::Over(..)) => self.over += 1,
                Output::Event(Event::Line(line)) => self.lines.push(line.to_string()),
                Output::Event(_) => {}
                Output::Receive => return Ok(Output::Receive),
                Output::StartTls => return Ok(Output::StartTls),
                Output::Closed => return Ok(Output::Closed),
                Output::Wait => return Ok(Output::Wait),
            }
        }
    }

    fn hear(&mut self, octets: &[u8]) -> Result<Output<()>, Error> {
        self.server.input().extend_from_slice(octets);
        self.run()
    }

    fn said(&mut self) -> String {
        std::mem::take(&mut self.sent)
    }
}

fn seconds(count: u64) -> Instant {
    Instant::after_origin(Duration::from_secs(count))
}

fn with_auth(config: &mut Config) {
    config.offer.auth = vec!["PLAIN".parse().unwrap(), "LOGIN".parse().unwrap()];
    config.offer.auth_in_clear = true;
    config.transcript = true;
}

/// A line of an AUTH exchange that cannot be read ends the exchange: what comes
/// next is a command (R4954-4-k, RFC 4954 section 4).
#[test]
fn a_bad_line_ends_an_auth_exchange() {
    for (line, reply) in [
        ("A".repeat(300), "500 5.5.6 "),
        ("AAAA\0AAA".into(), "500 5.5.2 "),
        ("AA\rAA".into(), "500 5.5.2 "),
        (format!("BDAT {}", "A".repeat(300)), "500 5.5.6 "),
        ("*".into(), "501 5.7.0 "),
        ("A!BC".into(), "501 5.5.2 "),
    ] {
        for by_octet in [false, true] {
            let mut driven = Driven::greeted(|config| {
                with_auth(config);
                config.limits.auth_line = 200;
            });
            _ = driven.hear(b"AUTH LOGIN\r\n").unwrap();
            let question = driven.open.take().unwrap();
            driven.server.challenge(question, b"Username:").unwrap();
            _ = driven.run().unwrap();
            assert_eq!(driven.said(), "334 VXNlcm5hbWU6\r\n");
            let octets = format!("{line}\r\nNOOP\r\n").into_bytes();
            for piece in octets.chunks(if by_octet { 1 } else { octets.len() }) {
                _ = driven.hear(piece).unwrap();
            }
            let said = driven.said();
            assert!(said.starts_with(reply), "{said}");
            assert!(said.ends_with("\r\n250 2.0.0 Ok\r\n"), "{said}");
            assert_eq!(said.lines().count(), 2, "{said}");
            assert!(driven.open.is_none(), "a command was taken for a response");
        }
    }
}

/// A mechanism that fails in one way.
#[derive(Debug)]
struct Failing(AuthError);

impl Mechanism for Failing {
    fn name(&self) -> &'static str {
        "PLAIN"
    }

    fn reveals_secret(&self) -> bool {
        true
    }

    fn step(&mut self, _: Option<&[u8]>) -> Result<Step, AuthError> {
        Err(self.0)
    }

    fn is_complete(&self) -> bool {
        false
    }
}

/// R4954-4-l, RFC 4954 section 6: the codes that [`AuthError`] promises.
#[test]
fn a_failed_mechanism_has_its_own_code() {
    for (error, reply) in [
        (AuthError::Malformed, "501 5.5.2 "),
        (AuthError::TooManySteps, "501 5.5.2 "),
        (AuthError::Aborted, "501 5.7.0 "),
        (AuthError::Unavailable, "454 4.7.0 "),
        (AuthError::Refused, "535 5.7.8 "),
        (AuthError::Unacceptable, "535 5.7.8 "),
    ] {
        let mut driven = Driven::greeted(with_auth);
        _ = driven.hear(b"AUTH PLAIN AGFubgBh\r\n").unwrap();
        let question = driven.open.take().unwrap();
        driven.server.authenticate(question, &mut Failing(error)).unwrap();
        _ = driven.run().unwrap();
        assert!(driven.sent.starts_with(reply), "{error:?}: {}", driven.sent);
    }
}

/// Secrets are in no transcript, and in no `Debug`, whatever line they are on
/// and however far it has been read (invariant 40).
#[test]
fn no_secret_is_shown() {
    let secret = "c2VjcmV0"; // "secret"
    let lines = [
        format!("AUTH PLAIN {secret}\r\n"),
        format!("AUTH PLAIN {secret}!\r\n"),
        format!(" AUTH PLAIN {secret}\r\n"),
        format!("\tauth\tPLAIN\t{secret}\r\n"),
        // A client that does not see that its exchange is over.
        format!("AUTH FOO\r\n{secret}\r\n"),
        format!("AUTH FOO\r\nYW5u\r\n {secret} x\r\n"),
        format!("AUHT PLAIN {secret}\r\n"),
        format!("AUTH PLAIN {secret}"),
    ];
    for line in lines {
        for octet_by_octet in [false, true] {
            let mut driven = Driven::greeted(with_auth);
            let size = if octet_by_octet { 1 } else { line.len() };
            for piece in line.as_bytes().chunks(size) {
                driven.server.input().extend_from_slice(piece);
                let shown = format!("{:?} {:#?}", driven.server, driven.server);
                assert!(!shown.contains(secret), "{line:?}: {shown}");
                _ = driven.run().unwrap();
                let shown = format!("{:?} {:#?} {:?}", driven.server, driven.server, driven.open);
                assert!(!shown.contains(secret), "{line:?}: {shown}");
            }
            assert!(!driven.lines.concat().contains(secret), "{line:?}: {:?}", driven.lines);
            assert!(!driven.sent.contains(secret), "{line:?}: {:?}", driven.sent);
        }
    }
}

/// A letter is nobody's business either.
#[test]
fn no_content_is_shown() {
    let mut driven = Driven::greeted(|_| {});
    _ = driven.hear(b"MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nDATA\r\n").unwrap();
    driven.server.input().extend_from_slice(b"Dear Bob\r\n");
    assert!(!format!("{:?}", driven.server).contains("Dear"));
    let Ok(Output::Event(event)) = driven.server.poll_output(driven.now) else { panic!() };
    assert!(matches!(&event, Event::Content(_, octets) if octets == "Dear Bob\r\n"));
    assert_eq!(format!("{event:?}"), "Content(TransactionId(0), 10 octets)");
}

/// What is over stays over, as it was, whatever the driver does.
#[test]
fn the_end_is_final() {
    let mut driven = Driven::greeted(|_| {});
    assert_eq!(driven.hear(b"QUIT\r\n"), Ok(Output::Closed));
    assert_eq!(driven.server.poll_timeout(), None);
    driven.said();
    driven.now = seconds(100_000);
    driven.server.handle_timeout(driven.now);
    driven.server.give_up();
    driven.server.shut_down();
    driven.server.handle_eof();
    driven.server.handle_tls();
    assert_eq!(driven.hear(b"NOOP\r\n"), Ok(Output::Closed));
    driven.server.handle_write_closed();
    assert_eq!(driven.run(), Ok(Output::Closed));
    assert_eq!(driven.said(), "");

    let mut driven = Driven::greeted(|_| {});
    driven.now = driven.server.poll_timeout().unwrap();
    // Told twice of the same deadline, it says 421 once.
    driven.server.handle_timeout(driven.now);
    driven.server.handle_timeout(driven.now);
    assert_eq!(driven.run(), Err(Error::TimedOut));
    assert_eq!(driven.said(), "421 4.4.2 Timed out, closing\r\n");
    driven.now = seconds(100_000);
    driven.server.handle_timeout(driven.now);
    assert_eq!(driven.run(), Err(Error::TimedOut));
    assert_eq!(driven.said(), "");
    assert_eq!(driven.server.poll_timeout(), None);
}

/// The time of one question is not taken from the message: told twice that it is
/// over, the machine gives up once.
#[test]
fn one_deadline_passes_once() {
    let mut driven = Driven::greeted(|_| {});
    _ = driven.hear(b"MAIL FROM:<>\r\nRCPT TO:<a@x>\r\n").unwrap();
    driven.asks_me = true;
    _ = driven.hear(b"RCPT TO:<b@x>\r\n").unwrap();
    driven.said();
    driven.now = driven.server.poll_timeout().unwrap();
    driven.server.handle_timeout(driven.now);
    driven.server.handle_timeout(driven.now);
    driven.asks_me = false;
    _ = driven.hear(b"DATA\r\n").unwrap();
    assert_eq!(driven.said(), "451 4.3.0 Internal error, try again later\r\n354 End data with <CR><LF>.<CR><LF>\r\n");
    assert_eq!(driven.over, 0, "the message was refused");
    let late = driven.open.take().unwrap();
    assert!(driven.server.accept(late).is_err(), "a late answer is stale");
}

/// What comes in small pieces is kept in few buffers: a kept slice of one octet
/// must not hold on to 64 KiB of its own.
#[test]
fn trickled_content_shares_buffers() {
    let mut driven = Driven::greeted(|_| {});
    _ = driven.hear(b"MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nDATA\r\n").unwrap();
    for _ in 0..4000 {
        _ = driven.hear(b"x").unwrap();
    }
    let buffers = driven.content.windows(2).filter(|pair| pair[0].as_ptr_range().end != pair[1].as_ptr()).count() + 1;
    assert_eq!(driven.content.len(), 4000);
    assert!(buffers <= 4, "{buffers} buffers");
}

/// R6710-3-a: a policy has 1 to 20 characters; what could end the line is not
/// said, whoever configured it.
#[test]
fn no_option_can_add_a_line() {
    for policy in ["MIXER\r\n250 EVIL", "MIX ER", "", "a-policy-of-21-letters"] {
        let mut driven = Driven::new(|config| config.offer.priority = Some(policy.into()));
        _ = driven.run().unwrap();
        _ = driven.hear(b"LHLO client.example\r\n").unwrap();
        assert!(driven.sent.ends_with("\r\n250 MT-PRIORITY\r\n"), "{}", driven.sent);
    }
}

/// R5321-4.2-h, R5321-4.2-i, R5321-4.5.3.1.5-a: a greeting is 220, in ASCII, in
/// lines that are not too long.
#[test]
fn a_greeting_is_a_greeting() {
    let mut driven = Driven::new(|_| {});
    driven.asks_me = true;
    _ = driven.run().unwrap();
    let text = format!("mx.example gr\u{fc}\u{df}t \u{1b}[1m{}", "x".repeat(600));
    let question = driven.open.take().unwrap();
    driven.server.answer(question, Reply::new(250, None, &text).unwrap()).unwrap();
    _ = driven.run().unwrap();
    assert!(driven.sent.starts_with("220-mx.example gr??t ?[1mxxx"), "{}", driven.sent);
    assert!(driven.sent.split_inclusive('\n').all(|line| line.starts_with("220") && line.len() <= 512));
}

/// TLS does not begin when the 220 could not be said, and nothing is said in
/// clear while it does.
#[test]
fn nothing_is_said_in_clear_behind_starttls() {
    let starttls = || {
        let mut driven = Driven::greeted(|config| config.offer.starttls = true);
        driven.server.input().extend_from_slice(b"STARTTLS\r\n");
        driven
    };
    let mut driven = starttls();
    assert_eq!(driven.server.poll_output(driven.now), Ok(Output::Transmit));
    driven.server.handle_write_closed();
    assert_eq!(driven.run(), Err(Error::Closed));

    let mut driven = starttls();
    assert_eq!(driven.run(), Ok(Output::StartTls));
    driven.said();
    driven.now = driven.server.poll_timeout().unwrap();
    driven.server.handle_timeout(driven.now);
    assert_eq!(driven.run(), Err(Error::TimedOut));
    assert_eq!(driven.said(), "");
}

/// Invariant 17: octets that make nothing whole gain no time.
#[test]
fn trickling_gains_no_time() {
    let openings: [&[u8]; 5] = [
        b"",
        b"MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nDATA\r\n",
        b"MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nBDAT 999999\r\n",
        b"BDAT 9999\r\n",
        b"\n",
    ];
    for opening in openings {
        let mut driven = Driven::greeted(|_| {});
        _ = driven.hear(opening).unwrap();
        for _ in 0..20 {
            driven.now = driven.now.saturating_add(Duration::from_secs(60)).min(driven.server.poll_timeout().unwrap());
            if driven.server.poll_timeout() == Some(driven.now) {
                driven.server.handle_timeout(driven.now);
            }
            if driven.hear(b"x").is_err() {
                break;
            }
        }
        assert_eq!(driven.server.error(), Some(&Error::TimedOut), "{opening:?}");
        assert!(driven.now <= seconds(300), "{:?} for {opening:?}", driven.now);
    }
}

/// Invariants 17 and 18: a client that reads an octet a minute gains no time by
/// it, and a slow application none for the client.
#[test]
fn a_client_has_to_read() {
    for asks_me in [false, true] {
        let mut driven = Driven::greeted(|_| {});
        driven.asks_me = asks_me;
        driven.server.input().extend_from_slice(b"HELP\r\nMAIL FROM:<>\r\nHELP\r\n");
        let mut over = None;
        while over.is_none() {
            match driven.server.poll_output(driven.now) {
                Ok(Output::Event(Event::Question(question))) if asks_me => driven.open = Some(question),
                Ok(Output::Event(Event::Question(question))) => driven.server.accept(question).unwrap(),
                Ok(Output::Event(_)) => {}
                Ok(Output::Transmit) => {
                    driven.server.transmit().advance(1);
                    let deadline = driven.server.poll_timeout().unwrap();
                    driven.now = driven.now.saturating_add(Duration::from_secs(60)).min(deadline);
                    driven.server.handle_timeout(driven.now);
                }
                other => over = Some(other),
            }
        }
        assert_eq!(over, Some(Err(Error::TimedOut)));
        let most = if asks_me { 240 + 300 } else { 300 };
        assert_eq!(driven.now, seconds(most));
    }
}
