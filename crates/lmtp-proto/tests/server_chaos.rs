//! The server under a client that says anything in any pieces, a line that takes
//! octets when it likes, and an application that answers late, wrongly, twice or
//! not at all: still one reply for each command and each recipient, and one
//! ending for each transaction.

use std::collections::BTreeMap;

use lmtp_proto::bytes::Buf;
use lmtp_proto::client::Line;
use lmtp_proto::server::{Ask, BareNewlines, Config, Ending, Error, Event, Question, Server};
use lmtp_proto::{Instant, Machine, Output, RecipientId, Reply, TransactionId};
use lmtp_testkit::effort;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

#[derive(Debug, Clone)]
enum Act {
    /// The client says it, cut at that place.
    Say(&'static str, usize),
    /// The line takes so many octets.
    Write(usize),
    Answer(u16),
    /// Yes to this and all that follows.
    Yes,
    /// The same verdict for everybody.
    Verdicts(u16),
    Challenge,
    Verdict(u32, u16),
    GiveUp,
    ShutDown,
    TimeOut,
    Eof,
    WriteClosed,
}

const SAID: [&str; 36] = [
    "LHLO client.example\r\n",
    "LHLO client.example\r\nMAIL FROM:<ann@x>\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n",
    "MAIL FROM:<ann@x>\r\n",
    "MAIL FROM:<ann@x>\r\nRCPT TO:<a@x>\r\n",
    "MAIL FROM:<ann@x> BODY=BINARYMIME\r\n",
    "MAIL FROM:<ann@x> SIZE=99999\r\n",
    "RCPT TO:<a@x>\r\n",
    "RCPT TO:<a@x>\r\nRCPT TO:<a@x>\r\n",
    "RCPT TO:<a@x> FOO=1\r\n",
    "DATA\r\n",
    "DATA\r\nhi\r\n.\r\n",
    "hi\r\n.\r\n",
    "\r\n.\r\n",
    "bare\nnewline\r\n.\r\n",
    "QUITQUITQUITQUITQUITQUITQUITQUITQUIT\r\n.\r\n",
    "BDAT 4\r\nhi\r\n",
    "BDAT 4 LAST\r\nhi\r\n",
    "BDAT 0\r\n",
    "BDAT 0 LAST\r\n",
    "BDAT 2 LAST\r\n\nx",
    "BDAT 40\r\nQUITQUITQUITQUITQUITQUITQUITQUITQUIT\r\n\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "VRFY a\r\nEXPN a\r\nHELP\r\n",
    "FROB\r\n",
    "AUTH LOGIN\r\n",
    "AUTH PLAIN AGFubgBh\r\nYWFh\r\n*\r\n",
    "XCLIENT ADDR=192.0.2.1\r\n",
    "MAIL FROM:<ann@x>\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n",
    "MAIL FROM:<ann@x>\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n",
    "MAIL FROM:<ann@x>\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 4\r\nhi\r\nBDAT 2 LAST\r\nhi",
    "MAIL FROM:<ann@x>\r\nRCPT TO:<a@x>\r\nBDAT 3\r\nhi\rBDAT 2 LAST\r\n\nx",
    "\r\n.\r\n",
    "\r\n.\r\n",
    "STARTTLS\r\nNOOP\r\n",
    "LHLO client.example\r\n",
];

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let code = prop::sample::select(vec![250_u16, 250, 250, 250, 250, 250, 251, 354, 451, 550]);
    let final_code = prop::sample::select(vec![250_u16, 250, 354, 421, 452, 550]);
    let act = prop_oneof![
        240 => (prop::sample::select(SAID.to_vec()), 0_usize..60).prop_map(|(said, cut)| Act::Say(said, cut)),
        60 => (1_usize..500).prop_map(Act::Write),
        100 => code.prop_map(Act::Answer),
        200 => Just(Act::Yes),
        10 => Just(Act::Challenge),
        60 => (0_u32..3, final_code.clone()).prop_map(|(to, code)| Act::Verdict(to, code)),
        60 => final_code.prop_map(Act::Verdicts),
        8 => Just(Act::GiveUp),
        2 => Just(Act::TimeOut),
        1 => Just(Act::Answer(421)),
        1 => Just(Act::ShutDown),
        1 => Just(Act::Say("STARTTLS\r\n", 99)),
        1 => Just(Act::Say("QUIT\r\n", 99)),
        1 => Just(Act::Say("BDAT 9000 LAST\r\n", 99)),
        1 => Just(Act::Say("BDAT x\r\n", 99)),
    ];
    let last = prop_oneof![Just(Act::Eof), Just(Act::WriteClosed), Just(Act::ShutDown), Just(Act::TimeOut)];
    (prop::collection::vec(act, 0..60), last, prop::collection::vec(Just(Act::Answer(250)), 0..3)).prop_map(
        |(mut acts, last, rest)| {
            acts.push(last);
            acts.extend(rest);
            acts
        },
    )
}

