//! The server on real sockets.

use std::os::unix::net::UnixStream;

use lmtp_async_std as front;
use lmtp_async_std::AsyncStd as Runtime;

fn run<T>(future: impl Future<Output = T>) -> T {
    async_std::task::block_on(future)
}

include!("../../lmtp-futures/tests/front/server.rs");
