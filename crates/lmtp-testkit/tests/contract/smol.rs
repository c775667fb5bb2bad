//! `lmtp-smol`.

use std::os::unix::net::UnixStream;

use lmtp_smol as front;
use smol::io::Cursor;

fn run<T>(future: impl Future<Output = T>) -> T {
    smol::block_on(future)
}

/// A socket that was opened elsewhere.
fn adopted(stream: UnixStream) -> smol::Async<UnixStream> {
    smol::Async::new(stream).unwrap()
}

#[path = "auth.rs"]
mod auth;
#[path = "conformance.rs"]
mod conformance;
#[path = "cut.rs"]
mod cut;
#[path = "deadlines.rs"]
mod deadlines;
#[path = "dropped.rs"]
mod dropped;
#[path = "every_item.rs"]
mod every_item;
#[path = "large.rs"]
mod large;
#[path = "served.rs"]
pub(crate) mod served;
#[path = "tls.rs"]
mod tls;