struct Chaos {
    server: Server,
    now: Instant,
    sent: Vec<u8>,
    eof: bool,
    questions: Vec<Question>,
    answered: Vec<(TransactionId, u32)>,
    /// Accepted transactions, how many recipients each has, whether it is over.
    transactions: BTreeMap<TransactionId, (u32, Option<Ending>)>,
    ended: Option<Result<(), Error>>,
    lines: Vec<Line>,
}

impl Chaos {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(mut config: Config) -> Self {
        config.transcript = true;
        config.offer.binary_mime = true;
        config.offer.starttls = true;
        config.offer.auth = vec!["PLAIN".parse().unwrap(), "LOGIN".parse().unwrap()];
        config.offer.auth_in_clear = true;
        config.offer.xclient = vec!["ADDR".parse().unwrap()];
        config.limits.message_size = 30;
        config.limits.drained = 200;
        config.limits.recipients = 4;
        config.limits.backlog = 100;
        Self {
            server: Server::new(config),
            now: Instant::ORIGIN,
            sent: Vec::new(),
            eof: false,
            questions: Vec::new(),
            answered: Vec::new(),
            transactions: BTreeMap::new(),
            ended: None,
            lines: Vec::new(),
        }
    }

    /// Runs as far as it goes with `room` octets of room on the line; whether it
    /// may be read from.
    fn run(&mut self, mut room: usize) -> bool {
        for _ in 0..10_000 {
            let output = self.server.poll_output(self.now);
            if let Some(ended) = self.ended {
                assert_eq!(output, ended.map(|()| Output::Closed), "the end is final");
                return false;
            }
            match output {
                Ok(Output::Event(event)) => self.take(event),
                Ok(Output::Transmit) => {
                    let queue = self.server.transmit();
                    assert!(!queue.is_empty(), "asked to write nothing");
                    if room == 0 {
                        assert!(self.server.poll_timeout().is_some());
                        return false;
                    }
                    let count = queue.chunk().len().min(room);
                    self.sent.extend_from_slice(&queue.chunk()[..count]);
                    queue.advance(count);
                    room -= count;
                }
                Ok(Output::Receive) => {
                    assert!(!self.eof, "asked to read behind the end");
                    assert!(self.server.poll_timeout().is_some());
                    let input = self.server.input();
                    assert!(input.capacity() > input.len(), "no room");
                    return true;
                }
                Ok(Output::Wait) => {
                    assert!(self.server.poll_timeout().is_some());
                    return false;
                }
                Ok(Output::StartTls) => {
                    assert!(self.server.transmit().is_empty(), "TLS begins with octets in clear queued");
                    self.server.handle_tls();
                }
                Ok(Output::Closed) => self.ended = Some(Ok(())),
                Err(error) => self.ended = Some(Err(error)),
            }
        }
        panic!("it never comes to rest");
    }

