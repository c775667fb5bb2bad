//! Conversations that are made up, judged by a slow model, and shrunk when they fail.

use std::cell::Cell;
use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof};
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::conversation::Conversation;
use crate::reply::Reader;
use crate::run::shown;

/// A thing that a client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Say {
    Lhlo,
    Mail,
    Rcpt,
    /// A RCPT that cannot be read.
    BadRcpt,
    Rset,
    Noop,
    Unknown,
    Data(Body),
    Chunk {
        last: bool,
    },
}

/// What follows the 354.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Plain,
    Dots,
    Commands,
    LfDot,
    CrDot,
}

impl Body {
    fn octets(self) -> &'static [u8] {
        match self {
            Self::Plain => b"Subject: a\r\n\r\nx\r\n.\r\n",
            Self::Dots => b"Subject: a\r\n\r\n..\r\n...x\r\n.\r\n",
            Self::Commands => b"Subject: a\r\n\r\nRSET\r\nQUIT\r\n.\r\n",
            Self::LfDot => b"Subject: a\r\n\r\nx\n.\nRSET\r\n.\r\n",
            Self::CrDot => b"Subject: a\r\n\r\nx\r.\r\nRSET\r\n.\r\n",
        }
    }
}

/// A thing said, and whether the replies are awaited before the next.
type Step = (Say, bool);

/// What a session is, by RFC 2033 and RFC 5321: as slow and plain as can be.
#[derive(Debug, Default)]
struct Model {
    knows_client: bool,
    has_sender: bool,
    recipients: usize,
    has_chunks: bool,
}

impl Model {
    fn reset(&mut self) {
        *self = Self { knows_client: self.knows_client, ..Self::default() };
    }

    /// Whether no document says what comes of it: a chunk that nobody is to have, RCPT among chunks.
    fn leaves_open(&self, say: Say) -> bool {
        match say {
            Say::Chunk { last: false } => self.has_sender && self.recipients == 0,
            Say::Rcpt => self.has_chunks,
            _ => false,
        }
    }

    /// How many messages are delivered at most by what is said next.
    fn messages(&self, say: Say) -> usize {
        match say {
            Say::Data(_) if self.has_chunks => 0,
            Say::Data(_) | Say::Chunk { last: true } => self.recipients,
            _ => 0,
        }
    }

    /// The codes that are due, `y` for any digit; DATA that is taken has 354 first.
    fn replies(&mut self, say: Say) -> Vec<&'static str> {
        let one = match say {
            Say::Lhlo => {
                self.reset();
                self.knows_client = true;
                "250"
            }
            Say::Mail if self.knows_client && !self.has_sender => {
                self.has_sender = true;
                "250"
            }
            Say::Rcpt if self.has_sender => {
                self.recipients += 1;
                "25y"
            }
            Say::Rset => {
                self.reset();
                "250"
            }
            Say::Noop => "250",
            Say::Unknown => "500",
            Say::BadRcpt => "5yz",
            Say::Data(_) if self.recipients > 0 && !self.has_chunks => {
                let count = self.recipients;
                self.reset();
                return std::iter::once("354").chain(std::iter::repeat_n("yyy", count)).collect();
            }
            Say::Chunk { last: true } if self.recipients > 0 => {
                let count = self.recipients;
                self.reset();
                return vec!["yyy"; count];
            }
            // RFC 2033 section 4.3: no recipient, no reply.
            Say::Chunk { last: true } if self.has_sender => {
                self.reset();
                return Vec::new();
            }
            Say::Chunk { last: false } if self.recipients > 0 => {
                self.has_chunks = true;
                "250"
            }
            Say::Mail | Say::Rcpt | Say::Data(_) | Say::Chunk { .. } => "503",
        };
        vec![one]
    }
}

fn steps(chunking: bool) -> impl Strategy<Value = Vec<Step>> {
    let body =
        prop_oneof![Just(Body::Plain), Just(Body::Dots), Just(Body::Commands), Just(Body::LfDot), Just(Body::CrDot)];
    let say = prop_oneof![
        1 => Just(Say::Lhlo),
        4 => Just(Say::Mail),
        6 => Just(Say::Rcpt),
        1 => Just(Say::BadRcpt),
        1 => Just(Say::Rset),
        1 => Just(Say::Noop),
        1 => Just(Say::Unknown),
        4 => body.prop_map(Say::Data),
        if chunking { 3 } else { 0 } => any::<bool>().prop_map(|last| Say::Chunk { last }),
    ];
    vec((say, any::<bool>()), 1..14)
}

/// A conversation in which the server did what it should not, as short as it could be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counterexample {
    /// What the server did.
    pub why: String,
    /// Lines of `C:` and `S:`.
    pub transcript: Vec<String>,
}

/// How conversations are made up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The same seed makes the same conversations.
    pub seed: u64,
    /// How many.
    pub cases: u32,
    /// An address that the server accepts.
    pub good: String,
    /// Whether the server offers CHUNKING.
    pub chunking: bool,
}

impl Settings {
    fn runner(&self) -> TestRunner {
        let config = ProptestConfig {
            cases: self.cases,
            failure_persistence: None,
            max_shrink_iters: 2_000,
            ..ProptestConfig::default()
        };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
    }

    /// What is said, and how many octets at a time.
    fn conversations(&self) -> impl Strategy<Value = (Vec<Step>, usize)> + use<> {
        (steps(self.chunking), prop_oneof![Just(usize::MAX), 1..40_usize])
    }

