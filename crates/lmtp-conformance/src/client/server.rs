//! The server that a client is tested with: it does as it should, save where a script says otherwise.

mod talk;

use std::thread;
use std::time::{Duration, Instant};

use crate::run::shown;

use super::content;
use super::errand::Errand;
use super::line::{self, Command};
use super::record::{self, Record};
use super::script::{Action, Script};
use super::wire::{Over, Wire};

/// How long a read waits before it is asked whether all is over.
const TICK: Duration = Duration::from_millis(25);
/// How long what was sent behind a close is read, so that it does not undo what was said before.
const LINGER: Duration = Duration::from_millis(200);
/// Who says nothing for so long waits for a reply.
const AWAITED: Duration = Duration::from_millis(300);

/// What is known of a transaction.
#[derive(Debug, Default)]
struct Transaction {
    sender: bool,
    smtputf8: bool,
    /// The number of the RCPT, and the address.
    accepted: Vec<(usize, String)>,
    chunks: Option<Vec<u8>>,
    /// A chunk was refused.
    failed: bool,
}

/// One connection.
pub(super) struct Session<'s> {
    wire: Box<dyn Wire>,
    script: &'s Script,
    errand: &'s Errand,
    over: &'s Over,
    record: Record,
    unread: Vec<u8>,
    /// Nothing more is said or heard.
    is_done: bool,
    has_opened: bool,
    offers: Vec<String>,
    transaction: Transaction,
    rcpts: usize,
    chunks: usize,
}

impl<'s> Session<'s> {
    /// Holds a session to its end.
    pub(super) fn hold(wire: Box<dyn Wire>, script: &'s Script, errand: &'s Errand, over: &'s Over) -> Record {
        let mut session = Self {
            wire,
            script,
            errand,
            over,
            record: Record::default(),
            unread: Vec::new(),
            is_done: false,
            has_opened: false,
            offers: Vec::new(),
            transaction: Transaction::default(),
            rcpts: 0,
            chunks: 0,
        };
        session.occur(&["greeting"], "220 mx.example.org LMTP ready");
        while !session.is_done {
            match session.line() {
                Some(line) => session.command(&line),
                None => session.is_done = true,
            }
        }
        session.record
    }

