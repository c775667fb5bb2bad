//! Receiving mail with smol.

use std::io;

use lmtp_futures::{Handler, Listen};
use smol::net::TcpListener;
use smol::net::unix::UnixListener;

use crate::Smol;

/// A server to be set up, and then to [`serve`](lmtp_futures::Server::serve).
pub type Server<H> = lmtp_futures::Server<Smol, H>;

/// A socket that listens, for a server.
pub type Listener = lmtp_futures::Listener<Smol>;

/// Serves everybody who connects there, with the defaults of a [`Server`].
///
/// # Errors
///
/// It cannot listen there, or no longer.
pub async fn serve(listen: impl Listen<Smol>, handler: impl Handler) -> io::Result<()> {
    Server::new(handler).serve(listen).await
}

impl Listen<Smol> for TcpListener {
    fn listen(self) -> io::Result<Vec<Listener>> {
        Ok(vec![Listener::new(self)])
    }
}

impl Listen<Smol> for UnixListener {
    fn listen(self) -> io::Result<Vec<Listener>> {
        Ok(vec![Listener::new(self)])
    }
}
