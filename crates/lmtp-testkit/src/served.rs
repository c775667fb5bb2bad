//! A server machine in memory, on virtual time, with a handler that goes by the
//! names of the recipients.

use std::collections::VecDeque;

use bytes::Buf;
use lmtp_proto::server::{Ask, Config, Ending, Error, Event, Question, Server};
use lmtp_proto::{Instant, Machine, Output, RecipientId, Reply, ReversePath, TransactionId};

/// A message that was taken in whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its sender.
    pub from: String,
    /// Its accepted recipients, in order.
    pub to: Vec<String>,
    /// Its octets.
    pub content: Vec<u8>,
}

/// A server machine, its handler, and all that came of it.
///
/// The handler decides by the local part of a recipient: `no…` is refused 550,
/// `later…` 451; after the content `full…` gets 552, `busy…` 452, `mute…`
/// nothing at all, everybody else 250. A sender `no…` is refused 550, a sender
/// `nodata…` is refused at DATA with 451.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "flags are what a model is made of")]
pub struct Served {
    /// The machine.
    pub server: Server,
    /// Every octet it wrote.
    pub sent: Vec<u8>,
    /// The messages that were whole, in order.
    pub stored: Vec<Stored>,
    /// How each transaction ended.
    pub endings: Vec<(TransactionId, Ending)>,
    /// Lines of the conversation.
    pub lines: Vec<String>,
    /// The error that ended it.
    pub error: Option<Error>,
    /// The machine has said that it is over.
    pub is_over: bool,
    /// Whether the stream was encrypted.
    pub secured: bool,
    /// Whether verdicts are given in reverse.
    pub reversed: bool,
    /// Mechanisms for AUTH, by name; each is good for one exchange.
    pub mechanisms: Vec<Box<dyn lmtp_proto::auth::Mechanism>>,
    now: Instant,
    message: Option<Stored>,
    mechanism: Option<usize>,
    /// Whether the handler answers at all.
    pub answers: bool,
    /// Questions that it has not answered.
    pub unanswered: VecDeque<Question>,
}

impl Served {
    /// A server on a new connection.
    pub fn new(config: Config) -> Self {
        let mut config = config;
        config.transcript = true;
        Self {
            server: Server::new(config),
            sent: Vec::new(),
            stored: Vec::new(),
            endings: Vec::new(),
            lines: Vec::new(),
            error: None,
            is_over: false,
            secured: false,
            reversed: false,
            mechanisms: Vec::new(),
            now: Instant::ORIGIN,
            message: None,
            mechanism: None,
            answers: true,
            unanswered: VecDeque::new(),
        }
    }

    /// Hands it what the client says, and runs.
    pub fn hear(&mut self, octets: &[u8]) {
        self.server.input().extend_from_slice(octets);
        self.run();
    }

    /// Tells it that the client is gone, and runs.
    pub fn eof(&mut self) {
        self.server.handle_eof();
        self.run();
    }

    /// Lets time pass until its deadline, and runs; `false` if it has none.
    pub fn time_out(&mut self) -> bool {
        let Some(deadline) = self.server.poll_timeout() else { return false };
        self.now = deadline;
        self.server.handle_timeout(deadline);
        self.run();
        true
    }

