//! Whatever a peer does, a machine holds no more than its limits add up to.

use lmtp_proto::bytes::{Buf, Bytes};
use lmtp_proto::server::{Ask, Config, Error, Event, Question, Server};
use lmtp_proto::{Client, Content, Instant, Limit, Machine, Output, RecipientId, client};

use crate::meter::{letter, peak, text};

/// A server whose application decides nothing by itself and keeps nothing, unless it is told to.
pub(crate) struct Host {
    pub(crate) server: Server,
    /// Whether questions are answered. Those that are not are forgotten.
    pub(crate) answers: bool,
    /// Whether every piece of content is held on to.
    pub(crate) keeps: bool,
    /// Whether the client reads what it is told.
    pub(crate) reads: bool,
    /// How often the machine was asked.
    pub(crate) polls: u64,
    /// Octets of content.
    pub(crate) taken: usize,
    pieces: Vec<Bytes>,
    recipients: u32,
    now: Instant,
}

/// What became of what was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// All was read.
    Waits,
    /// There is no room to read more, or nobody reads the replies: so much was read.
    Stuck(usize),
    Over,
}

impl Host {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            server: Server::new(config),
            answers: true,
            keeps: false,
            reads: true,
            polls: 0,
            taken: 0,
            pieces: Vec::with_capacity(1 << 20),
            recipients: 0,
            now: Instant::ORIGIN,
        }
    }

    /// Says this to the server as fast as it reads.
    pub(crate) fn hear(&mut self, said: &[u8]) -> Hearing {
        let mut rest = said;
        loop {
            self.polls += 1;
            match self.server.poll_output(self.now) {
                Ok(Output::Event(event)) => self.take(event),
                Ok(Output::Transmit) if self.reads => {
                    let queue = self.server.transmit();
                    let count = queue.chunk().len();
                    queue.advance(count);
                }
                Ok(Output::Receive) if rest.is_empty() => return Hearing::Waits,
                Ok(Output::Receive) => {
                    let input = self.server.input();
                    let (now, later) = rest.split_at(rest.len().min(input.capacity() - input.len()));
                    input.extend_from_slice(now);
                    rest = later;
                }
                Ok(Output::Transmit | Output::Wait | Output::StartTls) => {
                    return Hearing::Stuck(said.len() - rest.len());
                }
                Ok(Output::Closed) | Err(_) => return Hearing::Over,
            }
        }
    }

    /// Says this again and again until nobody listens, or so often; how many octets were read.
    fn hear_often(&mut self, refrain: &[u8], times: usize) -> (Hearing, usize) {
        for time in 0..times {
            match self.hear(refrain) {
                Hearing::Waits => {}
                Hearing::Stuck(read) => return (Hearing::Stuck(read), time * refrain.len() + read),
                Hearing::Over => return (Hearing::Over, time * refrain.len()),
            }
        }
        (Hearing::Waits, times * refrain.len())
    }

    /// Lets time pass until the deadline.
    fn time_out(&mut self) {
        self.now = self.server.poll_timeout().expect("a deadline");
        self.server.handle_timeout(self.now);
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Question(question) if self.answers => self.answer(question),
            Event::Content(_, octets) => {
                self.taken += octets.len();
                if self.keeps {
                    assert!(self.pieces.len() < self.pieces.capacity(), "the test has no room for more");
                    self.pieces.push(octets);
                }
            }
            Event::End(id) => {
                self.pieces.clear();
                for place in 0..self.recipients {
                    let reply = lmtp_proto::Reply::new(250, None, "stored").expect("a reply");
                    self.server.verdict(id, RecipientId(place), reply).expect("the first verdict");
                }
            }
            _ => {}
        }
    }

    fn answer(&mut self, question: Question) {
        let done = match question.ask() {
            Ask::Auth(..) | Ask::AuthResponse(..) => self.server.challenge(question, b"and?"),
            ask => {
                match ask {
                    Ask::Mail(..) => self.recipients = 0,
                    Ask::Rcpt(..) => self.recipients += 1,
                    _ => {}
                }
                self.server.accept(question)
            }
        };
        done.expect("it is open");
    }
}

/// The most that a server may hold: what it has read ahead, what it has to say, and a place for each
/// recipient. While a buffer grows the old one is there, too.
fn server_bound(config: &Config) -> usize {
    let limits = &config.limits;
    let input = limits.backlog.max(limits.command_line).max(limits.auth_line) + 64 * 1024;
    let queue = 64 * 1024 + 4096;
    3 * input + 3 * queue + 3 * 24 * limits.recipients + 4096
}

/// The most that a session takes, apart from what the host has room for from the start.
fn check(what: &str, config: &Config, play: impl FnOnce(&mut Host)) {
    let most = peak(|| {
        let mut host = Host::new(config.clone());
        play(&mut host);
    });
    let own = size_of::<Bytes>() << 20;
    let bound = server_bound(config);
    println!("{what}: {} octets of {bound}", most - own);
    assert!(most - own <= bound, "{what}: {} octets, {bound} are allowed", most - own);
}

