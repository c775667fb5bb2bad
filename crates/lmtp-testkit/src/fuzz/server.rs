//! A server that hears anything at all.

use bytes::{Buf, BytesMut};
use lmtp_proto::auth::Identity;
use lmtp_proto::server::{Ask, BareNewlines, Config, Error, Event, Question, Require, Server};
use lmtp_proto::{Instant, Machine, Output, RecipientId, Reply, TransactionId};

use super::Choices;
use crate::counted::Counted;
use crate::sim::Order;

/// What may wait to be read: a command line, or what is sent ahead of an answer, and a piece.
const KEPT: usize = 64 * 1024 + 2 * 64 * 1024;
/// What may wait to be written: the queue, and what one message makes it say at the end.
const QUEUED: usize = 64 * 1024 + 4096;

/// A server that hears anything, in any pieces, with an application that says yes, no, nonsense or nothing:
/// one reply for each command and each accepted recipient, whatever comes; one ending for each
/// transaction; the same however the octets are cut; bounded memory and linear time.
pub fn server(data: &[u8]) {
    let (mut choices, said) = Choices::of(data);
    let config = config(&mut choices);
    let size = choices.one_of(&[2, 3, 7, 50, 1000]);
    let whole = Talk::new(&config, choices.clone()).hear(said, usize::MAX);
    // What is read together with STARTTLS comes before TLS, and ends the session.
    if !config.offer.starttls {
        for size in [1, size] {
            let pieces = Talk::new(&config, choices.clone()).hear(said, size);
            assert_eq!(whole.told, pieces.told, "in pieces of {size}");
            assert_eq!(whole.ended, pieces.ended, "in pieces of {size}");
        }
    }
}

fn config(choices: &mut Choices<'_>) -> Config {
    let mut config = Config::default();
    config.transcript = true;
    config.require = choices.one_of(&[Require::Nothing, Require::Tls, Require::Auth]);
    config.bare_newlines = choices.one_of(&[BareNewlines::Reject, BareNewlines::Convert, BareNewlines::Keep]);
    config.secured = choices.yes();
    let (offer, limits) = (&mut config.offer, &mut config.limits);
    offer.starttls = choices.yes();
    if choices.yes() {
        offer.binary_mime = true;
        (offer.dsn, offer.require_tls, offer.xrcptforward, offer.ignore_quota) = (true, true, true, true);
        (offer.trace, offer.unknown_parameters, offer.auth_in_clear) = (true, true, true);
        (offer.deliver_by, offer.priority) = (Some(60), Some("MIXER".into()));
        offer.auth = ["PLAIN", "LOGIN"].map(|name| name.parse().expect("a mechanism")).into();
        offer.xclient = ["ADDR", "NAME"].map(|name| name.parse().expect("an attribute")).into();
        offer.xforward = offer.xclient.clone();
    } else {
        offer.chunking = choices.yes();
    }
    if choices.yes() {
        (limits.command_line, limits.auth_line, limits.backlog) = (60, 80, 200);
        (limits.recipients, limits.errors, limits.transactions) = (2, 3, Some(2));
    }
    (limits.message_size, limits.drained) = choices.one_of(&[(1 << 20, 1 << 20), (30, 100), (0, 0)]);
    config
}

/// A conversation, and all that came of it.
struct Talk<'a> {
    server: Counted<Server>,
    choices: Choices<'a>,
    now: Instant,
    order: Order,
    /// What the application heard and the server said, pieces put together.
    told: Vec<String>,
    ended: Option<Result<(), Error>>,
    /// The transaction that is open, its accepted recipients, and its content.
    open: Option<(TransactionId, u32, BytesMut)>,
}

impl<'a> Talk<'a> {
    fn new(config: &Config, choices: Choices<'a>) -> Self {
        Self {
            server: Counted::new(Server::new(config.clone())),
            choices,
            now: Instant::ORIGIN,
            order: Order::default(),
            told: Vec::new(),
            ended: None,
            open: None,
        }
    }

