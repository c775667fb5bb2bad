//! What the application hears from a server.

use bytes::Bytes;

use super::Question;
use crate::TransactionId;
use crate::client::Line;
use crate::value::Reply;

/// What the application hears from a [`Server`](super::Server).
#[derive(Debug, PartialEq, Eq)]
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

/// How a transaction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// Every accepted recipient has its verdict.
    Answered,
    /// The server refuses the message on its own account, with this reply for
    /// each recipient: it is too large, or holds what it must not. There has
    /// been no [`Event::End`], and what was heard of the content is void.
    Refused(Reply),
    /// The client took it back (RSET, LHLO, QUIT), or went away. There has been
    /// no [`Event::End`], and what was heard of the content is void.
    Abandoned,
    /// The content was whole, and the client went before it had heard every
    /// verdict. Those that were given stand; the client may send the message
    /// again.
    Unheard,
}
