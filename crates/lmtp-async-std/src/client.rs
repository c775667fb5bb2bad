//! Sending mail.

use lmtp_proto::{Endpoint, Report, SendError};

use crate::AsyncStd;

/// A session with an LMTP server: see [`lmtp_futures::Client`].
pub type Client = lmtp_futures::Client<AsyncStd>;
/// How a client is set up, and the way to make it: see [`lmtp_futures::Builder`].
pub type Builder = lmtp_futures::Builder<AsyncStd>;
/// A transaction that recipients are added to: see [`lmtp_futures::Transaction`].
pub type Transaction<'c> = lmtp_futures::Transaction<'c, AsyncStd>;
/// The content of a message, to be written: see [`lmtp_futures::Content`].
pub type Content<'c> = lmtp_futures::Content<'c, AsyncStd>;
/// The reports of messages that are sent one behind the other: see [`lmtp_futures::Deliveries`].
pub type Deliveries<'c, 'm, I> = lmtp_futures::Deliveries<'c, 'm, AsyncStd, I>;

/// Sends one message over a connection of its own.
///
/// The report says what became of each recipient, also when no connection could
/// be made.
///
/// # Errors
///
/// A value cannot be: nothing was sent.
pub async fn send<E>(
    endpoint: E,
    from: &str,
    to: impl IntoIterator<Item = impl AsRef<str>>,
    message: impl Into<lmtp_futures::Body<'_>>,
) -> Result<Report, SendError>
where
    E: TryInto<Endpoint>,
    SendError: From<E::Error>,
{
    lmtp_futures::send::<AsyncStd, E>(endpoint, from, to, message).await
}
