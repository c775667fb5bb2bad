//! The server as RFC 2033 and RFC 5321 describe it, slowly and plainly: it keeps
//! all that was said and looks at it anew each time. It shares nothing with the
//! machine but the numbers of the codes.

mod commands;
mod text;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use self::text::{first_fault, is_base64, unstuffed};
use super::words::{Act, Mail, Word};

/// Octets of a message.
pub(super) const SIZE: usize = 30;
/// Octets read for nothing, beyond those of a message.
pub(super) const DRAINED: usize = 100;
/// Recipients of a message.
pub(super) const RECIPIENTS: usize = 3;
/// Commands that may be nonsense.
pub(super) const ERRORS: usize = 10;

/// How the server is set up.
#[allow(clippy::struct_excessive_bools, reason = "flags are what a model is made of")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) needs_tls: bool,
    pub(super) needs_auth: bool,
    /// CHUNKING and BINARYMIME are offered.
    pub(super) chunking: bool,
    /// AUTH, XCLIENT, XFORWARD and TRACE are offered.
    pub(super) trusting: bool,
    /// The stream is encrypted from the start.
    pub(super) secured: bool,
    /// Messages on one connection.
    pub(super) messages: Option<usize>,
}

/// A reply: its code, and the number that the application put into its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) code: u16,
    pub(super) number: Option<usize>,
}

/// What the application hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    Connect,
    Lhlo,
    Mail(u64),
    Rcpt(u64, usize),
    Data(u64),
    Auth,
    Response,
    Xclient,
    Xforward,
    Trace,
    /// A whole message.
    End(u64, Vec<u8>),
    Over(u64, Over),
}

/// How a transaction is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Answered,
    Refused(u16),
    Abandoned,
    Unheard,
}

/// Why a session is over before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Closed,
    TimedOut,
    TooManyErrors,
    TooMuch,
    ClearOctets,
    LostInChunk,
}

/// A question that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Connect,
    Lhlo,
    Mail { binary: bool },
    Rcpt,
    Data,
    Bdat { octets: &'static str, last: bool },
    Auth,
    Xclient,
    Xforward,
}

/// How the content comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    None,
    /// Behind DATA: all octets.
    Data(Vec<u8>),
    /// In chunks: all octets.
    Chunks(Vec<u8>),
    /// In chunks, of which one was lost.
    Broken,
    /// It is whole.
    Ended,
}

/// A transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Transaction {
    id: u64,
    binary: bool,
    /// RCPT commands.
    rcpts: usize,
    /// The verdict on each accepted recipient, as far as it is known.
    verdicts: Vec<Option<Said>>,
    answered: usize,
    content: Content,
    refused: Option<Said>,
    /// Octets of chunks that were read.
    read: usize,
}

/// The reference: where a session stands, and what came of the last act.
#[allow(clippy::struct_excessive_bools, reason = "flags are what a model is made of")]
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub(super) setting: Setting,
    /// What the last act made the server say.
    pub(super) said: Vec<Said>,
    /// What it made the application hear.
    pub(super) heard: Vec<Heard>,
    /// What it brought to an end: a transaction, or what was known of the client.
    pub(super) ended: Vec<&'static str>,
    /// What the client has said that was not read yet.
    ahead: VecDeque<Word>,
    question: Option<Question>,
    /// Whether the application still has that question.
    pub(super) held: bool,
    /// Acts so far: each answer of the application is told by them.
    acts: usize,
    pub(super) turned_away: bool,
    pub(super) lhlo: bool,
    pub(super) secured: bool,
    pub(super) identity: bool,
    authenticating: bool,
    transaction: Option<Transaction>,
    pub(super) transactions: u64,
    /// MAIL commands.
    pub(super) mails: usize,
    pub(super) errors: usize,
    /// Octets of chunks that belong to no transaction.
    pub(super) drained: usize,
    pub(super) shutting_down: bool,
    pub(super) eof: bool,
    pub(super) over: Option<Result<(), Fault>>,
}

impl Reference {
    /// A new connection: the application is asked whether to serve it.
    pub(super) fn new(setting: Setting) -> Self {
        Self {
            setting,
            said: Vec::new(),
            heard: [Heard::Connect].into(),
            ended: Vec::new(),
            ahead: VecDeque::new(),
            question: Some(Question::Connect),
            held: true,
            acts: 0,
            turned_away: false,
            lhlo: false,
            secured: setting.secured,
            identity: false,
            authenticating: false,
            transaction: None,
            transactions: 0,
            mails: 0,
            errors: 0,
            drained: 0,
            shutting_down: false,
            eof: false,
            over: None,
        }
    }

