//! What the application hears from a server.

use core::fmt;

use bytes::Bytes;

use super::Question;
use crate::TransactionId;
use crate::client::Line;
use crate::value::Reply;

/// What the application hears from a [`Server`](super::Server).
#[derive(PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Something to decide.
    Question(Question),
    /// The next part of the content, dots undone: a slice of what was read.
    Content(TransactionId, Bytes),
    /// The content is whole: a [`verdict`](super::Server::verdict) is due for
    /// each accepted recipient.
    End(TransactionId),
    /// A transaction is over; nothing more will be heard of it.
    Over(TransactionId, Ending),
    /// What the client said in TRACE (Cyrus): a name to find it by in a log.
    Trace(alloc::string::String),
    /// A line of the conversation, if
    /// [`Config::transcript`](super::Config::transcript) asked for it.
    Line(Line),
}

/// Of content only the size is shown: it may be somebody's letter.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Question(question) => f.debug_tuple("Question").field(question).finish(),
            Self::Content(id, octets) => write!(f, "Content({id:?}, {} octets)", octets.len()),
            Self::End(id) => f.debug_tuple("End").field(id).finish(),
            Self::Over(id, ending) => f.debug_tuple("Over").field(id).field(ending).finish(),
            Self::Trace(name) => f.debug_tuple("Trace").field(name).finish(),
            Self::Line(line) => f.debug_tuple("Line").field(line).finish(),
        }
    }
}

/// How a transaction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// Every accepted recipient has its verdict.
    Answered,
    /// The message is refused, with this reply for each recipient: it is too
    /// large, holds what it must not, has lost a chunk, or the application has
    /// refused a chunk or failed. There has been no [`Event::End`], and what was
    /// heard of the content is void.
    Refused(Reply),
    /// The client took it back (RSET, LHLO, QUIT) or went away, the application
    /// refused DATA, or the session was ended with 421. There has been no
    /// [`Event::End`], and what was heard of the content is void.
    Abandoned,
    /// The content was whole, and the client went before it had heard every
    /// verdict. Those that were given stand; the client may send the message
    /// again.
    Unheard,
}
