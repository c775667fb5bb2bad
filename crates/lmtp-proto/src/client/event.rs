//! What the application hears.

use alloc::string::String;
use core::fmt;

use crate::text::Escaped;
use crate::value::Reply;
use crate::{RecipientId, TransactionId};

/// What the application hears from a [`Client`](super::Client).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// LHLO was answered; [`capabilities`](super::Client::capabilities) are known.
    Open,
    /// RSET was answered, where [`reset`](super::Client::reset) asked for it.
    Reset,
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
    /// A line of the conversation, if [`Config::transcript`](super::Config::transcript) asked for it.
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
