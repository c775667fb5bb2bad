//! What ends a session, or a message, before its time.

use super::Ending;
use crate::value::Reply;

/// Why a session did not end as it should. Whatever can be said to the client
/// has been said, and is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The client went away in the middle of something.
    #[error("the client closed the connection before it was done")]
    Closed,
    /// The client took too long.
    #[error("the client took too long")]
    TimedOut,
    /// The client says nothing but nonsense.
    #[error("the client made too many errors")]
    TooManyErrors,
    /// The client goes on with what was refused.
    #[error("the client goes on sending what was refused")]
    TooMuch,
    /// The client sent octets in clear where TLS was to begin: they may be
    /// anybody's (RFC 3207 section 6).
    #[error("there were octets in clear behind STARTTLS")]
    ClearOctets,
    /// Where a chunk ends cannot be told.
    #[error("the client's BDAT cannot be understood")]
    LostInChunk,
}

/// Why the content of a message has no end. It is never a short message: what was
/// read of it is void.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The message is refused, and this is what each recipient will be told.
    #[error("the message was refused: {0}")]
    Refused(Reply),
    /// The client took it back, or went away in the middle of it.
    #[error("the client did not send the message to its end")]
    Abandoned,
}

/// For a transaction that ended before its content did.
impl From<Ending> for BodyError {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Refused(reply) => Self::Refused(reply),
            Ending::Answered | Ending::Abandoned | Ending::Unheard => Self::Abandoned,
        }
    }
}

/// An answer that came too late, or the second for the same: nothing has
/// changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that has been answered already, or is no longer asked")]
pub struct Stale;
