//! The application of the server: it answers at once, late, twice, in any order
//! or never, and keeps what it took.

use std::time::Duration;

use lmtp_proto::server::{Ask, Ending, Event, Question, Server};
use lmtp_proto::{Instant, RecipientId, Reply, ReversePath, TransactionId};

use super::order::Order;
use super::plan::{Letter, Manners, seconds};
use super::random::Random;
use super::tags::Tag;
use super::truth::{Truth, Whom};
use crate::counted::Counted;

/// A message on its way in.
#[derive(Debug)]
struct Incoming {
    id: TransactionId,
    /// The number of the letter.
    message: usize,
    /// How many recipients were asked for.
    asked: usize,
    /// Those of them that were accepted.
    accepted: Vec<usize>,
    content: Vec<u8>,
    /// Verdicts that were given before the content, by the place of the recipient.
    early: Vec<(RecipientId, u16)>,
}

/// What is still to be done.
#[derive(Debug)]
enum Act {
    Answer(Question, Reply),
    Verdict { transaction: TransactionId, place: RecipientId, whom: Whom, reply: Reply },
}

/// The application of the server.
#[derive(Debug)]
pub(super) struct Handler {
    manners: Manners,
    incoming: Option<Incoming>,
    due: Vec<(Instant, Act)>,
    crashed: bool,
    /// The number of transactions begun, for order.
    last: Option<TransactionId>,
    pub(super) truth: Truth,
    /// How many answers came too late.
    pub(super) stale: u64,
    pub(super) order: Order,
}

impl Handler {
    pub(super) fn new(manners: Manners) -> Self {
        Self {
            manners,
            incoming: None,
            due: Vec::new(),
            crashed: false,
            last: None,
            truth: Truth::default(),
            stale: 0,
            order: Order::default(),
        }
    }

