//! The server on real sockets.

use std::os::unix::net::UnixStream;

use lmtp_smol as front;
use lmtp_smol::Smol as Runtime;

fn run<T>(future: impl Future<Output = T>) -> T {
    smol::block_on(future)
}

include!("../../lmtp-futures/tests/front/server.rs");