    /// Lets it hear all of this, so many octets at a time, and then nothing more.
    fn hear(mut self, mut said: &[u8], size: usize) -> Self {
        while self.ended.is_none() {
            match self.server.poll_output(self.now) {
                Ok(Output::Event(event)) => self.take(event),
                Ok(Output::Transmit) => {
                    let queue = self.server.transmit();
                    assert!(queue.len() <= QUEUED, "{} octets are queued", queue.len());
                    let count = queue.chunk().len();
                    queue.advance(count);
                }
                Ok(Output::Receive) if said.is_empty() => self.server.handle_eof(),
                Ok(Output::Receive) => {
                    let input = self.server.input();
                    let room = input.capacity() - input.len();
                    let (piece, rest) = said.split_at(size.min(room).min(said.len()));
                    input.extend_from_slice(piece);
                    assert!(!piece.is_empty() && input.len() <= KEPT, "{} octets are kept", input.len());
                    said = rest;
                }
                Ok(Output::StartTls) => self.server.handle_tls(),
                Ok(Output::Wait) => panic!("every question has been answered"),
                Ok(Output::Closed) => self.ended = Some(Ok(())),
                Err(error) => self.ended = Some(Err(error)),
            }
        }
        assert!(self.open.is_none(), "a transaction has no ending");
        self
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Question(question) => self.answer(question),
            Event::Content(id, octets) => {
                assert!(!octets.is_empty(), "content of no octets");
                let (open, _, content) = self.open.as_mut().expect("an open transaction");
                assert_eq!(*open, id);
                content.extend_from_slice(&octets);
            }
            Event::End(id) => {
                let (open, count, content) = self.open.as_ref().expect("an open transaction");
                assert!(*open == id && *count > 0, "a message for nobody");
                self.told.push(format!("{id:?} is whole: {content:?}"));
                let count = *count;
                self.judge(id, count);
            }
            Event::Over(id, ending) => {
                let (open, ..) = self.open.take().expect("an open transaction");
                assert_eq!(open, id, "another transaction is over");
                self.told.push(format!("{id:?} is over: {ending:?}"));
            }
            Event::Line(line) => {
                self.order.note(&line);
                self.told.push(line.to_string());
            }
            other => self.told.push(format!("{other:?}")),
        }
    }

    /// Answers a question, or does not.
    fn answer(&mut self, question: Question) {
        let choice = self.choices.below(10);
        let (mut mail, mut rcpt) = (None, false);
        match question.ask() {
            Ask::Mail(id, ..) => {
                assert!(self.open.is_none(), "a transaction in a transaction");
                mail = Some(*id);
            }
            Ask::Rcpt(id, place, ..) => {
                let (open, count, _) = self.open.as_ref().expect("an open transaction");
                assert_eq!((*open, *count as usize), (*id, place.index()));
                rcpt = true;
            }
            _ => {}
        }
        let auth = matches!(question.ask(), Ask::Auth(..) | Ask::AuthResponse(_));
        let reply = |code| Reply::new(code, None, "because").expect("a reply");
        let server = self.server.act();
        let done = match choice {
            6 => server.answer(question, reply(451)),
            7 => server.answer(question, reply(550)),
            8 => server.answer(question, reply(354)),
            9 => {
                // The application is too slow.
                drop(question);
                return self.time_out();
            }
            0 | 1 if auth => server.authenticated(question, Identity { authcid: "ann".into(), authzid: None }),
            2 | 3 if auth => server.challenge(question, b"more"),
            _ => server.accept(question),
        };
        done.expect("the question is open");
        if choice < 6 {
            if let Some(id) = mail {
                self.open = Some((id, 0, BytesMut::new()));
            } else if rcpt && let Some((_, count, _)) = &mut self.open {
                *count += 1;
            }
        }
    }

    /// Gives a verdict on each recipient, in some order, or on some of them.
    fn judge(&mut self, id: TransactionId, count: u32) {
        let backwards = self.choices.yes();
        for place in 0..count {
            let place = RecipientId(if backwards { count - 1 - place } else { place });
            let code = self.choices.one_of(&[250, 452, 550, 354, 0]);
            if code == 0 {
                self.server.act().give_up();
            } else {
                let reply = Reply::new(code, None, "a verdict").expect("a reply");
                // Late, when the application has failed.
                let _ = self.server.act().verdict(id, place, reply);
            }
        }
        if self.choices.yes() {
            self.server.act().shut_down();
        }
    }

    fn time_out(&mut self) {
        // Its time begins when the driver is told to wait.
        while let Ok(Output::Event(event)) = self.server.poll_output(self.now) {
            self.take(event);
        }
        self.now = self.server.poll_timeout().expect("every wait has an end");
        self.server.act().handle_timeout(self.now);
    }
}
