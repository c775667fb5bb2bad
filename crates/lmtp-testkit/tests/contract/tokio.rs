//! `lmtp-tokio`.

use std::io::Cursor;
use std::os::unix::net::UnixStream;

use lmtp_tokio as front;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

/// A socket that was opened elsewhere.
fn adopted(stream: UnixStream) -> tokio::net::UnixStream {
    stream.set_nonblocking(true).unwrap();
    tokio::net::UnixStream::from_std(stream).unwrap()
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
