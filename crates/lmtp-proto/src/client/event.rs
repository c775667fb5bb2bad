//! What the application hears, and how it sets the client up.

use alloc::string::String;
use core::fmt;

use crate::text::Escaped;
use crate::value::{LhloName, Reply};
use crate::{Limits, LineEndings, RecipientId, Timeouts, TransactionId};

/// What the application hears from a [`Client`](super::Client).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// LHLO was answered; [`capabilities`](super::Client::capabilities) are known.
    Open,
    /// MAIL was answered.
    Sender(TransactionId, Reply),
    /// A RCPT was answered.
    Recipient(TransactionId, RecipientId, Reply),
    /// Content can be taken: answer with [`body`](super::Client::body),
    /// [`end`](super::Client::end) or [`fail_body`](super::Client::fail_body).
    BodyWanted(TransactionId),
    /// A recipient has its reply after the content.
    Final(TransactionId, RecipientId, Reply),
    /// Every recipient has its answer; [`take_report`](super::Client::take_report).
    Done(TransactionId),
    /// A line of the conversation, if [`Config::transcript`] asked for it.
    Line(Line),
}

/// A line of the conversation. `Display` gives it with `C:` or `S:` before it,
/// safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Line {
    /// A command of ours.
    Command(String),
    /// The content, whose octets are nobody's business.
    Content {
        /// How many octets went over the wire before the end of the data.
        octets: u64,
    },
    /// The dot that ends the data.
    EndOfData,
    /// A reply of the server, all of its lines.
    Reply(Reply),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(line) => write!(f, "C: {}", Escaped(line.as_bytes())),
            Self::Content { octets } => write!(f, "C: <{octets} octets of content>"),
            Self::EndOfData => f.write_str("C: ."),
            Self::Reply(reply) => {
                let mut lines = reply.lines().peekable();
                let mut first = true;
                while let Some(line) = lines.next() {
                    let separator = if lines.peek().is_some() { '-' } else { ' ' };
                    let newline = if core::mem::take(&mut first) { "" } else { "\n" };
                    write!(f, "{newline}S: {}{separator}", reply.code())?;
                    if let Some(enhanced) = reply.enhanced() {
                        write!(f, "{enhanced} ")?;
                    }
                    write!(f, "{}", Escaped(line))?;
                }
                Ok(())
            }
        }
    }
}

/// How a client behaves.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// Who we say we are in LHLO; `localhost` by default.
    pub lhlo_name: LhloName,
    /// How much a peer may ask of us.
    pub limits: Limits,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// Whether commands may leave ahead of replies.
    pub pipelining: Pipelining,
    /// What to do with line ends that are not CRLF.
    pub line_endings: LineEndings,
    /// What to do with 8-bit content that the server does not offer to take.
    pub eight_bit: EightBit,
    /// Whether to report each line of the conversation as [`Event::Line`].
    pub transcript: bool,
}

/// Whether commands may leave ahead of replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Pipelining {
    /// When the server offers it (RFC 2920).
    #[default]
    Auto,
    /// Never: each command waits for the reply to the one before.
    Off,
}

/// What to do with 8-bit content that the server does not offer to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EightBit {
    /// Refuse it for the server: 554 5.6.3 for a body without 8BITMIME,
    /// 554 5.6.9 for a header without SMTPUTF8.
    #[default]
    Refuse,
    /// Send it as it is. Most servers take it, though none has to.
    Send,
}
