//! Why nothing was sent, as every front end tells it.

use core::convert::Infallible;

use crate::value::{InvalidAddress, InvalidEndpoint, InvalidEnvelope};
use crate::{Fault, Misuse};

/// Why nothing was sent: a value that cannot be, a call at the wrong moment, or
/// a session that did not open. The `Error` of every front end.
///
/// What went wrong with a message is not here but in its
/// [`Report`](crate::Report).
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Text that is no endpoint.
    #[error(transparent)]
    Endpoint(#[from] InvalidEndpoint),
    /// Text that is no address.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    /// No recipient, or too many.
    #[error(transparent)]
    Envelope(#[from] InvalidEnvelope),
    /// A call at the wrong moment.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// The session did not open.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<Infallible> for SendError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
