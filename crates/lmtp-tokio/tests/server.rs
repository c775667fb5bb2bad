//! The server on real sockets.

use std::os::unix::net::UnixStream;

use lmtp_tokio as front;
use lmtp_tokio::Tokio as Runtime;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

include!("../../lmtp-futures/tests/front/server.rs");
