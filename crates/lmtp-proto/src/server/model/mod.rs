//! The server beside a reference that is slow and obvious, through sessions at
//! random: what either says and lets the application hear is the same, and what a
//! transaction leaves behind is nothing, however it ended.
//!
//! | file | what it is |
//! |---|---|
//! | `words.rs` | what a client may say and an application may do, and what comes next more often than not |
//! | `reference.rs` | RFC 2033 and 5321 on all that was said so far |
//! | `fresh.rs` | the machine between transactions, field by field, beside a fresh one |
//! | `seven.rs` | all that can be said in seven commands |
//!
//! Every word comes whole: that cuts make no difference is another test's
//! (`tests/server_chaos.rs`).

mod fresh;
mod reference;
mod seven;
mod words;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use bytes::Buf;
use lmtp_testkit::effort;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

use self::reference::{Fault, Heard, Over, Reference, Said, Setting};
use self::words::Act;
use super::{Ask, Config, Ending, Error, Event, Question, Require, Server};
use crate::auth::Identity;
use crate::value::Reply;
use crate::{Instant, Machine, Output, RecipientId, TransactionId};

/// What a fresh session says to be authenticated.
const LOGIN: &str = "AUTH LOGIN\r\n";

fn identity() -> Identity {
    Identity { authcid: "ann".into(), authzid: None }
}

fn reply(code: u16, text: &str) -> Reply {
    Reply::new(code, None, text).expect("a reply")
}

/// Every way in which the server is set up here.
fn settings() -> Vec<Setting> {
    let plain =
        Setting { needs_tls: false, needs_auth: false, chunking: true, trusting: true, secured: false, messages: None };
    [
        plain,
        Setting { secured: true, ..plain },
        Setting { messages: Some(3), ..plain },
        Setting { needs_tls: true, ..plain },
        Setting { needs_auth: true, ..plain },
        Setting { chunking: false, trusting: false, ..plain },
    ]
    .into()
}

fn config(setting: Setting) -> Config {
    let require = match setting {
        Setting { needs_tls: true, .. } => Require::Tls,
        Setting { needs_auth: true, .. } => Require::Auth,
        _ => Require::Nothing,
    };
    let mut config = Config { require, secured: setting.secured, ..Config::default() };
    (config.offer.chunking, config.offer.binary_mime) = (setting.chunking, setting.chunking);
    config.offer.starttls = true;
    if setting.trusting {
        config.offer.auth = ["LOGIN".parse().unwrap()].into();
        config.offer.auth_in_clear = true;
        config.offer.xclient = ["ADDR".parse().unwrap()].into();
        config.offer.xforward = config.offer.xclient.clone();
        config.offer.trace = true;
    }
    config.limits.transactions = setting.messages;
    config.limits.message_size = reference::SIZE as u64;
    config.limits.drained = reference::DRAINED as u64;
    config.limits.recipients = reference::RECIPIENTS;
    config.limits.errors = reference::ERRORS;
    (config.limits.command_line, config.limits.auth_line) = (200, 250);
    config
}

