//! Whatever a server does, every recipient has exactly one true outcome.

use std::collections::{BTreeMap, VecDeque};

use lmtp_proto::client::{Chunking, Config, Pipelining};
use lmtp_proto::{Envelope, FaultKind, ForwardPath, Outcome, Report};
use lmtp_testkit::effort::cases;
use lmtp_testkit::evil::{Act, EvilServer, acts, converse, expected_of_each, expected_outcomes, go_on};
use lmtp_testkit::memory::{Message, Session};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const OFFERS: [&[&str]; 2] = [&["PIPELINING", "8BITMIME", "SIZE", "CHUNKING"], &["CHUNKING"]];

/// Two addresses for all: places count, addresses do not.
fn envelope(recipients: usize) -> Envelope {
    let to = (0..recipients).map(|place| ["bob@x", "eve@x"][place % 2].parse::<ForwardPath>().unwrap());
    Envelope::new("ann@x".parse().unwrap(), to).unwrap()
}

fn message() -> impl Strategy<Value = Message> {
    let line = prop_oneof![Just("."), Just("text"), Just("..dots"), Just("")];
    (prop::collection::vec(line, 0..6), 1_usize..30)
        .prop_map(|(lines, chunk)| Message { chunk, ..Message::new(lines.join("\r\n") + "\r\n") })
}

prop_compose! {
    fn setting()(recipients in 1_usize..6)(
        recipients in Just(recipients),
        honest_acts in acts(recipients, true),
        any_acts in acts(recipients, false),
        pipelining in any::<bool>(),
        window in 1_usize..8,
        chunking in any::<bool>(),
        message in message(),
        piece in prop_oneof![Just(1_usize), 1_usize..40, Just(usize::MAX)],
        write in prop_oneof![Just(1_usize), 1_usize..40, Just(usize::MAX)],
    ) -> Setting {
        Setting { recipients, honest_acts, any_acts, pipelining, window, chunking, message, piece, write }
    }
}

#[derive(Debug, Clone)]
struct Setting {
    recipients: usize,
    honest_acts: Vec<Act>,
    any_acts: Vec<Act>,
    pipelining: bool,
    window: usize,
    chunking: bool,
    message: Message,
    piece: usize,
    write: usize,
}

impl Setting {
    fn config(&self) -> Config {
        let mut config = Config::default();
        config.pipelining = if self.pipelining { Pipelining::Auto } else { Pipelining::Off };
        config.limits.pipelined_commands = self.window;
        config.limits.outstanding_chunks = self.window;
        config.chunking = if self.chunking { Chunking::Always } else { Chunking::Off };
        config
    }

    /// The message of this setting, sent to a server that acts so.
    fn play(&self, acts: &[Act], message: &Message) -> (Session, EvilServer) {
        let mut server = EvilServer::new(acts.to_vec(), OFFERS[usize::from(!self.pipelining)]);
        let mut session = Session::new(self.config(), envelope(self.recipients), message.clone());
        converse(&mut session, &mut server, (self.piece, self.write), lost_here);
        (session, server)
    }
}

impl Setting {
    /// Several messages, sent as fast as the client takes them.
    fn play_all(&self, acts: &[Act], messages: &[Message], depth: usize, quits: bool) -> (Session, EvilServer) {
        let mut server = EvilServer::new(acts.to_vec(), OFFERS[usize::from(!self.pipelining)]);
        let mut config = self.config();
        config.depth = depth;
        let mut session = Session::idle(config, Message::new(""));
        session.pending = messages.iter().map(|message| (envelope(self.recipients), message.clone())).collect();
        session.leaves = quits;
        converse(&mut session, &mut server, (self.piece, self.write), all_lost_here);
        (session, server)
    }
}

fn outcomes(session: &Session) -> Vec<Vec<Outcome>> {
    let of = |report: &Report| report.recipients().map(|recipient| recipient.outcome()).collect();
    session.reports.iter().map(of).collect()
}