    /// Runs until it waits for the client, or for nothing.
    pub fn run(&mut self) {
        loop {
            match self.server.poll_output(self.now) {
                Ok(Output::Event(event)) => self.take(event),
                Ok(Output::Transmit) => {
                    let queue = self.server.transmit();
                    let count = queue.chunk().len();
                    assert!(count > 0, "asked to write nothing");
                    self.sent.extend_from_slice(queue.chunk());
                    queue.advance(count);
                }
                Ok(Output::StartTls) => {
                    self.secured = true;
                    self.server.handle_tls();
                }
                Ok(Output::Receive | Output::Wait) => return,
                Ok(Output::Closed) => {
                    self.is_over = true;
                    return;
                }
                Err(error) => {
                    assert_eq!(self.server.poll_output(self.now), Err(error), "an error is final and repeats");
                    (self.error, self.is_over) = (Some(error), true);
                    return;
                }
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Question(question) if self.answers => self.answer(question),
            Event::Question(question) => self.unanswered.push_back(question),
            Event::Content(_, octets) => {
                assert!(!octets.is_empty(), "content of no octets");
                self.message.as_mut().expect("a transaction").content.extend_from_slice(&octets);
            }
            Event::End(id) => self.deliver(id),
            Event::Over(id, ending) => {
                self.message = None;
                self.endings.push((id, ending));
            }
            Event::Trace(name) => self.lines.push(format!("trace {name}")),
            Event::Line(line) => self.lines.push(line.to_string()),
            other => panic!("{other:?}"),
        }
    }

    /// Answers a question by the names in it.
    pub fn answer(&mut self, question: Question) {
        let reply = |code, text| Reply::new(code, None, text).expect("a reply");
        let refusal = match question.ask() {
            Ask::Mail(_, from, _) => {
                let from = match from {
                    ReversePath::Null => String::new(),
                    ReversePath::Mailbox(mailbox) => mailbox.to_string(),
                };
                let refused = from.starts_with("no") && !from.starts_with("nodata");
                self.message = (!refused).then(|| Stored { from, to: Vec::new(), content: Vec::new() });
                refused.then(|| reply(550, "5.1.0 not from there"))
            }
            Ask::Rcpt(_, id, to, _) => {
                let to = to.to_string();
                let message = self.message.as_mut().expect("a transaction");
                assert_eq!(id.index(), message.to.len(), "recipients are numbered as they are accepted");
                match () {
                    () if to.starts_with("no") => Some(reply(550, "5.1.1 no such user")),
                    () if to.starts_with("later") => Some(reply(451, "4.2.0 later")),
                    () => {
                        message.to.push(to);
                        None
                    }
                }
            }
            Ask::Data(_) => {
                let message = self.message.as_ref().expect("a transaction");
                message.from.starts_with("nodata").then(|| reply(451, "4.3.0 no data now"))
            }
            Ask::Auth(name, _) => {
                // One exchange each: the next is by another of that name.
                if let Some(spent) = self.mechanism.take() {
                    self.mechanisms.remove(spent);
                }
                self.mechanism = self.mechanisms.iter().position(|mechanism| mechanism.name() == name.as_str());
                return self.authenticate(question);
            }
            Ask::AuthResponse(_) => return self.authenticate(question),
            _ => None,
        };
        match refusal {
            Some(reply) => self.server.answer(question, reply),
            None => self.server.accept(question),
        }
        .expect("the question is open");
    }

    fn authenticate(&mut self, question: Question) {
        match self.mechanism {
            Some(place) => self.server.authenticate(question, self.mechanisms[place].as_mut()),
            None => self.server.answer(question, Reply::new(535, None, "5.7.8 no").expect("a reply")),
        }
        .expect("the question is open");
    }

    fn deliver(&mut self, id: TransactionId) {
        let message = self.message.take().expect("a transaction");
        let mut verdicts: Vec<(RecipientId, u16, &str)> = Vec::new();
        for (place, to) in (0_u32..).zip(&message.to) {
            let (code, text) = match () {
                () if to.starts_with("full") => (552, "5.2.2 mailbox full"),
                () if to.starts_with("busy") => (452, "4.2.2 over quota"),
                () if to.starts_with("mute") => continue,
                () => (250, "2.0.0 stored"),
            };
            verdicts.push((RecipientId(place), code, text));
        }
        if self.reversed {
            verdicts.reverse();
        }
        self.stored.push(message);
        for (recipient, code, text) in verdicts {
            let reply = Reply::new(code, None, text).expect("a reply");
            self.server.verdict(id, recipient, reply).expect("the first verdict");
        }
    }
}