    /// When it will next do something.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.iter().map(|(at, _)| *at).min()
    }

    /// Does one of the things that are due; `false` if there is none.
    pub(super) fn act(&mut self, server: &mut Counted<Server>, now: Instant, random: &mut Random<'_>) -> bool {
        let ready: Vec<usize> = (0..self.due.len()).filter(|&place| self.due[place].0 <= now).collect();
        if ready.is_empty() {
            return false;
        }
        // In any order.
        match self.due.swap_remove(random.pick(&ready)).1 {
            Act::Answer(question, reply) => self.answer(question, reply, server),
            Act::Verdict { transaction, place, whom, reply } => {
                self.judge(transaction, place, whom, reply, server, random);
            }
        }
        true
    }

    /// Hears of something.
    pub(super) fn hear(
        &mut self,
        event: Event,
        server: &mut Counted<Server>,
        letters: &[Letter],
        now: Instant,
        random: &mut Random<'_>,
    ) {
        match event {
            Event::Question(question) => self.consider(question, server, letters, now, random),
            Event::Content(id, octets) => {
                assert!(!octets.is_empty(), "content of no octets");
                let incoming = self.incoming.as_mut().filter(|incoming| incoming.id == id).expect("its transaction");
                incoming.content.extend_from_slice(&octets);
            }
            Event::End(id) => self.end(id, server, letters, now, random),
            Event::Over(id, ending) => {
                let incoming = self.incoming.take().expect("an open transaction");
                assert_eq!(incoming.id, id, "another transaction is over");
                let ended = self.truth.ended.iter().any(|(message, _)| *message == incoming.message);
                match ending {
                    Ending::Answered | Ending::Unheard => assert!(ended, "answered before its end"),
                    _ => assert!(!ended, "{ending:?} behind its end"),
                }
            }
            Event::Line(line) => self.order.note(&line),
            other => panic!("{other:?}"),
        }
    }

    /// Thinks about a question.
    fn consider(
        &mut self,
        question: Question,
        server: &mut Counted<Server>,
        letters: &[Letter],
        now: Instant,
        random: &mut Random<'_>,
    ) {
        let tag = self.recognise(question.ask(), letters);
        let connection = matches!(question.ask(), Ask::Connect | Ask::Lhlo(_));
        if self.crashed || random.percent(self.manners.crash) {
            self.crashed = true;
            if random.percent(70) {
                server.act().give_up();
            }
            return;
        }
        let (yes, wrong) = match question.ask() {
            Ask::Connect => (220, 354),
            Ask::Data(_) => (354, 250),
            _ => (random.pick(&[250, 251, 252]), 354),
        };
        let refusal = random.pick(&[451, 450, 550, 554]);
        let code = match () {
            () if random.percent(self.manners.closing) => 421,
            () if random.percent(self.manners.wrong_class) => wrong,
            () if random.percent(if connection { self.manners.turns_away } else { self.manners.no }) => refusal,
            () => yes,
        };
        match self.delay(random) {
            Some(delay) => self.due.push((now.saturating_add(delay), Act::Answer(question, tag.reply(code)))),
            None => drop(question),
        }
    }

    /// How long an answer takes; `None` for ever.
    fn delay(&self, random: &mut Random<'_>) -> Option<Duration> {
        if random.percent(self.manners.too_late) {
            return random.pick(&[None, Some(seconds(45)), Some(seconds(300)), Some(seconds(900))]);
        }
        let late = random.percent(self.manners.late);
        Some(if late { Duration::from_millis(random.pick(&[1, 200, 2000, 4000])) } else { Duration::ZERO })
    }

    /// Checks that what is asked is what the client says, in its order.
    fn recognise(&mut self, ask: &Ask, letters: &[Letter]) -> Tag {
        match ask {
            Ask::Connect => Tag::Greeting,
            Ask::Lhlo(name) => {
                assert_eq!(name.to_string(), "client.example");
                Tag::Greeting
            }
            Ask::Mail(id, from, _) => {
                assert!(self.incoming.is_none(), "a transaction in a transaction");
                assert!(self.last < Some(*id), "a transaction twice");
                self.last = Some(*id);
                let message = number(from);
                assert_eq!(letters[message].envelope.from(), from);
                Tag::Mail(message)
            }
            Ask::Rcpt(id, place, to, _) => {
                let incoming = self.incoming.as_mut().expect("a recipient of a transaction");
                assert_eq!((incoming.id, incoming.accepted.len()), (*id, place.index()));
                let letter = &letters[incoming.message];
                let (expected, _) = &letter.envelope.recipients()[letter.asked[incoming.asked]];
                assert_eq!(to, expected, "recipients come in their order");
                incoming.asked += 1;
                Tag::Rcpt(incoming.message, incoming.asked - 1)
            }
            Ask::Data(id) => {
                let incoming = self.incoming.as_ref().expect("content of a transaction");
                assert_eq!(incoming.id, *id);
                assert!(!incoming.accepted.is_empty(), "content for nobody");
                Tag::Data(incoming.message)
            }
            other => panic!("{other:?}"),
        }
    }

    fn answer(&mut self, question: Question, reply: Reply, server: &mut Counted<Server>) {
        let code = reply.code().get();
        let yes = (200..300).contains(&code);
        let effect = match question.ask() {
            Ask::Mail(id, from, _) if yes => Some(Incoming {
                id: *id,
                message: number(from),
                asked: 0,
                accepted: Vec::new(),
                content: Vec::new(),
                early: Vec::new(),
            }),
            _ => None,
        };
        let is_rcpt = matches!(question.ask(), Ask::Rcpt(..));
        // What greets is what this server always says to LHLO.
        let answered = match question.ask() {
            Ask::Lhlo(_) if yes => server.act().accept(question),
            _ => server.act().answer(question, reply),
        };
        if answered.is_err() {
            self.stale += 1;
            return;
        }
        if effect.is_some() {
            self.incoming = effect;
        }
        if let Some(incoming) = self.incoming.as_mut().filter(|_| is_rcpt && yes) {
            incoming.accepted.push(incoming.asked - 1);
        }
    }

    /// Gives verdicts before their time, now and then.
    pub(super) fn be_early(&mut self, server: &mut Counted<Server>, random: &mut Random<'_>) {
        let Some(incoming) = &mut self.incoming else { return };
        if incoming.accepted.is_empty() || !random.percent(self.manners.early) {
            return;
        }
        let place = random.up_to(incoming.accepted.len()) - 1;
        let id = RecipientId(u32::try_from(place).expect("few recipients"));
        let code = random.pick(&[250, 452, 552]);
        let tag = Tag::Final(incoming.message, incoming.accepted[place]);
        let ended = self.truth.ended.iter().any(|(message, _)| *message == incoming.message);
        if !ended && server.act().verdict(incoming.id, id, tag.reply(code)).is_ok() {
            incoming.early.push((id, code));
        }
    }

    /// The whole message is there.
    fn end(
        &mut self,
        id: TransactionId,
        server: &mut Counted<Server>,
        letters: &[Letter],
        now: Instant,
        random: &mut Random<'_>,
    ) {
        let incoming = self.incoming.as_ref().filter(|incoming| incoming.id == id).expect("its transaction");
        let (message, letter) = (incoming.message, &letters[incoming.message]);
        assert!(!incoming.accepted.is_empty(), "a message for nobody");
        assert!(incoming.content == letter.whole, "message {message} came as something else");
        assert_eq!(letter.fails_at, None, "a message that could not be read came whole");
        let mut verdicts = Vec::new();
        for (place, &number) in (0..).map(RecipientId).zip(&incoming.accepted) {
            let whom = (message, letter.asked[number]);
            assert!(self.truth.ended.insert(whom), "{whom:?} came twice");
            match incoming.early.iter().find(|(early, _)| *early == place) {
                Some((_, code)) => {
                    if *code < 300 {
                        self.truth.stored.insert(whom);
                    }
                }
                None => verdicts.push((place, whom, Tag::Final(message, number))),
            }
        }
        if self.crashed || random.percent(self.manners.crash) {
            self.crashed = true;
            if random.percent(70) {
                server.act().give_up();
            }
            return;
        }
        for (place, whom, tag) in verdicts {
            let code = match () {
                () if random.percent(self.manners.wrong_class) => random.pick(&[354, 421]),
                () if random.percent(self.manners.no) => random.pick(&[450, 452, 550, 552]),
                () => 250,
            };
            if let Some(delay) = self.delay(random) {
                let act = Act::Verdict { transaction: id, place, whom, reply: tag.reply(code) };
                self.due.push((now.saturating_add(delay), act));
            }
        }
    }

    fn judge(
        &mut self,
        transaction: TransactionId,
        place: RecipientId,
        whom: Whom,
        reply: Reply,
        server: &mut Counted<Server>,
        random: &mut Random<'_>,
    ) {
        let yes = reply.code().is_success();
        if server.act().verdict(transaction, place, reply).is_err() {
            self.stale += 1;
            if yes {
                self.truth.late.insert(whom);
            }
            return;
        }
        if yes {
            assert!(self.truth.stored.insert(whom), "{whom:?} stored twice");
        }
        if random.percent(self.manners.twice) {
            let again = Tag::Final(99, 99).reply(random.pick(&[250, 450, 550]));
            assert!(server.act().verdict(transaction, place, again).is_err(), "a second verdict was taken");
        }
    }
}

/// The number of a message, by its sender.
fn number(from: &ReversePath) -> usize {
    let from = from.to_string();
    let digits: String = from.chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("a sender with a number")
}
