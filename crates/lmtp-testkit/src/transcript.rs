//! Conversations as files, that play themselves.
//!
//! ```text
//! # What the file shows.
//! from: ann@example.org
//! to: bob@example.org
//! message: Subject: hi\r\n\r\nHello.\r\n
//!
//! S: 220 mx.example.org ready
//! C: LHLO localhost
//! S: 250 mx.example.org
//! C: MAIL FROM:<ann@example.org>
//! …
//! C: <content>
//! C: .
//! S: 250 2.0.0 Ok
//! = bob@example.org delivered final 250 2.0.0
//! ```
//!
//! Head, one a line: `from` and `to` (repeated), each with parameters behind the
//! address, `proves` (ids of rules with commas, see [`proof`](crate::proof)),
//! `message` (with `\r`, `\n`, `\\` and `\xHH`), `set` with one of `no-pipelining`, `convert`, `send-8bit`,
//! `exact` (the client is told size and class), `binary`, `chunking` (always),
//! `starttls`, `starttls-required`, `secured`, `auth-in-clear`, `auth NAME SAYS|…`
//! (repeated; `~` before what is said: the server speaks first), `xclient NAME=VALUE
//! …`, `xforward NAME=VALUE …`, `trace ID`,
//! `force-pipelining`, `single-final-refuses-all`, `single-final-answers-all`,
//! `no-chunking`, `steps` (nothing is delivered unless it is said), `use EXTENSION forbid|force`, `chunks N` (outstanding), `depth N`, `window N`, `chunk N`, `body-fails-at N`.
//!
//! Conversation: `C:` and `S:` lines; `S~` octets with escapes and no line end;
//! `-- close` and `-- timeout` for the server's side; `-- tls` for both; `-- deliver`, `-- mail`,
//! `-- rcpt ADDRESS`, `-- data`, `-- reset`, `-- give-up` and `-- quit` for the client's. At the end `=` lines, exactly those of
//! [`results`](crate::memory::results), or `= nothing`; of several messages the
//! last one's, or all of them, each behind `= message N`. Lines with `#` are
//! comments.

use std::fs;
use std::path::{Path, PathBuf};

use lmtp_proto::auth::Mechanism;
use lmtp_proto::client::{Chunking, Config, EightBit, Event, Extensions, Pipelining, SingleFinal, StartTls, Use};
use lmtp_proto::value::{AttributeValue, ClientAttributes, Command, MailParams, RcptParams};
use lmtp_proto::{Content, ContentClass, Envelope, ForwardPath, LineEndings, ReversePath};

use crate::auth::Scripted;
use crate::memory::{Message, Session, Waiting};
use crate::model::stuffed;
use crate::proof::Proof;

/// A conversation.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// Its file's name.
    pub name: String,
    /// How the client is set up.
    pub config: Config,
    /// The envelope.
    pub envelope: Envelope,
    /// The message.
    pub message: Message,
    /// Whether nothing is delivered unless a turn says so.
    pub steps: bool,
    /// How it may log in, best first.
    pub mechanisms: Vec<Scripted>,
    /// What is said, in order.
    pub turns: Vec<Turn>,
    /// What comes of it.
    pub results: Vec<String>,
    /// The rules that it proves.
    pub proves: Vec<String>,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The client writes these octets.
    Client(Vec<u8>),
    /// The server writes these octets.
    Server(Vec<u8>),
    /// The stream is encrypted.
    Tls,
    /// The server closes.
    Close,
    /// The server stays silent until the client gives up.
    Timeout,
    /// The client delivers the message again.
    Deliver,
    /// The client opens a transaction, for the sender and the message.
    Mail,
    /// The client adds a recipient to it.
    Rcpt(ForwardPath, RcptParams),
    /// The client has all its recipients.
    Data,
    /// The client has the server forget its transaction.
    Reset,
    /// The client gives up what is under way.
    GiveUp,
    /// The client takes its leave.
    Quit,
}

/// How the server's octets arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Each turn in one piece.
    Whole,
    /// In two pieces, parted at this place of all that the server says.
    At(usize),
    /// One by one.
    Octets,
}

/// Every transcript of this crate.
pub fn all() -> Vec<Transcript> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    files.iter().map(|file| Transcript::read(file)).collect()
}