    /// How many messages the conversations deliver at most if none fails, one for each recipient.
    pub fn messages(&self) -> usize {
        let count = Cell::new(0);
        let counted = self.runner().run(&self.conversations(), |(steps, _)| {
            let mut model = Model::default();
            for &(say, _) in std::iter::once(&(Say::Lhlo, true)).chain(&steps) {
                if !model.leaves_open(say) {
                    count.set(count.get() + model.messages(say));
                    model.replies(say);
                }
            }
            Ok(())
        });
        debug_assert!(counted.is_ok(), "nothing fails");
        count.get()
    }
}

/// Holds made-up conversations, each on a connection of its own.
pub fn hold<C: Conversation>(settings: &Settings, connect: impl FnMut() -> C) -> Result<(), Counterexample> {
    hold_within(settings, usize::MAX, connect)
}

/// Holds made-up conversations that deliver no more than `most` messages together: what would deliver more is left out.
pub fn hold_within<C: Conversation>(
    settings: &Settings,
    most: usize,
    mut connect: impl FnMut() -> C,
) -> Result<(), Counterexample> {
    let connect = std::cell::RefCell::new(&mut connect);
    let left = Cell::new(most);
    let result = settings.runner().run(&settings.conversations(), |(steps, cut)| {
        let mut conversation = (connect.borrow_mut())();
        play(&steps, cut, &settings.good, &left, &mut conversation, &mut Vec::new()).map_err(TestCaseError::fail)
    });
    match result {
        Ok(()) => Ok(()),
        Err(TestError::Abort(why)) => Err(Counterexample { why: why.to_string(), transcript: Vec::new() }),
        Err(TestError::Fail(why, (steps, cut))) => {
            let mut transcript = Vec::new();
            let again = play(&steps, cut, &settings.good, &left, &mut (connect.borrow_mut())(), &mut transcript);
            Err(Counterexample { why: again.err().unwrap_or_else(|| format!("{why}, but not again")), transcript })
        }
    }
}

fn play(
    steps: &[Step],
    cut: usize,
    good: &str,
    left: &Cell<usize>,
    conversation: &mut impl Conversation,
    transcript: &mut Vec<String>,
) -> Result<(), String> {
    let mut reader = Reader::default();
    let mut model = Model::default();
    let mut ahead = Vec::new();
    let mut due = vec!["220"];
    // The greeting is waited for (RFC 5321 section 3.1).
    exchange(&mut ahead, &mut due, cut, conversation, &mut reader, transcript)?;
    let everything = std::iter::once(&(Say::Lhlo, true)).chain(steps);
    for &(say, waits) in everything {
        let messages = model.messages(say);
        if model.leaves_open(say) || messages > left.get() {
            continue;
        }
        left.set(left.get() - messages);
        ahead.extend_from_slice(&words(say, good));
        let mut replies = model.replies(say);
        if let Say::Data(body) = say
            && replies[0] == "354"
        {
            let finals = replies.split_off(1);
            due.append(&mut replies);
            // The content has to wait for its 354.
            exchange(&mut ahead, &mut due, cut, conversation, &mut reader, transcript)?;
            ahead.extend_from_slice(body.octets());
            replies = finals;
        }
        // Behind DATA or BDAT out of order there has to be RSET (RFC 3030 section 2).
        if matches!(say, Say::Data(_) | Say::Chunk { .. }) && replies == ["503"] {
            ahead.extend_from_slice(&words(Say::Rset, good));
            replies.extend(model.replies(Say::Rset));
        }
        due.append(&mut replies);
        if waits {
            exchange(&mut ahead, &mut due, cut, conversation, &mut reader, transcript)?;
        }
    }
    ahead.extend_from_slice(b"QUIT\r\n");
    due.push("221");
    exchange(&mut ahead, &mut due, cut, conversation, &mut reader, transcript)
}

fn words(say: Say, good: &str) -> Vec<u8> {
    match say {
        Say::Lhlo => b"LHLO conformance.example\r\n".to_vec(),
        Say::Mail => b"MAIL FROM:<sender@conformance.example>\r\n".to_vec(),
        Say::Rcpt => format!("RCPT TO:<{good}>\r\n").into_bytes(),
        Say::BadRcpt => b"RCPT\r\n".to_vec(),
        Say::Rset => b"RSET\r\n".to_vec(),
        Say::Noop => b"NOOP\r\n".to_vec(),
        Say::Unknown => b"XYZZY\r\n".to_vec(),
        Say::Data(_) => b"DATA\r\n".to_vec(),
        Say::Chunk { last } => format!("BDAT 12{}\r\nSubject: a\r\n", if last { " LAST" } else { "" }).into_bytes(),
    }
}

fn exchange(
    ahead: &mut Vec<u8>,
    due: &mut Vec<&'static str>,
    cut: usize,
    conversation: &mut impl Conversation,
    reader: &mut Reader,
    transcript: &mut Vec<String>,
) -> Result<(), String> {
    transcript.extend(ahead.split_inclusive(|&octet| octet == b'\n').map(|line| format!("C: {}", shown(line))));
    for piece in ahead.chunks(cut) {
        conversation.send(piece);
    }
    ahead.clear();
    for want in due.drain(..) {
        let reply = reader.reply(conversation).map_err(|error| {
            transcript.push(format!("S: ({error})"));
            format!("{error}, where {want} was due")
        })?;
        let mut line = format!("S: {}", reply.code);
        let _ = write!(line, " {}", reply.lines[0]);
        transcript.push(line);
        if !crate::run::matches(want, reply.code) {
            return Err(format!("{} where {want} was due", reply.code));
        }
    }
    Ok(())
}