/// What the server has to write, written.
fn written(server: &mut Server) -> Vec<u8> {
    let queue = server.transmit();
    queue.copy_to_bytes(queue.remaining()).to_vec()
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Act;

    fn init_state() -> BoxedStrategy<Self> {
        let mut likely = settings();
        likely.extend([likely[0]; 6]);
        prop::sample::select(likely).prop_map(Self::new).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Act> {
        words::acts(state)
    }

    fn apply(mut state: Self, act: &Act) -> Self {
        state.happen(act);
        state
    }

    fn preconditions(state: &Self, act: &Act) -> bool {
        !matches!(act, Act::Say(word) if !state.knows(*word))
    }
}

/// The machine, its driver and its application.
struct Session {
    server: Server,
    now: Instant,
    /// The question in hand, and those that were answered for the application.
    question: Option<Question>,
    late: Vec<Question>,
    last: TransactionId,
    content: Vec<u8>,
    acts: usize,
    said: Vec<Said>,
    heard: Vec<Heard>,
    eof: bool,
    over: Option<Result<(), Error>>,
}

impl Session {
    fn new(setting: Setting) -> Self {
        let mut session = Self {
            server: Server::new(config(setting)),
            now: Instant::ORIGIN,
            question: None,
            late: Vec::new(),
            last: TransactionId::default(),
            content: Vec::new(),
            acts: 0,
            said: Vec::new(),
            heard: Vec::new(),
            eof: false,
            over: None,
        };
        session.run();
        session
    }

    fn happen(&mut self, act: &Act) {
        self.acts += 1;
        (self.said, self.heard) = (Vec::new(), Vec::new());
        let number = format!("number {}", self.acts);
        let mut answer = |answer: &dyn Fn(&mut Server, Question) -> bool| {
            if let Some(question) = self.question.take() {
                answer(&mut self.server, question);
            }
        };
        match *act {
            Act::Say(_) if self.over.is_some() || self.eof => {}
            Act::Say(word) => {
                self.now = self.now.saturating_add(Duration::from_secs(1));
                self.server.input().extend_from_slice(&word.octets());
            }
            Act::Answer(code) => answer(&|server, question| server.answer(question, reply(code, &number)).is_ok()),
            Act::Accept => answer(&|server, question| server.accept(question).is_ok()),
            Act::Challenge => answer(&|server, question| server.challenge(question, b"?").is_ok()),
            Act::Authenticated => answer(&|server, question| server.authenticated(question, identity()).is_ok()),
            Act::Drop => drop(self.question.take()),
            Act::AnswerLate => {
                for question in self.late.drain(..) {
                    assert!(self.server.answer(question, reply(250, "late")).is_err(), "a late answer was taken");
                }
            }
            Act::Verdict(to, code) => {
                let (first, again) = (reply(code, &number), reply(250, "again"));
                let _ = self.server.verdict(self.last, RecipientId(to), first);
                assert!(self.server.verdict(self.last, RecipientId(to), again).is_err(), "a second verdict was taken");
            }
            Act::GiveUp => self.server.give_up(),
            Act::ShutDown => self.server.shut_down(),
            Act::TimeOut => {
                if let Some(deadline) = self.server.poll_timeout() {
                    self.now = self.now.max(deadline);
                    self.server.handle_timeout(self.now);
                }
            }
            Act::Eof => {
                self.eof = true;
                self.server.handle_eof();
            }
        }
        if matches!(act, Act::GiveUp | Act::TimeOut) {
            self.late.extend(self.question.take());
        }
        self.run();
    }

    /// Runs until the machine waits.
    fn run(&mut self) {
        loop {
            match self.server.poll_output(self.now) {
                Ok(Output::Event(event)) => self.hear(event),
                Ok(Output::Transmit) => self.read_replies(),
                Ok(Output::StartTls) => self.server.handle_tls(),
                Ok(Output::Receive | Output::Wait) => return,
                Ok(Output::Closed) => return self.over = Some(Ok(())),
                Err(error) => return self.over = Some(Err(error)),
            }
        }
    }

    fn read_replies(&mut self) {
        let wire = String::from_utf8(written(&mut self.server)).expect("ASCII");
        for line in wire.strip_suffix("\r\n").expect("whole lines").split("\r\n") {
            let code = line[..3].parse().expect("a code");
            let (_, number) = line.rsplit_once("number ").unwrap_or_default();
            match line.as_bytes().get(3) {
                Some(b' ') => self.said.push(Said { code, number: number.parse().ok() }),
                Some(b'-') => {}
                _ => panic!("{line:?} is no reply"),
            }
        }
    }

    fn hear(&mut self, event: Event) {
        let heard = match event {
            Event::Content(id, octets) => {
                assert_eq!(id, self.last, "content of another transaction");
                return self.content.extend_from_slice(&octets);
            }
            Event::End(id) => Heard::End(id.0, core::mem::take(&mut self.content)),
            Event::Over(id, ending) => {
                self.content.clear();
                Heard::Over(id.0, over(&ending))
            }
            Event::Trace(_) => Heard::Trace,
            Event::Question(question) => {
                assert!(self.question.is_none(), "two questions at once");
                let heard = self.asked(question.ask());
                self.question = Some(question);
                heard
            }
            Event::Line(_) => return,
        };
        self.heard.push(heard);
    }

    fn asked(&mut self, ask: &Ask) -> Heard {
        match *ask {
            Ask::Connect => Heard::Connect,
            Ask::Lhlo(_) => Heard::Lhlo,
            Ask::Mail(id, ..) => {
                self.last = id;
                Heard::Mail(id.0)
            }
            Ask::Rcpt(id, place, ..) => Heard::Rcpt(id.0, place.index()),
            Ask::Data(id) => Heard::Data(id.0),
            Ask::Auth(..) => Heard::Auth,
            Ask::AuthResponse(_) => Heard::Response,
            Ask::Xclient(_) => Heard::Xclient,
            Ask::Xforward(_) => Heard::Xforward,
        }
    }
}

fn over(ending: &Ending) -> Over {
    match ending {
        Ending::Answered => Over::Answered,
        Ending::Refused(reply) => Over::Refused(reply.code().get()),
        Ending::Abandoned => Over::Abandoned,
        Ending::Unheard => Over::Unheard,
    }
}

fn fault(error: Error) -> Fault {
    match error {
        Error::Closed => Fault::Closed,
        Error::TimedOut => Fault::TimedOut,
        Error::TooManyErrors => Fault::TooManyErrors,
        Error::TooMuch => Fault::TooMuch,
        Error::ClearOctets => Fault::ClearOctets,
        Error::LostInChunk => Fault::LostInChunk,
    }
}

/// What brings a transaction to an end, or what was known of the client; what
/// refuses a message, which is still read to its end, among it.
const WAYS: [&str; 17] = [
    "everybody was answered",
    "a refused message was read to its end",
    "refuses: a lone CR, LF or NUL behind DATA",
    "refuses: too large behind DATA",
    "refuses: a lone CR, LF or NUL in chunks",
    "refuses: too large in chunks",
    "refuses: a chunk for nobody",
    "refuses: the application, at BDAT",
    "refuses: the application failed",
    "DATA was refused",
    "DATA of a refused message",
    "RSET",
    "LHLO",
    "LHLO between transactions",
    "STARTTLS",
    "XCLIENT",
    "the session ended",
];

/// How often what ended, and how often the machine was then compared.
static ENDED: Mutex<BTreeMap<&str, (usize, usize)>> = Mutex::new(BTreeMap::new());

impl StateMachineTest for Session {
    type SystemUnderTest = Self;
    type Reference = Reference;

    fn init_test(reference: &Reference) -> Self {
        Self::new(reference.setting)
    }

    fn apply(mut session: Self, reference: &Reference, act: Act) -> Self {
        session.happen(&act);
        assert_eq!(session.said, reference.said, "said");
        assert_eq!(session.heard, reference.heard, "heard");
        assert_eq!(session.over.map(|over| over.map_err(fault)), reference.over, "over");
        let at_rest = reference.is_at_rest();
        if at_rest {
            fresh::compare(&mut session.server, reference, session.now);
        }
        let mut ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
        for how in &reference.ended {
            let (count, compared) = ended.entry(how).or_default();
            (*count, *compared) = (*count + 1, *compared + usize::from(at_rest));
        }
        session
    }
}

/// Invariants 8 and 11: one reply for each command and each accepted recipient,
/// in order, whatever either side does; and nothing of a transaction is left when
/// it is over. Each way to end one is met often enough.
#[test]
fn the_machine_does_what_the_reference_does() {
    let config = effort::cases(2_000);
    let sessions = config.cases as usize;
    let mut runner = TestRunner::new(config.clone());
    let outcome = runner.run(&Reference::sequential_strategy(1..60), |(reference, acts, seen)| {
        Session::test_sequential(config.clone(), reference, acts, seen);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
    std::println!("{ended:#?}");
    for how in WAYS {
        let (count, compared) = ended.get(how).copied().unwrap_or_default();
        // Where a message is refused, the end comes later, and is counted by itself.
        let is_end = !how.starts_with("refuses") && how != "the session ended";
        let rare = if is_end { compared } else { count };
        assert!(rare >= sessions / 200, "{how}: {rare} times in {sessions} sessions: {ended:#?}");
    }
}