impl Transcript {
    /// Reads a file.
    pub fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        Self::parse(&name, &text)
    }

    /// Reads text.
    pub fn parse(name: &str, text: &str) -> Self {
        let (head, rest) = text.split_once("\n\n").unwrap_or_else(|| panic!("{name}: no empty line after the head"));
        let mut config = Config::default();
        config.transcript = true;
        let (mut from, mut to, mut message) = (None, Vec::new(), Message::new(""));
        let mut mail_params = MailParams::default();
        let (mut steps, mut exact, mut binary, mut mechanisms, mut proves) =
            (false, false, false, Vec::new(), Vec::new());
        for line in head.lines().filter(|line| !line.starts_with('#')) {
            let (key, value) = line.split_once(':').unwrap_or_else(|| panic!("{name}: {line:?} has no colon"));
            match (key, value.trim()) {
                ("from", text) => {
                    let (address, params) = with_parameters::<ReversePath>(text);
                    from = Some(address);
                    mail_params = mail_parameters(params);
                }
                ("to", text) => {
                    let (address, params) = with_parameters::<ForwardPath>(text);
                    to.push((address, rcpt_parameters(params)));
                }
                ("proves", ids) => proves.extend(ids.split(',').map(|id| id.trim().to_owned())),
                ("message", text) => message.octets = unescaped(text),
                ("set", "no-pipelining") => config.pipelining = Pipelining::Off,
                ("set", "force-pipelining") => config.pipelining = Pipelining::Force,
                ("set", "single-final-refuses-all") => config.quirks.single_final = SingleFinal::RefusesAll,
                ("set", "single-final-answers-all") => config.quirks.single_final = SingleFinal::AnswersAll,
                ("set", "convert") => config.line_endings = LineEndings::Convert,
                ("set", "send-8bit") => config.eight_bit = EightBit::Send,
                ("set", "starttls") => config.starttls = StartTls::IfOffered,
                ("set", "starttls-required") => config.starttls = StartTls::Required,
                ("set", "secured") => config.secured = true,
                ("set", "auth-in-clear") => config.auth_in_clear = true,
                ("set", "exact") => exact = true,
                ("set", "steps") => steps = true,
                ("set", "binary") => binary = true,
                ("set", "chunking") => config.chunking = Chunking::Always,
                ("set", "no-chunking") => config.chunking = Chunking::Off,
                ("set", option) => match option.split_once(' ') {
                    Some(("use", text)) => extension(&mut config.extensions, text),
                    Some(("auth", script)) => mechanisms.push(mechanism(script)),
                    Some(("xclient", list)) => config.xclient = Some(attributes(list)),
                    Some(("xforward", list)) => config.xforward = Some(attributes(list)),
                    Some(("trace", id)) => config.trace_id = Some(id.parse().expect("the name of a trace")),
                    Some(("chunk", size)) => message.chunk = size.parse().expect("a number"),
                    Some(("body-fails-at", place)) => message.fails_at = Some(place.parse().expect("a number")),
                    Some(("depth", depth)) => config.depth = depth.parse().expect("a number"),
                    Some(("chunks", count)) => config.limits.outstanding_chunks = count.parse().expect("a number"),
                    Some(("window", size)) => config.limits.pipelined_commands = size.parse().expect("a number"),
                    _ => panic!("{name}: no option {option:?}"),
                },
                _ => panic!("{name}: no head {key:?}"),
            }
        }
        if binary {
            message.content = Content { size: None, class: Some(ContentClass::Binary) };
        } else if exact {
            message.content = Content::of(&message.octets, config.line_endings).expect("a message that can be sent");
        }
        let (to, params): (Vec<_>, Vec<_>) = to.into_iter().unzip();
        let mut envelope = Envelope::new(from.expect("a sender"), to).expect("a recipient").with_params(mail_params);
        for (place, params) in params.into_iter().enumerate() {
            envelope = envelope.with_recipient_params(place, params);
        }
        let (mut turns, mut results) = (Vec::new(), Vec::new());
        for line in rest.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.split_at_checked(2) {
                Some(("C:", " <content>")) => say(&mut turns, Turn::Client(stuffed(&message.octets))),
                Some(("C:", " <content, converted>")) => {
                    let text = String::from_utf8_lossy(&message.octets).replace("\r\n", "\n").replace('\n', "\r\n");
                    say(&mut turns, Turn::Client(stuffed(text.as_bytes())));
                }
                Some(("C:", text)) => say(&mut turns, Turn::Client(line_of(text))),
                Some(("S:", text)) => say(&mut turns, Turn::Server(line_of(text))),
                Some(("S~", text)) => say(&mut turns, Turn::Server(unescaped(text.trim_start()))),
                Some(("C~", text)) => say(&mut turns, Turn::Client(unescaped(text.trim_start()))),
                Some(("--", " tls")) => turns.push(Turn::Tls),
                Some(("--", " close")) => turns.push(Turn::Close),
                Some(("--", " timeout")) => turns.push(Turn::Timeout),
                Some(("--", " deliver")) => turns.push(Turn::Deliver),
                Some(("--", " mail")) => turns.push(Turn::Mail),
                Some(("--", " data")) => turns.push(Turn::Data),
                Some(("--", " reset")) => turns.push(Turn::Reset),
                Some(("--", " give-up")) => turns.push(Turn::GiveUp),
                Some(("--", " quit")) => turns.push(Turn::Quit),
                Some(("--", text)) if text.starts_with(" rcpt ") => {
                    let (address, params) = with_parameters(text.trim_start_matches(" rcpt "));
                    turns.push(Turn::Rcpt(address, rcpt_parameters(params)));
                }
                Some(("= ", "nothing")) => {}
                Some(("= ", result)) => results.push(result.into()),
                _ => panic!("{name}: what is {line:?}?"),
            }
        }
        Self { name: name.into(), config, envelope, message, steps, mechanisms, turns, results, proves }
    }

    /// How many octets the server says.
    pub fn server_octets(&self) -> usize {
        self.turns.iter().map(|turn| if let Turn::Server(octets) = turn { octets.len() } else { 0 }).sum()
    }

    /// Plays it, and checks every octet of the client and every result.
    pub fn play(&self, cut: Cut) -> Session {
        let mut session = Session::idle(self.config.clone(), self.message.clone());
        if !self.steps {
            session.deliver(self.envelope.clone());
        }
        session.encrypts = false;
        let boxed = |mechanism: &Scripted| Box::new(mechanism.clone()) as Box<dyn Mechanism>;
        session.client.authenticate(self.mechanisms.iter().map(boxed).collect()).expect("a session that is not open");
        let (mut expected, mut heard) = (Vec::new(), 0);
        for turn in &self.turns {
            match turn {
                Turn::Client(octets) => {
                    expected.extend_from_slice(octets);
                    while session.sent.len() < expected.len() && session.settle() == Waiting::ToSend {
                        let missing = expected.len() - session.sent.len();
                        session.step(missing);
                    }
                    self.compare(&session, &expected, cut);
                }
                Turn::Server(octets) => {
                    // All that may be said before: it is the server's turn only
                    // when the client has nothing more to say. Content is not
                    // given yet: what comes now comes before it.
                    session.settle();
                    for piece in cut.pieces(octets, heard) {
                        session.hear(piece);
                        session.settle();
                    }
                    heard += octets.len();
                }
                Turn::Tls => {
                    assert_eq!(session.settle(), Waiting::ToEncrypt, "{}", self.name);
                    session.encrypt();
                }
                Turn::Close => session.eof(),
                Turn::Timeout => {
                    session.run();
                    assert!(session.time_out(), "{}: nothing is waited for", self.name);
                }
                Turn::Deliver => session.deliver(self.envelope.clone()),
                Turn::Mail => session.mail(self.envelope.from().clone(), self.envelope.params().clone()),
                Turn::Rcpt(address, params) => {
                    session.client.act().rcpt(address.clone(), params.clone()).expect("an open transaction");
                }
                Turn::Data => session.data(),
                Turn::Reset => session.client.act().reset().expect("an idle session"),
                Turn::GiveUp => {
                    session.give_up();
                    session.settle();
                }
                Turn::Quit => session.client.quit().expect("a session that can be left"),
            }
        }
        session.run();
        self.compare(&session, &expected, cut);
        let all = self.results.first().is_some_and(|line| line.starts_with("message "));
        let results = if all { session.all_results() } else { session.results() };
        assert_eq!(results, self.results, "{}: results, {cut:?}", self.name);
        session
    }

    fn compare(&self, session: &Session, expected: &[u8], cut: Cut) {
        let show = |octets: &[u8]| octets.escape_ascii().to_string().replace("\\r\\n", "\n");
        assert!(
            session.sent == expected,
            "{}, {cut:?}: the client wrote\n{}\ninstead of\n{}\nerror: {:?}",
            self.name,
            show(&session.sent),
            show(expected),
            session.error,
        );
    }

    /// Checks that it goes the same way however the server's octets are cut; so
    /// it proves what it says that it proves.
    pub fn play_with_every_cut(&self) {
        let _proof = Proof::named(&self.proves, env!("CARGO_PKG_NAME"), &format!("transcript {}", self.name));
        let whole = self.play(Cut::Whole);
        let cuts = (0..=self.server_octets()).map(Cut::At).chain([Cut::Octets]);
        for cut in cuts {
            let other = self.play(cut);
            assert_eq!(lines(&whole), lines(&other), "{}: events, {cut:?}", self.name);
            assert_eq!(whole.error, other.error, "{}: error, {cut:?}", self.name);
        }
    }
}

