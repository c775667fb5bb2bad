//! `lmtp-blocking`.

use std::io::Cursor;
use std::os::unix::net::UnixStream;

use lmtp_blocking as front;

fn run<T>(code: impl FnOnce() -> T) -> T {
    code()
}

/// A socket that was opened elsewhere.
fn adopted(stream: UnixStream) -> UnixStream {
    stream
}

#[path = "auth.rs"]
mod auth;
#[path = "conformance.rs"]
mod conformance;
#[path = "cut.rs"]
mod cut;
#[path = "deadlines.rs"]
mod deadlines;
#[path = "every_item.rs"]
mod every_item;
#[path = "large.rs"]
mod large;
#[path = "served.rs"]
pub(crate) mod served;
#[path = "tls.rs"]
mod tls;