fn config() -> Config {
    let mut config = Config::default();
    let limits = &mut config.limits;
    (limits.backlog, limits.command_line, limits.auth_line) = (8192, 2048, 4096);
    (limits.recipients, limits.message_size, limits.drained) = (100, 1 << 20, 1 << 20);
    limits.errors = usize::MAX;
    config.offer.auth = vec!["X-LONG".parse().unwrap()];
    config
}

const MAIL: &[u8] = b"LHLO x\r\nMAIL FROM:<a@x>\r\n";
const DATA: &[u8] = b"LHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n";

#[test]
fn a_line_that_never_ends() {
    check("an endless line", &config(), |host| {
        assert_eq!(host.hear_often(&[b'x'; 1000], 20_000), (Hearing::Waits, 20_000_000));
        assert_eq!(host.hear(b"\r\nNOOP\r\n"), Hearing::Waits);
    });
    check("an endless line in AUTH", &config(), |host| {
        assert_eq!(host.hear(b"LHLO x\r\nAUTH X-LONG\r\n"), Hearing::Waits);
        assert_eq!(host.hear_often(&[b'Q'; 1000], 20_000), (Hearing::Waits, 20_000_000));
    });
}

#[test]
fn an_exchange_that_never_ends() {
    check("endless AUTH", &config(), |host| {
        assert_eq!(host.hear(b"LHLO x\r\nAUTH X-LONG\r\n"), Hearing::Waits);
        let line = [&b"QUJD".repeat(1000)[..], b"\r\n"].concat();
        assert_eq!(host.hear_often(&line, 5000).0, Hearing::Waits);
    });
}

#[test]
fn commands_without_end() {
    check("RCPTs beyond the limit", &config(), |host| {
        assert_eq!(host.hear(MAIL), Hearing::Waits);
        assert_eq!(host.hear_often(b"RCPT TO:<b@x>\r\n", 50_000).0, Hearing::Waits);
    });
    check("nonsense", &config(), |host| {
        assert_eq!(host.hear_often(b"\x01\xff nonsense\r\n\n\r\0", 50_000).0, Hearing::Waits);
    });
    let mut few = config();
    few.limits.errors = 20;
    check("too much nonsense", &few, |host| {
        assert_eq!(host.hear_often(b"nonsense\r\n", 50_000).0, Hearing::Over);
        assert_eq!(host.server.error(), Some(&Error::TooManyErrors));
    });
}

#[test]
fn commands_while_the_application_thinks() {
    let config = config();
    check("a silent application", &config, |host| {
        assert_eq!(host.hear(MAIL), Hearing::Waits);
        host.answers = false;
        // As often as one likes, other than RCPT.
        let command = b"LHLO client\r\n";
        let (hearing, read) = host.hear_often(command, 50_000);
        assert!(matches!(hearing, Hearing::Stuck(_)), "{hearing:?}");
        let room = config.limits.backlog..=config.limits.backlog + 4096;
        assert!(room.contains(&read), "{read} octets were read ahead");
        // Each is answered 451 in the end, and then the client is silent for too long.
        let mut answers = 0;
        while host.hear(b"") != Hearing::Over {
            host.time_out();
            answers += 1;
        }
        assert_eq!((answers, host.server.error()), (read.div_ceil(command.len()) + 1, Some(&Error::TimedOut)));
    });
}

#[test]
fn replies_that_nobody_reads() {
    for refrain in [&b"NOOP\r\n"[..], b"HELP\r\n", b"RSET\r\n", b"LHLO x\r\n", b"BDAT 0\r\n", b"nonsense\r\n"] {
        check(&format!("nobody reads the replies to {refrain:?}"), &config(), |host| {
            host.reads = false;
            let (hearing, read) = host.hear_often(refrain, 100_000);
            assert!(matches!(hearing, Hearing::Stuck(_)), "{hearing:?}");
            assert!(read <= 64 * 1024 + 4096, "{read} octets were read");
        });
    }
}

#[test]
fn content_that_goes_on_after_its_refusal() {
    check("too large", &config(), |host| {
        assert_eq!(host.hear(DATA), Hearing::Waits);
        assert_eq!(host.hear_often(&text(8000), 100_000).0, Hearing::Over);
        assert_eq!(host.server.error(), Some(&Error::TooMuch));
        assert!(host.taken <= 1 << 20, "{} octets were handed on", host.taken);
    });
    check("a lone LF", &config(), |host| {
        assert_eq!(host.hear(DATA), Hearing::Waits);
        assert_eq!(host.hear_often(b"abc\n.\n", 1_000_000).0, Hearing::Over);
        assert_eq!(host.server.error(), Some(&Error::TooMuch));
    });
}

