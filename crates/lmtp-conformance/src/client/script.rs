//! The text that checks of a client are written in.
//!
//! `== ID LEVEL RFC:SECTION RULE[,RULE] [needs=WORD]`, a sentence, then lines in any order:
//!
//! | line | means |
//! |---|---|
//! | `from: ADDRESS` `to: ADDRESS` `message: TEXT` | what the client is to send; more `to:` and `message:` add to it |
//! | `to N` | that many recipients, `r1@example.org` and so on |
//! | `offers: WORD WORD` | the reply to LHLO has these lines, and no others |
//! | `at EVENT: TEXT` | what the server says there, a line |
//! | `at EVENT~ TEXT` | the same, octets as they stand |
//! | `at EVENT: (cut)` | it closes; also `(stall)`, `(pause MS)`, `(flood)`, `(drip)` |
//! | `split` | every octet of the server goes out alone |
//! | `slow MS` | how long it listens, before each reply, for what should not come yet |
//! | `C: PATTERN` `C! PATTERN` | a command that must be sent, or must not; `*` is anything |
//! | `content: TEXT` | each message that arrives is this one, without its stuffing; more lines add to it |
//! | `or content: TEXT` | or this one |
//! | `= WORD WORD` | what the client has to report, a word for each recipient; `a\|b` is either, `a*N` is N times |
//!
//! The words are those of the recipients in the order in which the client says RCPT, which is its own.
//!
//! Events: `greeting lhlo mail rcpt data inside dot final quit rset noop starttls bdat`. `rcpt.N` and `final.N` are about
//! the Nth RCPT of the connection, `bdat.N` about the Nth chunk; without a number, about each. `inside` is once, when
//! content begins to arrive. More lines for an event come one behind the other. Without any the server does as it should.
//!
//! Words of `=` are in [`Due`]. Texts know `\r \n \0 \t \xHH \\` and `{a*N}`, N times `a`.

use std::collections::HashMap;
use std::time::Duration;

use crate::check::Level;
use crate::run::{Addresses, octets};

use super::check::{Check, Need};
use super::fate::Due;

/// A thing that the server does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Say(Vec<u8>),
    /// Closes the connection.
    Cut,
    /// Says nothing from here on.
    Stall,
    Pause(Duration),
    /// A reply that has lines and no end.
    Flood,
    /// A line that has octets and no end, ten a second.
    Drip,
}

/// What the server does that it would not do by itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Script {
    pub(super) at: HashMap<String, Vec<Action>>,
    pub(super) offers: Vec<String>,
    pub(super) splits: bool,
    pub(super) slow: Option<Duration>,
}

/// What the client is held to beyond what always holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    pub(super) commands: Vec<String>,
    pub(super) never: Vec<String>,
    pub(super) content: Option<Vec<u8>>,
    pub(super) or_content: Option<Vec<u8>>,
    pub(super) due: Vec<Due>,
}

pub(super) fn parse(text: &str) -> Vec<Check> {
    text.split("\n== ").skip(1).map(check).collect()
}

pub(super) fn check(block: &str) -> Check {
    let mut lines = block.lines().filter(|line| !line.is_empty());
    let head: Vec<&str> = lines.next().expect("a head").split_whitespace().collect();
    let level = match head[1] {
        "MUST" => Level::Must,
        "SHOULD" => Level::Should,
        "MAY" => Level::May,
        other => panic!("{other} is no level"),
    };
    let needs = match head.get(4) {
        None => None,
        Some(&"needs=timeout") => Some(Need::Timeout),
        Some(&"needs=nul") => Some(Need::Nul),
        Some(other) => panic!("{other} is no need"),
    };
    let mut check = Check {
        id: head[0].to_owned(),
        rules: head[3].split(',').map(str::to_owned).collect(),
        level,
        section: format!("RFC {}", head[2].replace(':', " ")),
        about: lines.next().expect("a sentence").to_owned(),
        needs,
        from: "ann@example.org".to_owned(),
        to: Vec::new(),
        message: Vec::new(),
        script: Script {
            offers: ["PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SIZE 10000000"].map(str::to_owned).to_vec(),
            ..Script::default()
        },
        expected: Expected::default(),
    };
    for line in lines {
        self::line(&mut check, line);
    }
    if check.to.is_empty() {
        check.to = recipients(1);
    }
    if check.message.is_empty() {
        check.message = b"From: ann@example.org\r\nSubject: a\r\n\r\nHello.\r\n".to_vec();
    }
    assert_eq!(check.expected.due.len(), check.to.len(), "{}: a word for each recipient", check.id);
    check
}

fn line(check: &mut Check, line: &str) {
    let (script, expected) = (&mut check.script, &mut check.expected);
    if let Some(event) = line.strip_prefix("at ") {
        let end = event.find([':', '~']).expect("an event and a colon");
        let raw = event.as_bytes()[end] == b'~';
        let text = event[end + 1..].strip_prefix(' ').unwrap_or(&event[end + 1..]);
        script.at.entry(event[..end].replace(' ', ".")).or_default().push(action(text, raw));
        return;
    }
    if let Some(pattern) = line.strip_prefix("C! ") {
        expected.never.push(said(pattern));
        return;
    }
    if let Some(text) = line.strip_prefix("or content: ") {
        expected.or_content = Some(expanded(text));
        return;
    }
    if let Some(words) = line.strip_prefix("= ") {
        for word in words.split(' ') {
            let (word, count) = word.split_once('*').unwrap_or((word, "1"));
            let due = Due::parse(word).unwrap_or_else(|| panic!("{}: {word} is no outcome", check.id));
            expected.due.extend(std::iter::repeat_n(due, count.parse().expect("a count")));
        }
        return;
    }
    let (word, text) = line.split_once([':', ' ']).unwrap_or((line, ""));
    let text = text.strip_prefix(' ').unwrap_or(text);
    match (word, line.contains(':')) {
        ("C", true) => expected.commands.push(text.to_owned()),
        ("from", true) => check.from = said(text),
        ("to", true) => check.to.push(said(text)),
        ("to", false) => check.to = recipients(text.parse().expect("a count")),
        ("message", true) => check.message.extend(expanded(text)),
        ("content", true) => expected.content.get_or_insert_default().extend(expanded(text)),
        ("offers", true) => {
            script.offers = text.split(", ").filter(|word| !word.is_empty()).map(str::to_owned).collect();
        }
        ("split", false) => script.splits = true,
        ("slow", false) => script.slow = Some(Duration::from_millis(text.parse().expect("milliseconds"))),
        _ => panic!("{}: {line} means nothing", check.id),
    }
}

fn action(text: &str, raw: bool) -> Action {
    match text {
        "(cut)" => Action::Cut,
        "(stall)" => Action::Stall,
        "(flood)" => Action::Flood,
        "(drip)" => Action::Drip,
        _ => {
            if let Some(pause) = text.strip_prefix("(pause ").and_then(|rest| rest.strip_suffix(')')) {
                return Action::Pause(Duration::from_millis(pause.parse().expect("milliseconds")));
            }
            let mut octets = expanded(text);
            octets.extend_from_slice(if raw { b"" } else { b"\r\n" });
            Action::Say(octets)
        }
    }
}

fn recipients(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("r{number}@example.org")).collect()
}

fn expanded(text: &str) -> Vec<u8> {
    octets(text, &Addresses::default())
}

/// An address: text, as a command line has it.
fn said(text: &str) -> String {
    String::from_utf8(expanded(text)).expect("an address in UTF-8")
}