    pub(super) fn question(&self) -> Option<Question> {
        self.question
    }

    pub(super) fn has_lhlo(&self) -> bool {
        self.lhlo
    }

    pub(super) fn is_authenticating(&self) -> bool {
        self.authenticating
    }

    pub(super) fn is_answering(&self) -> bool {
        self.content() == Some(&Content::Ended)
    }

    pub(super) fn is_in_content(&self) -> bool {
        matches!(self.content(), Some(Content::Data(_)))
    }

    pub(super) fn is_in_chunks(&self) -> bool {
        matches!(self.content(), Some(Content::Chunks(_) | Content::Broken))
    }

    /// How many recipients were accepted, in a transaction.
    pub(super) fn recipients(&self) -> Option<usize> {
        self.transaction.as_ref().map(|transaction| transaction.verdicts.len())
    }

    /// Whether the session waits for a command, and no transaction is open.
    pub(super) fn is_at_rest(&self) -> bool {
        let waits = self.question.is_some() || self.authenticating || self.over.is_some();
        self.transaction.is_none() && !waits
    }

    /// Whether it is known what a word will be taken for. A chunk is none if it may
    /// be read as responses, and end in the middle of one.
    pub(super) fn knows(&self, word: Word) -> bool {
        let exchange = self.authenticating || self.question == Some(Question::Auth) || self.ahead.contains(&Word::Auth);
        !(word.ends_inside() && exchange)
    }

    fn content(&self) -> Option<&Content> {
        self.transaction.as_ref().map(|transaction| &transaction.content)
    }

    /// Something happens.
    pub(super) fn happen(&mut self, act: &Act) {
        self.acts += 1;
        (self.said, self.heard, self.ended) = (Vec::new(), Vec::new(), Vec::new());
        let held = self.held && self.question.is_some();
        match *act {
            Act::Say(_) if self.over.is_some() || self.eof => {}
            Act::Say(word) => self.ahead.push_back(word),
            Act::Answer(code) if held => self.answer(code, Some(self.acts)),
            Act::Accept if held => self.answer(if self.question == Some(Question::Auth) { 451 } else { 250 }, None),
            Act::Challenge | Act::Authenticated if held && self.question != Some(Question::Auth) => self.held = false,
            Act::Challenge if held => {
                (self.question, self.authenticating) = (None, true);
                self.say(334);
            }
            Act::Authenticated if held => {
                (self.question, self.authenticating, self.identity) = (None, false, true);
                self.say(235);
            }
            Act::Drop => self.held = false,
            Act::Verdict(to, code) => self.judge(to as usize, code),
            Act::GiveUp => self.give_up("refuses: the application failed"),
            Act::ShutDown => self.shutting_down = true,
            Act::TimeOut if self.over.is_some() => {}
            Act::TimeOut if self.question.is_some() || self.is_answering() => {
                self.give_up("refuses: the application failed");
            }
            Act::TimeOut => {
                self.say(421);
                self.close(Err(Fault::TimedOut));
            }
            Act::Eof => self.eof = true,
            Act::Answer(_) | Act::Accept | Act::Challenge | Act::Authenticated | Act::AnswerLate => {}
        }
        self.go_on();
    }

    /// Reads what can be read.
    fn go_on(&mut self) {
        while self.over.is_none() && self.question.is_none() && !self.is_answering() {
            if self.shutting_down && !matches!(self.content(), Some(Content::Data(_) | Content::Chunks(_))) {
                self.say(421);
                return self.close(Ok(()));
            }
            let Some(word) = self.ahead.pop_front() else { break };
            match () {
                () if self.is_in_content() => self.hear_content(&word.octets()),
                () if self.authenticating => self.hear_response(word),
                () => self.hear(word),
            }
        }
        let waits = self.question.is_some() || self.is_answering();
        if self.eof && self.over.is_none() && !waits {
            let early = self.transaction.is_some() || self.authenticating;
            self.close(if early { Err(Fault::Closed) } else { Ok(()) });
        }
    }

    fn say(&mut self, code: u16) {
        self.said.push(Said { code, number: None });
    }

    /// Refuses what is nonsense, and ends the session after too much of it.
    fn refuse(&mut self, said: Said) {
        self.errors += 1;
        if self.errors > ERRORS {
            self.say(421);
            return self.close(Err(Fault::TooManyErrors));
        }
        self.said.push(said);
    }

    fn nonsense(&mut self, code: u16) {
        self.refuse(Said { code, number: None });
    }

    fn close(&mut self, why: Result<(), Fault>) {
        let over = if self.is_answering() { Over::Unheard } else { Over::Abandoned };
        self.forget(over, "the session ended");
        (self.over, self.question, self.authenticating) = (Some(why), None, false);
        self.ahead.clear();
    }