#[test]
fn a_chunk_of_any_size() {
    for opening in ["BDAT 18446744073709551615\r\n", "BDAT 18446744073709551615 LAST\r\n"] {
        for before in [&b"LHLO x\r\n"[..], MAIL, b"LHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n"] {
            check(opening.trim_end(), &config(), |host| {
                assert_eq!(host.hear(before), Hearing::Waits);
                assert_eq!(host.hear(opening.as_bytes()), Hearing::Waits);
                assert_eq!(host.hear_often(&text(8000), 100_000).0, Hearing::Over);
                assert_eq!((host.server.error(), host.taken), (Some(&Error::TooMuch), 0));
            });
        }
    }
    check("chunks of nothing", &config(), |host| {
        assert_eq!(host.hear(b"LHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n"), Hearing::Waits);
        assert_eq!(host.hear_often(b"BDAT 0\r\n", 100_000).0, Hearing::Waits);
    });
}

/// The content is the application's to keep; what is read for it must not pin much more.
#[test]
fn content_that_is_held_on_to() {
    for (what, line) in
        [("dots", &b"..\r\n"[..]), ("short lines", b"a\r\n"), ("long lines", &[&[b'x'; 998][..], b"\r\n"].concat())]
    {
        for step in [1, 7, 1000, 100_000] {
            let content = line.repeat(200_000 / line.len());
            let mut taken = 0;
            let most = peak(|| {
                let mut host = Host::new(config());
                host.keeps = true;
                host.hear(DATA);
                for part in content.chunks(step) {
                    assert_eq!(host.hear(part), Hearing::Waits);
                }
                taken = host.taken;
            });
            let own = size_of::<Bytes>() << 20;
            let bound = 2 * content.len() + server_bound(&config());
            println!("{what} in steps of {step}: {} octets for {taken}", most - own);
            assert!(most - own <= bound, "{what} in steps of {step}: {} octets for {taken}", most - own);
        }
    }
}

#[test]
fn a_thousand_transactions_are_as_one() {
    let message = [MAIL, b"RCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nDATA\r\nHi\r\n.\r\n"].concat();
    let peaks = [10, 1000].map(|times| {
        peak(|| {
            let mut host = Host::new(config());
            host.keeps = true;
            assert_eq!(host.hear_often(&message, times).0, Hearing::Waits);
            assert_eq!(host.taken, times * 4);
        })
    });
    assert_eq!(peaks[0], peaks[1], "what a transaction needs is given back");
}

/// A client that has said MAIL, and hears this again and again; its error, and the most that it holds.
fn client_hears(before: &[&[u8]], refrain: &[u8], most: usize) -> (Option<lmtp_proto::Error>, usize, usize) {
    let mut config = client::Config::default();
    (config.limits.reply_line, config.limits.reply_size, config.limits.answers) = (1024, 16_384, 512);
    let (mut error, mut heard) = (None, 0);
    let letter = letter(2, &text(1000));
    let most = peak(|| {
        let mut client = Client::new(config);
        client.deliver(letter.envelope.clone(), Content::UNKNOWN).expect("room for one");
        let mut before = before.iter();
        while error.is_none() && heard < most {
            match client.poll_output(Instant::ORIGIN) {
                Ok(Output::Event(client::Event::BodyWanted(_))) => client.end().expect("it is wanted"),
                Ok(Output::Event(_)) => {}
                Ok(Output::Transmit) => {
                    let queue = client.transmit();
                    let count = queue.chunk().len();
                    queue.advance(count);
                }
                Ok(Output::Receive) if client.poll_timeout() == Some(Instant::ORIGIN) => {
                    client.handle_timeout(Instant::ORIGIN);
                }
                Ok(Output::Receive) => {
                    let said = before.next().copied().unwrap_or(refrain);
                    client.input().extend_from_slice(said);
                    heard += said.len();
                }
                Ok(_) => break,
                Err(told) => error = Some(told),
            }
        }
    });
    (error, heard, most)
}

#[test]
fn replies_without_end() {
    // Line, reply and what is kept of it; while a buffer grows the old one is there, too.
    let bound = 3 * (1024 + 2048) + 4 * 16_384 + 8192;
    let offers = &b"250-x\r\n250 PIPELINING\r\n"[..];
    let greeting = &b"220 x\r\n"[..];
    for (what, before, refrain, limit) in [
        ("an endless line", &[][..], &[b'2'; 100][..], Limit::ReplyLine),
        ("an endless greeting", &[], b"220-x\r\n", Limit::ReplySize),
        ("endless lines of nothing", &[], b"220-\r\n", Limit::ReplySize),
        ("an endless reply to LHLO", &[greeting], b"250-AUTH PLAIN\r\n", Limit::ReplySize),
        ("an endless reply to MAIL", &[greeting, offers], b"250-2.1.0 x\r\n", Limit::ReplySize),
    ] {
        let (error, heard, most) = client_hears(before, refrain, 1 << 24);
        println!("{what}: {most} octets of {bound}");
        assert!(
            matches!(error, Some(lmtp_proto::Error::Limit { limit: told, .. }) if told == limit),
            "{what}: {error:?}"
        );
        assert!(heard <= 16_384 + 4096 && most <= bound, "{what}: {most} octets after {heard}");
    }
    let many = b"250 x\r\n".repeat(1000);
    let (error, _, most) = client_hears(&[greeting, offers], &many, 1 << 24);
    assert!(error.is_some() && most <= bound, "{error:?}, {most}");
}
