//! Receiving mail with smol.

use std::io;

use lmtp_futures::{Handler, Listen};

use crate::Smol;

/// A server to be set up, and then to [`serve`](lmtp_futures::Server::serve).
pub type Server<H> = lmtp_futures::Server<Smol, H>;

/// A socket that listens, for a server; those of the runtime become one by
/// [`new`](lmtp_futures::Listener::new).
pub type Listener = lmtp_futures::Listener<Smol>;

/// Serves everybody who connects there, with the defaults of a [`Server`].
///
/// # Errors
///
/// It cannot listen there, or no longer.
pub async fn serve(listen: impl Listen<Smol>, handler: impl Handler) -> io::Result<()> {
    Server::new(handler).serve(listen).await
}
