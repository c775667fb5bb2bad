//! Receiving mail with async-std.

use std::io;

use lmtp_futures::{Handler, Listen};
use async_std::net::TcpListener;
use async_std::os::unix::net::UnixListener;

use crate::AsyncStd;

/// A server to be set up, and then to [`serve`](lmtp_futures::Server::serve).
pub type Server<H> = lmtp_futures::Server<AsyncStd, H>;

/// A socket that listens, for a server.
pub type Listener = lmtp_futures::Listener<AsyncStd>;

/// Serves everybody who connects there, with the defaults of a [`Server`].
///
/// # Errors
///
/// It cannot listen there, or no longer.
pub async fn serve(listen: impl Listen<AsyncStd>, handler: impl Handler) -> io::Result<()> {
    Server::new(handler).serve(listen).await
}

impl Listen<AsyncStd> for TcpListener {
    fn listen(self) -> io::Result<Vec<Listener>> {
        Ok(vec![Listener::new(self)])
    }
}

impl Listen<AsyncStd> for UnixListener {
    fn listen(self) -> io::Result<Vec<Listener>> {
        Ok(vec![Listener::new(self)])
    }
}
