//! Why nothing was sent.

use std::convert::Infallible;

use lmtp_proto::value::{InvalidAddress, InvalidEndpoint, InvalidEnvelope};
use lmtp_proto::{Fault, Misuse};

/// Why nothing was sent: a value that cannot be, a call at the wrong moment, or
/// a session that did not open.
///
/// What went wrong with a message is not here but in its
/// [`Report`](crate::Report).
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
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

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