    fn open(&self, id: TransactionId) -> u32 {
        let (count, ending) = self.transactions.get(&id).expect("an accepted transaction");
        assert_eq!(*ending, None, "something was heard of {id:?} behind its end");
        *count
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Question(question) => {
                match question.ask() {
                    Ask::Rcpt(id, place, ..) => assert_eq!(place.index(), self.open(*id) as usize),
                    Ask::Data(id) => assert!(self.open(*id) > 0),
                    _ => {}
                }
                self.questions.push(question);
            }
            Event::Content(id, octets) => {
                assert!(!octets.is_empty());
                assert!(self.open(id) > 0);
            }
            Event::End(id) => assert!(self.open(id) > 0),
            Event::Over(id, ending) => {
                self.open(id);
                self.transactions.get_mut(&id).unwrap().1 = Some(ending);
            }
            Event::Line(line) => self.lines.push(line),
            _ => {}
        }
    }

    /// Answers the oldest question that was asked; late ones are stale.
    fn answer(&mut self, code: u16) {
        if self.questions.is_empty() {
            return;
        }
        let question = self.questions.remove(0);
        let (mut mail, mut rcpt) = (None, None);
        match question.ask() {
            Ask::Mail(id, ..) => mail = Some(*id),
            Ask::Rcpt(id, ..) => rcpt = Some(*id),
            _ => {}
        }
        let result = self.server.answer(question, Reply::new(code, None, "because").unwrap());
        if result.is_ok() && (200..300).contains(&code) {
            if let Some(id) = mail {
                assert_eq!(self.transactions.insert(id, (0, None)), None);
            }
            if let Some(id) = rcpt {
                self.transactions.get_mut(&id).unwrap().0 += 1;
            }
        }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Say(said, cut) => {
                let (left, right) = said.as_bytes().split_at((*cut).min(said.len()));
                for piece in [left, right] {
                    if !self.eof && self.run(usize::MAX) {
                        self.server.input().extend_from_slice(piece);
                    }
                }
            }
            Act::Write(count) => drop(self.run(*count)),
            Act::Answer(code) => self.answer(*code),
            Act::Yes => {
                for _ in 0..20 {
                    self.answer(250);
                    self.run(usize::MAX);
                }
            }
            Act::Verdicts(code) => (0..4).for_each(|to| self.act(&Act::Verdict(to, *code))),
            Act::Challenge if !self.questions.is_empty() => {
                let question = self.questions.remove(0);
                let _ = self.server.challenge(question, b"more");
            }
            Act::Challenge => {}
            Act::Verdict(to, code) => {
                let Some((&id, _)) = self.transactions.last_key_value() else { return };
                let reply = Reply::new(*code, None, "verdict").unwrap();
                if self.server.verdict(id, RecipientId(*to), reply).is_ok() {
                    assert!(!self.answered.contains(&(id, *to)), "answered twice");
                    self.answered.push((id, *to));
                }
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
            Act::WriteClosed => self.server.handle_write_closed(),
        }
        self.run(0);
    }

    /// Lets all time pass.
    fn finish(&mut self) {
        for _ in 0..200 {
            self.run(usize::MAX);
            if self.ended.is_some() {
                break;
            }
            self.act(&Act::TimeOut);
        }
        assert!(self.ended.is_some(), "it outlives its deadlines");
        assert_eq!(self.server.poll_timeout(), None);
        for (id, (_, ending)) in &self.transactions {
            assert!(ending.is_some(), "{id:?} has no ending");
        }
    }

    /// Each command has its reply before the next, the end of the content as
    /// many as there are recipients; the last one may lack some.
    fn check_lines(&self) {
        let mut lines = self.lines.iter().peekable();
        let mut replies = || {
            let mut replies = Vec::new();
            while let Some(Line::Reply(reply)) = lines.peek() {
                replies.push(reply.code().get());
                lines.next();
            }
            let command = lines.next().map(|line| match line {
                Line::Command(command) => command.clone(),
                other => panic!("{other:?}"),
            });
            (replies, command)
        };
        let (mut before, mut in_transaction, mut accepted) = (String::from("(connected)"), false, 0_usize);
        loop {
            let (codes, next) = replies();
            let yes = codes.first().is_some_and(|code| *code < 300);
            let closed = codes.last() == Some(&421);
            let verb = before.split(' ').next().unwrap();
            let expected = match verb {
                "DATA" if codes.first() == Some(&354) => 1 + accepted,
                "BDAT" if before.ends_with("LAST") && in_transaction => accepted,
                _ => 1,
            };
            let at_end = next.is_none();
            assert!(
                codes.len() == expected
                    || (at_end && codes.len() < expected)
                    || (closed && codes.len() <= expected + 1),
                "{before}: {codes:?} instead of {expected}\n{:#?}",
                self.lines
            );
            assert!(at_end || !closed, "{before}: something behind 421");
            match verb {
                "MAIL" if yes => (in_transaction, accepted) = (true, 0),
                "RCPT" if yes => accepted += 1,
                "RSET" | "LHLO" if yes => in_transaction = false,
                "DATA" if codes.first() != Some(&503) => in_transaction = false,
                "BDAT" if before.ends_with("LAST") => in_transaction = false,
                _ => {}
            }
            let Some(next) = next else { return };
            before = next;
        }
    }

    /// What was written is whole replies, each 2yz, 4yz and 5yz with its code,
    /// but for the greetings and the reply to LHLO.
    fn check_octets(&self) {
        let sent = String::from_utf8(self.sent.clone()).expect("ASCII");
        assert!(sent.is_ascii() && !sent.contains('\0'));
        // The last line may have been given up in the middle.
        let (sent, _) = sent.rsplit_once("\r\n").unwrap_or_default();
        for line in sent.split("\r\n").filter(|line| !line.is_empty()) {
            assert!(!line.contains(['\r', '\n']), "{line:?}");
            let code = &line[..3];
            let plain = code == "220" || code == "354" || code == "334" || line.starts_with("250-");
            let plain = plain || line == "250 LIMITS RCPTMAX=4" || line == "250 XCLIENT ADDR";
            assert!(plain || line[4..].starts_with(&format!("{}.", &code[..1])), "{line}");
        }
    }
}