    /// The transaction is over, if there is one. Of a refusal the application has
    /// heard before.
    fn forget(&mut self, over: Over, how: &'static str) {
        let Some(transaction) = self.transaction.take() else { return };
        self.ended.push(how);
        if transaction.refused.is_none() {
            self.heard.push(Heard::Over(transaction.id, over));
        }
    }

    /// The whole message is refused; what is still read of it is dropped.
    fn refuse_message(&mut self, said: Said, why: &'static str) {
        let Some(transaction) = self.transaction.as_mut().filter(|transaction| transaction.refused.is_none()) else {
            return;
        };
        transaction.refused = Some(said);
        self.ended.push(why);
        self.heard.push(Heard::Over(transaction.id, Over::Refused(said.code)));
    }

    fn give_up(&mut self, why: &'static str) {
        let late = Said { code: 451, number: None };
        if self.question.is_some() {
            return self.answer(451, None);
        }
        if self.is_answering() {
            let transaction = self.transaction.as_mut().unwrap();
            transaction.verdicts.iter_mut().for_each(|verdict| *verdict = verdict.or(Some(late)));
            return self.release();
        }
        self.refuse_message(late, why);
    }

    fn judge(&mut self, to: usize, code: u16) {
        let number = Some(self.acts);
        let Some(transaction) = self.transaction.as_mut().filter(|transaction| transaction.refused.is_none()) else {
            return;
        };
        if let Some(verdict) = transaction.verdicts.get_mut(to).filter(|verdict| verdict.is_none()) {
            *verdict = Some(match code {
                354 | 421 => Said { code: 451, number: None },
                _ => Said { code, number },
            });
            self.release();
        }
    }

    /// Behind the whole message, each recipient has its answer as soon as those
    /// before have theirs (RFC 2033 section 4.2).
    fn release(&mut self) {
        let Some(transaction) = self.transaction.as_mut().filter(|open| open.content == Content::Ended) else { return };
        while let Some(Some(verdict)) = transaction.verdicts.get(transaction.answered) {
            self.said.push(*verdict);
            transaction.answered += 1;
        }
        if transaction.answered == transaction.verdicts.len() {
            self.forget(Over::Answered, "everybody was answered");
        }
    }

    /// The message has been read to its end.
    fn conclude(&mut self, octets: Vec<u8>) {
        let transaction = self.transaction.as_mut().unwrap();
        if let Some(refused) = transaction.refused {
            self.said.extend(transaction.verdicts.iter().map(|_| refused));
            return self.forget(Over::Answered, "a refused message was read to its end");
        }
        transaction.content = Content::Ended;
        self.heard.push(Heard::End(transaction.id, octets));
        self.release();
    }

    /// More came for nothing than is read.
    fn is_too_much(&mut self, read: usize) -> bool {
        let much = read > SIZE + DRAINED;
        if much {
            self.say(421);
            self.close(Err(Fault::TooMuch));
        }
        much
    }

    fn hear_content(&mut self, octets: &[u8]) {
        let Some(Transaction { content: Content::Data(raw), read, .. }) = &mut self.transaction else { return };
        raw.extend_from_slice(octets);
        let (content, whole, length) = unstuffed(raw);
        let read = *read + length;
        if first_fault(&content).is_some_and(|fault| fault <= SIZE) {
            self.refuse_message(Said { code: 550, number: None }, "refuses: a lone CR, LF or NUL behind DATA");
        } else if content.len() > SIZE {
            self.refuse_message(Said { code: 552, number: None }, "refuses: too large behind DATA");
        }
        let too_much = self.refused().is_some() && self.is_too_much(read);
        if whole && !too_much {
            self.conclude(content);
        }
    }

    fn refused(&self) -> Option<Said> {
        self.transaction.as_ref()?.refused
    }

    fn hear_response(&mut self, word: Word) {
        let octets = word.octets();
        let line = &octets[..octets.len() - 2];
        let code = match line {
            _ if word == Word::TooLong || line.iter().any(|octet| b"\r\n\0".contains(octet)) => 500,
            b"*" => 501,
            _ if is_base64(line) => {
                self.heard.push(Heard::Response);
                return self.ask_again(Question::Auth);
            }
            _ => 501,
        };
        self.authenticating = false;
        self.nonsense(code);
    }

    fn ask(&mut self, question: Question, heard: Heard) {
        self.heard.push(heard);
        self.ask_again(question);
    }

    fn ask_again(&mut self, question: Question) {
        (self.question, self.held) = (Some(question), true);
    }
}