fn lines(session: &Session) -> &[Event] {
    &session.events
}

/// An address, and what stands behind it.
fn with_parameters<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> (T, &str) {
    if let Ok(address) = text.parse() {
        return (address, "");
    }
    let (address, params) = text.split_once(' ').unwrap_or((text, ""));
    (address.parse().expect("an address"), params)
}

/// Parameters as MAIL has them.
fn mail_parameters(params: &str) -> MailParams {
    match lmtp_proto::parse_command(format!("MAIL FROM:<> {params}").as_bytes()) {
        Ok(Command::Mail(_, params)) => params,
        other => panic!("{params:?}: {other:?}"),
    }
}

/// Parameters as RCPT has them.
fn rcpt_parameters(params: &str) -> RcptParams {
    match lmtp_proto::parse_command(format!("RCPT TO:<a@x> {params}").as_bytes()) {
        Ok(Command::Rcpt(_, params)) => params,
        other => panic!("{params:?}: {other:?}"),
    }
}

/// `EXTENSION USE`
fn extension(extensions: &mut Extensions, text: &str) {
    let (name, how) = text.split_once(' ').expect("an extension and how it is used");
    let how = match how {
        "forbid" => Use::Forbid,
        "force" => Use::Force,
        _ => panic!("{how:?} is no use"),
    };
    *match name {
        "size" => &mut extensions.size,
        "8bitmime" => &mut extensions.eight_bit_mime,
        "smtputf8" => &mut extensions.smtputf8,
        "dsn" => &mut extensions.dsn,
        "require-tls" => &mut extensions.require_tls,
        "limits" => &mut extensions.limits,
        "others" => &mut extensions.others,
        _ => panic!("no extension {name:?}"),
    } = how;
}

