//! Receiving mail with async-std.

use std::io;

use lmtp_futures::{Handler, Listen};

use crate::AsyncStd;

/// A server to be set up, and then to [`serve`](lmtp_futures::Server::serve).
pub type Server<H> = lmtp_futures::Server<AsyncStd, H>;

/// A socket that listens, for a server; those of the runtime become one by
/// [`new`](lmtp_futures::Listener::new).
pub type Listener = lmtp_futures::Listener<AsyncStd>;

/// Serves everybody who connects there, with the defaults of a [`Server`].
///
/// # Errors
///
/// It cannot listen there, or no longer.
pub async fn serve(listen: impl Listen<AsyncStd>, handler: impl Handler) -> io::Result<()> {
    Server::new(handler).serve(listen).await
}
