//! A server machine step by step, for what a file of `C:` and `S:` lines cannot show.

use std::time::Duration;

use lmtp_proto::bytes::{Buf, Bytes};
use lmtp_proto::server::{Ask, Config, Error, Event, Question, Server};
use lmtp_proto::{Instant, Machine, Output};

/// A server, its driver, and an application that answers yes to all but AUTH.
pub(crate) struct Driven {
    pub(crate) server: Server,
    pub(crate) now: Instant,
    pub(crate) sent: String,
    pub(crate) lines: Vec<String>,
    pub(crate) content: Vec<Bytes>,
    /// How many transactions are over.
    pub(crate) over: usize,
    /// The last question about AUTH, and in a manual run any question.
    pub(crate) open: Option<Question>,
    pub(crate) asks_me: bool,
}

impl Driven {
    pub(crate) fn new(set: impl FnOnce(&mut Config)) -> Self {
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

    pub(crate) fn greeted(set: impl FnOnce(&mut Config)) -> Self {
        let mut driven = Self::new(set);
        _ = driven.run();
        _ = driven.hear(b"LHLO client.example\r\n");
        driven.sent.clear();
        driven
    }

    /// Runs up to a wait, the end or an error; never waits for a deadline.
    pub(crate) fn run(&mut self) -> Result<Output<()>, Error> {
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

    pub(crate) fn hear(&mut self, octets: &[u8]) -> Result<Output<()>, Error> {
        self.server.input().extend_from_slice(octets);
        self.run()
    }

    pub(crate) fn said(&mut self) -> String {
        std::mem::take(&mut self.sent)
    }
}

pub(crate) fn seconds(count: u64) -> Instant {
    Instant::after_origin(Duration::from_secs(count))
}

pub(crate) fn with_auth(config: &mut Config) {
    config.offer.auth = vec!["PLAIN".parse().unwrap(), "LOGIN".parse().unwrap()];
    config.offer.auth_in_clear = true;
    config.transcript = true;
}
