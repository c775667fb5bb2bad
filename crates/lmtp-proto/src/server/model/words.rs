//! What may happen in a session: what the client says, what the application does.

use alloc::format;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::reference::{Question, Reference};

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// The client says something.
    Say(Word),
    /// The application answers the question in hand with this code.
    Answer(u16),
    /// It answers with yes, in the machine's words.
    Accept,
    /// It answers with a challenge, which fits AUTH only.
    Challenge,
    /// It answers with 235, which fits AUTH only.
    Authenticated,
    /// It drops the question in hand.
    Drop,
    /// It answers all the questions that were answered for it.
    AnswerLate,
    /// It gives its verdict on a recipient of the last transaction.
    Verdict(u32, u16),
    /// It has failed.
    GiveUp,
    /// The session is to end at the next safe place.
    ShutDown,
    /// Time passes, up to the deadline.
    TimeOut,
    /// The client is gone.
    Eof,
}

/// What the client says: a command line, with its chunk if it is BDAT, a response
/// in an AUTH exchange, or a line of content. Each may be said at any time, and
/// is then what the session takes it for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Lhlo,
    Mail(Mail),
    Rcpt,
    /// RCPT with a parameter that nobody knows.
    RcptWithMore,
    Data,
    Bdat {
        octets: &'static str,
        last: bool,
    },
    Rset,
    Noop,
    Vrfy,
    Expn,
    Help,
    Quit,
    StartTls,
    /// AUTH by a mechanism that is offered, if anything is.
    Auth,
    /// AUTH by a mechanism that is not.
    AuthUnknown,
    Xclient,
    Xforward,
    /// An attribute that is not asked for.
    XclientWithMore,
    XforwardWithMore,
    Trace,
    /// A line that is no command, and its code: a response, a line of content, or
    /// nonsense.
    Line(&'static str, u16),
    /// A BDAT whose chunk cannot be told from commands.
    LostBdat(&'static str),
    /// More than any line may have.
    TooLong,
}

/// What MAIL says beside the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mail {
    Plain,
    /// BODY=BINARYMIME.
    Binary,
    /// SIZE, beyond the limit.
    TooLarge,
    /// A parameter that nobody knows.
    More,
}

/// Lines that are no command, responses among them.
const LINES: [(&str, u16); 12] = [
    ("", 500),
    ("FROB", 500),
    ("EHLO client.example", 500),
    ("MAIL FROM:<", 501),
    ("RCPT TO:<@>", 501),
    ("DATA now", 501),
    ("*", 500),
    ("AGFubgBh", 500),
    ("AGEAYg==", 500),
    ("NO\nOP", 500),
    ("NO\0OP", 500),
    ("=", 500),
];

/// Lines of content; as commands they are nonsense.
const CONTENT: [(&str, u16); 9] = [
    ("hi", 500),
    ("hi there", 500),
    ("..", 500),
    (".a", 500),
    ("", 500),
    ("a\rb", 500),
    ("a\nb", 500),
    ("a\0b", 500),
    ("0123456789012345", 500),
];

const CHUNKS: [&str; 9] = [
    "",
    "hi\r\n",
    "\r",
    "\n",
    "a\nb",
    "0123456789",
    ".\r\n",
    "a\0",
    "01234567890123456789012345678901234567890123456789",
];

impl Word {
    pub(super) fn octets(self) -> Vec<u8> {
        let line = match self {
            Self::Lhlo => "LHLO client.example",
            Self::Mail(Mail::Plain) => "MAIL FROM:<ann@x>",
            Self::Mail(Mail::Binary) => "MAIL FROM:<ann@x> BODY=BINARYMIME",
            Self::Mail(Mail::TooLarge) => "MAIL FROM:<ann@x> SIZE=31",
            Self::Mail(Mail::More) => "MAIL FROM:<ann@x> FOO=1",
            Self::Rcpt => "RCPT TO:<bob@x>",
            Self::RcptWithMore => "RCPT TO:<bob@x> FOO=1",
            Self::Data => "DATA",
            Self::Bdat { octets, last } => {
                let last = if last { " LAST" } else { "" };
                return format!("BDAT {}{last}\r\n{octets}", octets.len()).into_bytes();
            }
            Self::Rset => "RSET",
            Self::Noop => "NOOP",
            Self::Vrfy => "VRFY bob",
            Self::Expn => "EXPN all",
            Self::Help => "HELP",
            Self::Quit => "QUIT",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH LOGIN",
            Self::AuthUnknown => "AUTH FROB",
            Self::Xclient => "XCLIENT ADDR=192.0.2.1",
            Self::Xforward => "XFORWARD ADDR=192.0.2.1",
            Self::XclientWithMore => "XCLIENT NAME=x",
            Self::XforwardWithMore => "XFORWARD NAME=x",
            Self::Trace => "TRACE x",
            Self::Line(line, _) | Self::LostBdat(line) => line,
            Self::TooLong => return [&[b'x'; 300][..], b"\r\n"].concat(),
        };
        format!("{line}\r\n").into_bytes()
    }

    /// Whether what is said ends in the middle of a line, when it is taken for
    /// lines.
    pub(super) fn ends_inside(self) -> bool {
        matches!(self, Self::Bdat { octets, .. } if !octets.is_empty())
    }
}