/// The same of every message.
fn all_lost_here(session: &Session, server: &EvilServer) {
    for report in session.client.reports() {
        let place = usize::try_from(report.transaction().0).unwrap();
        let stored = server.transactions.get(place).is_some_and(|seen| seen.stored);
        for recipient in report.recipients() {
            match recipient.outcome() {
                Outcome::Delivered => assert!(stored || server.babbled),
                Outcome::Unsent => assert!(!stored, "would be unsent, and is stored"),
                Outcome::Temporary | Outcome::Permanent | Outcome::Uncertain => {}
            }
        }
    }
}

/// Invariant 37: wherever the client is dropped, what it could report there is
/// true.
fn lost_here(session: &Session, server: &EvilServer) {
    let Some(report) = session.client.report() else { return };
    for recipient in report.recipients() {
        match recipient.outcome() {
            Outcome::Delivered => assert!(server.stored || server.babbled),
            Outcome::Unsent => assert!(!server.stored, "would be unsent, and is stored"),
            Outcome::Temporary | Outcome::Permanent | Outcome::Uncertain => {}
        }
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    /// A server that keeps to the protocol: the outcomes are those that a naive
    /// reading of its log gives.
    #[test]
    fn an_honest_server_is_understood(setting in setting()) {
        lmtp_testkit::proves!("R2033-4-b", "R2033-4.2-h", "R2033-4.2-i", "R2033-4.2-k", "R2033-5-j");
        lmtp_testkit::proves!("R2034-4-f", "R2920-3.1-d", "R2920-3.1-f", "R5321-4.2-b", "R5321-4.2-d");
        let (session, server) = setting.play(&setting.honest_acts, &setting.message);
        let report = session.report.as_ref().expect("a report");
        let expected = expected_outcomes(&server.log, setting.recipients);
        let silent = if server.ended { Outcome::Uncertain } else { Outcome::Unsent };
        let expected: Vec<_> = expected.into_iter().map(|outcome| outcome.unwrap_or(silent)).collect();
        let got: Vec<_> = report.recipients().map(|recipient| recipient.outcome()).collect();
        prop_assert_eq!(&got, &expected, "log {:?}, error {:?}", server.log, session.error);
        // What is stored is what was sent, octet by octet.
        for stored in &server.messages {
            prop_assert_eq!(stored, &session.message.octets);
        }
        // An error explains silence, and nothing else.
        prop_assert_eq!(report.error().is_some(), got.iter().any(|outcome| matches!(outcome, Outcome::Unsent | Outcome::Uncertain)));
    }

    /// A server that does anything: invariants 29 to 32.
    #[test]
    fn an_evil_server_cannot_make_us_lie(setting in setting()) {
        let (session, server) = setting.play(&setting.any_acts, &setting.message);
        let report = session.report.as_ref().expect("a report");
        prop_assert_eq!(report.recipients().len(), setting.recipients);
        let ends = |octets: &[u8]| octets == b"\r\n.\r\n" || octets == b"LAST\r";
        let handed_over = session.sent.windows(5).any(ends);
        for recipient in report.recipients() {
            match recipient.outcome() {
                Outcome::Delivered => {
                    prop_assert!(handed_over);
                    prop_assert!(server.stored || server.babbled, "delivered and not stored: {:?}", server.log);
                }
                Outcome::Unsent => prop_assert!(!server.stored, "unsent and stored: {:?}", server.log),
                Outcome::Uncertain => prop_assert!(session.error.is_some()),
                Outcome::Temporary | Outcome::Permanent => prop_assert!(recipient.reply().is_some()),
            }
        }
        // Whatever was doubtful ends the connection.
        if session.error.is_some() {
            prop_assert!(!session.client.is_ready());
        }
    }

    /// Two messages over one connection, the second after whatever the first
    /// came to: its answers are its own (invariants 11, 33).
    #[test]
    fn the_second_message_has_answers_of_its_own(setting in setting(), second in acts(5, true)) {
        lmtp_testkit::proves!("R2033-4.2-n");
        let (mut session, mut server) = setting.play(&setting.honest_acts, &setting.message);
        let alive = session.client.is_ready() && !server.closed;
        server.start_over(second);
        session.deliver(envelope(setting.recipients));
        if session.report.is_none() {
            go_on(&mut session, &mut server, VecDeque::new(), (setting.piece, setting.write), lost_here);
        }
        let report = session.report.as_ref().expect("a report");
        let got: Vec<_> = report.recipients().map(|recipient| recipient.outcome()).collect();
        if alive && server.log.first().is_none_or(|(to, code)| to != "RSET" || code.is_some_and(|code| code / 100 == 2)) {
            let silent = if server.ended { Outcome::Uncertain } else { Outcome::Unsent };
            let log: Vec<_> = server.log.iter().filter(|(to, _)| to != "RSET").cloned().collect();
            let expected: Vec<_> =
                expected_outcomes(&log, setting.recipients).into_iter().map(|outcome| outcome.unwrap_or(silent)).collect();
            prop_assert_eq!(&got, &expected, "log {:?}, error {:?}", server.log, session.error);
        } else {
            prop_assert!(got.iter().all(|outcome| *outcome == Outcome::Unsent), "{:?} {:?}", got, server.log);
        }
    }

    /// Messages behind one another, each begun while the answers to the one
    /// before are open: to an honest server each has the answers that a naive
    /// reading of the server's log gives, whatever became of the others.
    #[test]
    fn messages_behind_one_another_have_answers_of_their_own(
        setting in setting(),
        honest_acts in acts(8, true),
        messages in prop::collection::vec(message(), 1..5),
        depth in 1_usize..4,
        quits in any::<bool>(),
    ) {
        let (session, server) = setting.play_all(&honest_acts, &messages, depth, quits);
        let expected = expected_of_each(&server.transactions, messages.len(), setting.recipients);
        prop_assert_eq!(outcomes(&session), expected, "{:?}, error {:?}", server.transactions, session.error);
        let stored: Vec<_> = server.transactions.iter().zip(&messages).filter(|(seen, _)| seen.stored).map(|(_, message)| &message.octets).collect();
        prop_assert_eq!(server.messages.iter().collect::<Vec<_>>(), stored);
    }

    /// The same to a server that does anything: nothing is told to be delivered
    /// or unsent that is not, and what was not ended is never uncertain.
    #[test]
    fn an_evil_server_cannot_make_us_lie_about_any_of_them(
        setting in setting(),
        any_acts in acts(8, false),
        messages in prop::collection::vec(message(), 1..5),
        depth in 1_usize..4,
        quits in any::<bool>(),
    ) {
        let (session, server) = setting.play_all(&any_acts, &messages, depth, quits);
        let got = outcomes(&session);
        prop_assert_eq!(got.len(), messages.len());
        for (place, outcomes) in got.iter().enumerate() {
            prop_assert_eq!(outcomes.len(), setting.recipients);
            let stored = server.transactions.get(place).is_some_and(|seen| seen.stored);
            for outcome in outcomes {
                match outcome {
                    Outcome::Delivered => prop_assert!(stored || server.babbled),
                    Outcome::Unsent => prop_assert!(!stored),
                    Outcome::Uncertain => prop_assert!(session.error.is_some()),
                    Outcome::Temporary | Outcome::Permanent => {}
                }
            }
        }
        // Only the one whose end was on its way can be uncertain.
        prop_assert!(got.iter().filter(|outcomes| outcomes.contains(&Outcome::Uncertain)).count() <= 1);
    }

    /// What a server takes is obeyed (RFC 9422), and nobody is forgotten: who is
    /// not asked for is unsent, for that reason.
    #[test]
    fn limits_are_obeyed(setting in setting(), messages in 1_usize..5, most in 1_usize..6, most_messages in 1_usize..6) {
        let limits = format!("LIMITS RCPTMAX={most} MAILMAX={most_messages}");
        let mut offers = OFFERS[usize::from(!setting.pipelining)].to_vec();
        offers.push(&limits);
        let mut server = EvilServer::new(Vec::new(), &offers);
        let mut session = Session::idle(setting.config(), Message::new(""));
        session.pending = (0..messages).map(|_| (envelope(setting.recipients), setting.message.clone())).collect();
        converse(&mut session, &mut server, (setting.piece, setting.write), |_, _| {});
        // The rest is for another connection, and says so.
        prop_assert_eq!(session.client.needs_new_connection(), messages >= most_messages);
        for (envelope, message) in std::mem::take(&mut session.pending) {
            session.try_deliver(envelope, message).unwrap();
        }
        prop_assert_eq!(session.reports.len(), messages);
        prop_assert_eq!(server.transactions.len(), messages.min(most_messages));
        for (place, report) in session.reports.iter().enumerate() {
            let delivered = if place < most_messages { setting.recipients.min(most) } else { 0 };
            let expected = (0..setting.recipients).map(|recipient| if recipient < delivered { Outcome::Delivered } else { Outcome::Unsent });
            prop_assert!(report.recipients().map(|recipient| recipient.outcome()).eq(expected));
            let limit = report.error().map(lmtp_proto::Fault::kind);
            prop_assert_eq!(limit, (delivered < setting.recipients).then_some(FaultKind::Limit));
        }
        prop_assert_eq!(session.error, None);
    }

    /// A message that cannot be read to its end is stored by nobody, wherever it
    /// fails and however much of it had left.
    #[test]
    fn a_failing_body_is_never_stored(setting in setting(), place in 0_usize..40) {
        let mut message = setting.message.clone();
        message.fails_at = Some(place.min(message.octets.len()));
        let (session, server) = setting.play(&[], &message);
        prop_assert!(!server.stored);
        let report = session.report.expect("a report");
        prop_assert!(report.recipients().all(|recipient| recipient.outcome() == Outcome::Unsent));
        prop_assert_eq!(report.error().map(lmtp_proto::Fault::kind), Some(FaultKind::Body));
    }

    /// So is one that holds what must not be sent, wherever it stands.
    #[test]
    fn forbidden_octets_are_never_stored(setting in setting(), place in 0_usize..40, bad in prop_oneof![Just("\r"), Just("\n"), Just("\0"), Just("\u{e9}")]) {
        lmtp_testkit::proves!("R5321-2.3.8-b", "R5321-2.4-c", "R6152-3-b", "SMUG-practice-c");
        let mut message = setting.message.clone();
        let mut place = place.min(message.octets.len());
        // Not between CR and LF, where an LF or CR more would make other pairs.
        if place > 0 && message.octets[place - 1] == b'\r' {
            place -= 1;
        }
        message.octets.splice(place..place, bad.bytes());
        // Nobody offers 8BITMIME here.
        let mut server = EvilServer::new(Vec::new(), if setting.pipelining { &["PIPELINING", "CHUNKING"] } else { &["CHUNKING"] });
        let mut session = Session::new(setting.config(), envelope(setting.recipients), message);
        converse(&mut session, &mut server, (setting.piece, setting.write), lost_here);
        prop_assert!(!server.stored);
        let report = session.report.expect("a report");
        prop_assert!(report.recipients().all(|recipient| recipient.outcome() == Outcome::Unsent));
        prop_assert_eq!(report.error().map(lmtp_proto::Fault::kind), Some(FaultKind::Body));
        let paired = String::from_utf8_lossy(&session.sent).replace("\r\n", "");
        prop_assert!(!paired.contains(['\r', '\n', '\0', '\u{e9}']), "{:?}", paired);
    }
}

/// The generator reaches what it is there for: each outcome, and each way to
/// fail.
#[test]
fn evil_comes_in_every_form() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..3000 {
        let setting = setting().new_tree(&mut runner).unwrap().current();
        let (session, _) = setting.play(&setting.any_acts, &setting.message);
        for recipient in session.report.as_ref().unwrap().recipients() {
            *seen.entry(recipient.outcome().to_string()).or_default() += 1;
        }
        if let Some(error) = session.error {
            let name = format!("{error:?}");
            let variant = name.split([' ', '(', '{']).next().unwrap().to_string();
            *seen.entry(variant).or_default() += 1;
        }
    }
    for (name, least) in [
        ("delivered", 1000),
        ("temporary", 300),
        ("permanent", 150),
        ("uncertain", 150),
        ("unsent", 1000),
        ("Closed", 200),
        ("TimedOut", 100),
        ("Refused", 100),
        ("Closing", 50),
        ("Syntax", 50),
        ("Unexpected", 100),
        ("Unsolicited", 50),
        ("StrayOctets", 5),
        ("Limit", 100),
    ] {
        assert!(seen.get(name).copied().unwrap_or(0) >= least, "{name} is too rare: {seen:?}");
    }
}