    fn command(&mut self, line: &[u8]) {
        self.record.show('C', line);
        let text = String::from_utf8_lossy(line).trim_end_matches(['\r', '\n']).to_owned();
        self.record.commands.push(text.clone());
        let body = line.strip_suffix(b"\r\n");
        if body.is_none_or(|body| body.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0))) {
            self.record.breach(&record::CRLF_ENDS_LINES, format!("a command with a lone CR or LF, or NUL: {text:?}"));
        }
        let command = Command::of(&text);
        if !matches!(command, Command::Mail | Command::Rcpt) && !line.is_ascii() {
            self.record.breach(&record::SEVEN_BITS, format!("octets above 127: {text:?}"));
        }
        if !self.has_opened && !matches!(command, Command::Lhlo | Command::Quit | Command::Foreign) {
            self.record.breach(&record::OPENS_WITH_LHLO, format!("{text:?} before LHLO was accepted"));
        }
        self.look_ahead(command);
        match command {
            Command::Lhlo => self.lhlo(),
            Command::Foreign => {
                self.record.breach(&record::OPENS_WITH_LHLO, format!("{text:?} to a server of LMTP"));
                self.occur(&["foreign"], "500 5.5.1 This is LMTP");
            }
            Command::Mail => self.mail(&text),
            Command::Rcpt => self.rcpt(&text),
            Command::Data => self.data(),
            Command::Bdat => self.bdat(&text),
            Command::Rset => {
                self.transaction = Transaction::default();
                self.occur(&["rset"], "250 2.0.0 Ok");
            }
            Command::Noop => {
                self.occur(&["noop"], "250 2.0.0 Ok");
            }
            Command::Quit => {
                self.occur(&["quit"], "221 2.0.0 Bye");
                self.cut();
            }
            Command::Extension(keyword) => {
                if !self.offers(keyword) {
                    self.record.breach(&record::OFFERED_COMMANDS, format!("{keyword} was not offered"));
                }
                self.occur(&[&keyword.to_lowercase()], "454 4.7.0 Not now");
            }
            Command::Unknown => {
                self.record.breach(&record::OFFERED_COMMANDS, format!("{text:?} is no command"));
                self.refuse("500 5.5.2 What?");
            }
        }
    }

    /// What must not be sent yet: without PIPELINING anything, with it whatever follows the last of a group.
    fn look_ahead(&mut self, command: Command) {
        if self.unread.is_empty() {
            self.read(self.script.slow.unwrap_or(Duration::from_millis(1)));
        }
        if self.unread.is_empty() {
            return;
        }
        let first = self.unread.split_inclusive(|&octet| octet == b'\n').next().unwrap_or_default();
        let how = format!("{:?} was sent before the reply to {command:?}", shown(first));
        if command == Command::Data {
            self.record.breach(&record::NO_CONTENT_BEFORE_354, how);
        } else if command.ends_group() {
            self.record.breach(&record::LAST_IN_A_GROUP, how);
        } else if !self.offers("PIPELINING") && command != Command::Bdat {
            self.record.breach(&record::WAITS, how);
        }
    }

    fn heard_before_greeting(&mut self) {
        self.read(Duration::from_millis(1));
        if !self.unread.is_empty() {
            let how = format!("{:?} was sent before the greeting", shown(&self.unread));
            self.record.breach(&record::GREETING_IS_AWAITED, how);
        }
    }

    fn lhlo(&mut self) {
        self.transaction = Transaction::default();
        let mut lines = vec!["mx.example.org"];
        lines.extend(self.script.offers.iter().map(String::as_str));
        let last = lines.len() - 1;
        let told = lines.iter().enumerate().map(|(place, line)| {
            let mark = if place == last { ' ' } else { '-' };
            format!("250{mark}{line}")
        });
        let told = told.collect::<Vec<_>>().join("\r\n");
        let (code, said) = self.say_at(&["lhlo"], &told);
        if code.is_some_and(|code| code / 100 == 2) {
            self.has_opened = true;
            self.offers = line::offers(&said);
        }
    }

    fn mail(&mut self, text: &str) {
        let Some((path, parameters)) = line::path(text, "MAIL FROM:") else {
            self.record.breach(&record::PATHS_AS_THEY_ARE, format!("not a path and parameters: {text:?}"));
            return self.refuse("501 5.5.4 What?");
        };
        let from = if self.errand.from == "<>" { "" } else { &self.errand.from };
        if !line::is_asked_for(&path, from) {
            self.record.breach(&record::ASKED_FOR, format!("the sender is {from:?}, not {path:?}"));
        }
        self.parameters(&parameters);
        let smtputf8 = parameters.iter().any(|parameter| parameter.eq_ignore_ascii_case("SMTPUTF8"));
        self.international(text, smtputf8);
        let default = if self.transaction.sender { "503 5.5.1 One at a time" } else { "250 2.1.0 Ok" };
        if accepts(self.occur(&["mail"], default)) {
            self.transaction = Transaction { sender: true, smtputf8, ..Transaction::default() };
        }
    }

    fn rcpt(&mut self, text: &str) {
        let Some((path, parameters)) = line::path(text, "RCPT TO:") else {
            self.record.breach(&record::PATHS_AS_THEY_ARE, format!("not a path and parameters: {text:?}"));
            return self.refuse("501 5.5.4 What?");
        };
        if !self.errand.to.iter().any(|to| line::is_asked_for(&path, to)) {
            self.record.breach(&record::ASKED_FOR, format!("nobody asked for the recipient {path:?}"));
        }
        self.parameters(&parameters);
        // Whoever could not say it at MAIL has been found there.
        self.international(text, self.transaction.smtputf8 || !self.transaction.sender);
        self.rcpts += 1;
        self.record.rcpts.push(path.clone());
        let default = if self.transaction.sender { "250 2.1.5 Ok" } else { "503 5.5.1 MAIL first" };
        if accepts(self.occur(&[&format!("rcpt.{}", self.rcpts), "rcpt"], default)) {
            self.transaction.accepted.push((self.rcpts, path));
        }
    }

    fn parameters(&mut self, parameters: &[String]) {
        for parameter in parameters {
            let keyword = line::keyword(parameter);
            if !self.offers(&keyword) {
                let how = format!("the parameter {parameter:?}, where {keyword} is not offered");
                self.record.breach(&record::OFFERED_PARAMETERS, how);
            }
        }
    }

    fn international(&mut self, text: &str, is_said: bool) {
        if text.is_ascii() {
            return;
        }
        if !self.offers("SMTPUTF8") {
            self.record.breach(&record::SEVEN_BITS, format!("SMTPUTF8 is not offered: {text:?}"));
        } else if !is_said {
            self.record.breach(&record::SMTPUTF8_IS_SAID, format!("MAIL without SMTPUTF8 for {text:?}"));
        }
    }

    fn data(&mut self) {
        let default = if self.transaction.accepted.is_empty() { "503 5.5.1 No recipients" } else { "354 Go ahead" };
        if self.occur(&["data"], default).is_none_or(|code| code / 100 != 3) {
            return;
        }
        let Some(raw) = self.content() else { return };
        if content::has_bare_line_ends(&raw) {
            self.record.breach(&record::NO_BARE_CR_LF, "content with a lone CR or LF");
        }
        let (content, is_stuffed) = content::unstuffed(&raw);
        if !is_stuffed {
            self.record.breach(&record::DOTS_ARE_STUFFED, "a line of the content begins with one dot");
        }
        self.eight_bit(&raw);
        self.record.contents.push(content);
        self.finals();
    }

    fn bdat(&mut self, text: &str) {
        let mut words = text.split(' ').skip(1);
        let size = words.next().and_then(|size| size.parse::<usize>().ok());
        let Some(size) = size.filter(|_| self.offers("CHUNKING")) else {
            self.record
                .breach(&record::OFFERED_COMMANDS, format!("{text:?}, where CHUNKING is not offered or ill formed"));
            return self.refuse("500 5.5.1 What?");
        };
        let is_last = words.next().is_some_and(|word| word.eq_ignore_ascii_case("LAST"));
        while self.unread.len() < size {
            if !self.wait() {
                return;
            }
        }
        let chunk: Vec<u8> = self.unread.drain(..size).collect();
        self.record.show('C', &chunk);
        self.eight_bit(&chunk);
        self.chunks += 1;
        let mut all = self.transaction.chunks.take().unwrap_or_default();
        all.extend_from_slice(&chunk);
        // RFC 2033 section 4.3: without a recipient the last chunk gets no reply.
        if is_last && !self.transaction.failed {
            self.record.contents.push(all);
            return self.finals();
        }
        self.transaction.chunks = Some(all);
        let refuses = self.transaction.failed || self.transaction.accepted.is_empty();
        let default = if refuses { "503 5.5.1 No" } else { "250 2.0.0 Ok" };
        self.transaction.failed |= !accepts(self.occur(&[&format!("bdat.{}", self.chunks), "bdat"], default));
    }

    fn eight_bit(&mut self, octets: &[u8]) {
        if !octets.is_ascii() && !self.offers("8BITMIME") {
            self.record.breach(&record::SEVEN_BITS_OF_CONTENT, "content with octets above 127, and no 8BITMIME");
        }
    }

    fn finals(&mut self) {
        self.occur(&["dot"], "");
        for (number, path) in std::mem::take(&mut self.transaction).accepted {
            let code = match self.is_done {
                false => self.occur(&[&format!("final.{number}"), "final"], "250 2.0.0 Saved"),
                true => None,
            };
            self.record.finals.push((path, code));
        }
    }

    /// The octets of the content as they come, with the line end before the dot and without the dot.
    fn content(&mut self) -> Option<Vec<u8>> {
        let (mut looked_at, mut has_begun) = (0, false);
        let mut latest = Instant::now();
        loop {
            if !has_begun && !self.unread.is_empty() {
                has_begun = true;
                self.occur(&["inside"], "");
            }
            if let Some(end) = content::end(&self.unread, looked_at) {
                let content: Vec<u8> = self.unread.drain(..end).collect();
                self.unread.drain(..3);
                self.record.show('C', &content);
                self.record.show('C', b".\r\n");
                return Some(content);
            }
            looked_at = self.unread.len().saturating_sub(4);
            if self.is_done || !self.wait() {
                let content = std::mem::take(&mut self.unread);
                self.record.show('C', &content);
                self.record.note("no end of the content came");
                // Whoever breaks off closes at once: this client thought that it was through.
                if !self.is_done && content.ends_with(b".\r\n") && latest.elapsed() > AWAITED {
                    self.record.breach(&record::LINES_HAVE_ENDS, "the dot at the end is on no line of its own");
                }
                // A CR may have been parted from its LF.
                if content::has_bare_line_ends(content.strip_suffix(b"\r").unwrap_or(&content)) {
                    self.record.breach(&record::NO_BARE_CR_LF, "content with a lone CR or LF");
                }
                return None;
            }
            latest = Instant::now();
        }
    }

    fn offers(&self, keyword: &str) -> bool {
        self.offers.iter().any(|offer| offer.eq_ignore_ascii_case(keyword))
    }

    fn refuse(&mut self, default: &str) {
        self.occur(&["unknown"], default);
    }

    /// What the script has for the first event that it knows, or else the line that is right there.
    fn occur(&mut self, events: &[&str], default: &str) -> Option<u16> {
        self.say_at(events, default).0
    }

    /// The same, with what was said.
    fn say_at(&mut self, events: &[&str], default: &str) -> (Option<u16>, Vec<u8>) {
        let script = self.script;
        let Some(actions) = events.iter().find_map(|event| script.at.get(*event)) else {
            let line = if default.is_empty() { Vec::new() } else { format!("{default}\r\n").into_bytes() };
            self.say(&line);
            return (line::code(&line), line);
        };
        let mut said = Vec::new();
        for action in actions {
            match action {
                Action::Say(octets) => {
                    self.say(octets);
                    said.extend_from_slice(octets);
                }
                Action::Cut => self.cut(),
                Action::Stall => {
                    self.record.note("the server says nothing from here on");
                    self.drain(None);
                }
                Action::Pause(pause) => {
                    thread::sleep(*pause);
                    if events == ["greeting"] {
                        self.heard_before_greeting();
                    }
                }
                Action::Flood => self.endless(&b"250-x\r\n".repeat(100), Duration::from_millis(1)),
                Action::Drip => self.endless(b"x", Duration::from_millis(100)),
            }
            if self.is_done {
                break;
            }
        }
        (line::code(&said), said)
    }
}

fn accepts(code: Option<u16>) -> bool {
    code.is_some_and(|code| code / 100 == 2)
}