/// `NAME SAYS|SAYS…`, with `~` in front of what is said where the server speaks
/// first.
fn mechanism(script: &str) -> Scripted {
    let (name, says) = script.split_once(' ').unwrap_or((script, ""));
    let listens = says.starts_with('~');
    Scripted::new(name, listens, says.trim_start_matches('~').split('|').map(unescaped))
}

/// `NAME=VALUE NAME=VALUE…`
fn attributes(list: &str) -> ClientAttributes {
    let pairs = list.split(' ').map(|pair| {
        let (name, value) = pair.split_once('=').expect("a name and a value");
        (name.parse().expect("an attribute"), AttributeValue::text(value).expect("a value"))
    });
    ClientAttributes::new(pairs).expect("attributes")
}

/// Joins a side's turns while it has the word.
fn say(turns: &mut Vec<Turn>, turn: Turn) {
    match (turns.last_mut(), turn) {
        (Some(Turn::Client(before)), Turn::Client(octets)) | (Some(Turn::Server(before)), Turn::Server(octets)) => {
            before.extend(octets);
        }
        (_, turn) => turns.push(turn),
    }
}

pub(crate) fn line_of(text: &str) -> Vec<u8> {
    let mut line = text.strip_prefix(' ').unwrap_or(text).as_bytes().to_vec();
    line.extend_from_slice(b"\r\n");
    line
}

/// `\r`, `\n`, `\\` and `\xHH`.
pub(crate) fn unescaped(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        octets.extend_from_slice(before.as_bytes());
        let (octet, length) = match after.as_bytes() {
            [b'r', ..] => (b'\r', 1),
            [b'n', ..] => (b'\n', 1),
            [b'\\', ..] => (b'\\', 1),
            [b'x', _, _, ..] => (u8::from_str_radix(&after[1..3], 16).expect("two hex digits"), 3),
            _ => panic!("no escape: \\{after}"),
        };
        octets.push(octet);
        rest = &after[length..];
    }
    octets.extend_from_slice(rest.as_bytes());
    octets
}

impl Cut {
    /// What the server says now, in pieces; it has said `heard` octets before.
    pub fn pieces(self, octets: &[u8], heard: usize) -> Vec<&[u8]> {
        match self {
            Self::Whole => vec![octets],
            Self::Octets => octets.chunks(1).collect(),
            Self::At(place) => {
                let (left, right) = octets.split_at(place.saturating_sub(heard).min(octets.len()));
                [left, right].into_iter().filter(|piece| !piece.is_empty()).collect()
            }
        }
    }
}