proptest! {
    #![proptest_config(effort::cases(2_000))]

    #[test]
    fn whatever_happens_all_are_answered(acts in acts()) {
        let mut chaos = Chaos::new();
        chaos.act(&Act::Answer(250));
        chaos.act(&Act::Say("LHLO client.example\r\n", 0));
        chaos.act(&Act::Answer(250));
        for act in &acts {
            chaos.act(act);
        }
        chaos.finish();
        chaos.check_lines();
        chaos.check_octets();
    }
}

type Outcome = (String, String, String, Option<Result<(), Error>>);

/// What comes of octets in such pieces, with an application that says yes and
/// 250 at once: what was written, the lines, the endings, the error.
fn outcome<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, newlines: BareNewlines) -> Outcome {
    let mut config = Config::default();
    config.bare_newlines = newlines;
    config.limits.errors = 5;
    config.limits.command_line = 60;
    let mut chaos = Chaos::with(config);
    let mut pieces = pieces.into_iter();
    loop {
        chaos.act(&Act::Yes);
        chaos.act(&Act::Verdicts(250));
        if chaos.run(usize::MAX) && chaos.questions.is_empty() {
            let Some(piece) = pieces.next() else { break };
            chaos.server.input().extend_from_slice(piece);
        } else if chaos.ended.is_some() {
            break;
        }
    }
    let sent = String::from_utf8(chaos.sent).unwrap();
    (sent, format!("{:#?}", chaos.lines), format!("{:?}", chaos.transactions), chaos.ended)
}

fn group() -> impl Strategy<Value = Vec<u8>> {
    let said = SAID.into_iter().filter(|said| !said.contains("STARTTLS")).collect::<Vec<_>>();
    let junk = "(BDAT [0-9]{1,2}( LAST)?\\r\\n)?[A-D .\r\n\0]{0,80}(\\r\\n(\\.\\r\\n)?)?";
    let part = prop_oneof![8 => prop::sample::select(said).prop_map(String::from), 1 => junk];
    prop::collection::vec(part, 1..12).prop_map(|parts| format!("LHLO x.example\r\n{}", parts.concat()).into_bytes())
}

proptest! {
    #![proptest_config(effort::cases(1_000))]

    /// Invariant 3: no limit, refusal or count of errors depends on how the
    /// octets were cut. (STARTTLS does: what is read with it comes before TLS.)
    #[test]
    fn no_decision_depends_on_the_cuts(octets in group(), cuts in prop::collection::vec(0_usize..400, 0..4)) {
        for newlines in [BareNewlines::Reject, BareNewlines::Convert, BareNewlines::Keep] {
            let whole = outcome([octets.as_slice()], newlines);
            prop_assert_eq!(&outcome(octets.chunks(1), newlines), &whole);
            let mut cuts: Vec<usize> = cuts.iter().map(|&cut| cut.min(octets.len())).chain([0, octets.len()]).collect();
            cuts.sort_unstable();
            prop_assert_eq!(&outcome(cuts.windows(2).map(|cut| &octets[cut[0]..cut[1]]), newlines), &whole);
        }
    }
}

/// The property would pass if nothing ever happened; this is what happens.
#[test]
fn chaos_comes_in_every_form() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..2_000 {
        let acts = acts().new_tree(&mut runner).unwrap().current();
        let mut chaos = Chaos::new();
        chaos.act(&Act::Answer(250));
        chaos.act(&Act::Say("LHLO client.example\r\n", 0));
        chaos.act(&Act::Answer(250));
        for act in &acts {
            chaos.act(act);
        }
        chaos.finish();
        for (count, ending) in chaos.transactions.values() {
            let ending = format!("{:?}", ending.as_ref().unwrap());
            let ending = ending.split('(').next().unwrap();
            *seen.entry(format!("{ending} {}", if *count > 1 { "for many" } else { "for few" })).or_default() += 1;
        }
        *seen.entry(format!("{:?}", chaos.ended.unwrap())).or_default() += 1;
        *seen.entry(format!("secured {}", chaos.server.is_secured())).or_default() += 1;
    }
    for what in [
        "Answered for few",
        "Answered for many",
        "Refused for few",
        "Refused for many",
        "Abandoned for few",
        "Abandoned for many",
        "Unheard for few",
        "Ok(())",
        "Err(Closed)",
        "Err(TimedOut)",
        "Err(LostInChunk)",
        "Err(TooMuch)",
        "Err(ClearOctets)",
        "secured true",
    ] {
        assert!(seen.get(what).is_some_and(|&count| count >= 3), "{what} is rare: {seen:#?}");
    }
}