/// What may happen next: what leads on, more often than not.
pub(super) fn acts(at: &Reference) -> BoxedStrategy<Act> {
    let (on, anything) = (leading_on(at), prop_oneof![12 => any_word().prop_map(Act::Say), 3 => any_deed()]);
    prop_oneof![4 => on, 1 => anything].boxed()
}

fn leading_on(at: &Reference) -> BoxedStrategy<Act> {
    let codes = |codes: &[u16]| prop::sample::select(codes.to_vec());
    let lines = |lines: &[(&'static str, u16)]| prop::sample::select(lines.to_vec());
    let say = |words: &[Word]| prop::sample::select(words.to_vec()).prop_map(Act::Say).boxed();
    let verdict =
        || (0..4_u32, codes(&[250, 250, 250, 452, 550, 354, 421])).prop_map(|(to, code)| Act::Verdict(to, code));
    match at.question() {
        Some(Question::Auth) => {
            return prop_oneof![
                Just(Act::Authenticated),
                Just(Act::Challenge),
                codes(&[535, 454]).prop_map(Act::Answer)
            ]
            .boxed();
        }
        Some(_) => {
            let code = codes(&[250, 251, 250, 354, 451, 550, 552]).prop_map(Act::Answer);
            return prop_oneof![6 => Just(Act::Accept), 3 => code].boxed();
        }
        None => {}
    }
    if at.is_answering() {
        return verdict().boxed();
    }
    if at.is_in_content() {
        let line = lines(&CONTENT).prop_map(|(line, code)| Act::Say(Word::Line(line, code)));
        let good = Just(Act::Say(Word::Line("hi", 500)));
        let dot = Just(Act::Say(Word::Line(".", 500)));
        return prop_oneof![3 => line, 2 => good, 4 => dot, 1 => verdict()].boxed();
    }
    if at.is_authenticating() {
        let line = lines(&LINES).prop_map(|(line, code)| Act::Say(Word::Line(line, code)));
        return prop_oneof![Just(Act::Say(Word::Line("AGFubgBh", 500))), line].boxed();
    }
    if !at.has_lhlo() {
        return say(&[Word::Lhlo, Word::Lhlo, Word::Lhlo, Word::StartTls]);
    }
    let chunk = (prop::sample::select(CHUNKS.to_vec()), any::<bool>())
        .prop_map(|(octets, last)| Act::Say(Word::Bdat { octets, last }));
    match at.recipients() {
        None => {
            let others = [Word::Mail(Mail::Binary), Word::Auth, Word::StartTls, Word::Xclient, Word::Xforward];
            prop_oneof![5 => say(&[Word::Mail(Mail::Plain)]), 1 => say(&others)].boxed()
        }
        Some(0) => prop_oneof![6 => say(&[Word::Rcpt]), 1 => chunk].boxed(),
        Some(_) if at.is_in_chunks() => chunk.boxed(),
        Some(_) => {
            let deed = prop_oneof![verdict(), Just(Act::GiveUp)];
            prop_oneof![6 => say(&[Word::Rcpt]), 8 => say(&[Word::Data]), 6 => chunk, 3 => deed].boxed()
        }
    }
}

fn any_word() -> impl Strategy<Value = Word> {
    let mails = [Mail::Plain, Mail::Binary, Mail::TooLarge, Mail::More].map(Word::Mail);
    let rare = [Word::Quit, Word::LostBdat("BDAT x"), Word::LostBdat("BDAT 1\0"), Word::LostBdat("BDAT 1\nNOOP")];
    let others = [
        Word::Lhlo,
        Word::Rcpt,
        Word::RcptWithMore,
        Word::Data,
        Word::Rset,
        Word::Noop,
        Word::Vrfy,
        Word::Expn,
        Word::Help,
        Word::StartTls,
        Word::Auth,
        Word::AuthUnknown,
        Word::Xclient,
        Word::Xforward,
        Word::XclientWithMore,
        Word::XforwardWithMore,
        Word::Trace,
        Word::TooLong,
    ];
    let lines = [&LINES[..], &CONTENT[..]].concat();
    prop_oneof![
        4 => prop::sample::select(mails.to_vec()),
        36 => prop::sample::select(others.to_vec()),
        8 => (prop::sample::select(CHUNKS.to_vec()), any::<bool>()).prop_map(|(octets, last)| Word::Bdat { octets, last }),
        8 => prop::sample::select(lines).prop_map(|(line, code)| Word::Line(line, code)),
        1 => prop::sample::select(rare.to_vec()),
    ]
}

fn any_deed() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0..4_u32, prop::sample::select([250, 451, 550, 421].to_vec())).prop_map(|(to, code)| Act::Verdict(to, code)),
        4 => Just(Act::Drop),
        4 => Just(Act::AnswerLate),
        4 => Just(Act::Challenge),
        4 => Just(Act::Authenticated),
        8 => Just(Act::GiveUp),
        1 => Just(Act::TimeOut),
        1 => Just(Act::Answer(421)),
        1 => Just(Act::ShutDown),
        1 => Just(Act::Eof),
    ]
}
