//! The client on real sockets.

use std::os::unix::net::UnixStream;

use lmtp_tokio as front;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn opened(file: std::fs::File) -> tokio::fs::File {
    file.into()
}

fn reader(octets: &[u8]) -> &[u8] {
    octets
}

fn adopted(stream: UnixStream) -> tokio::net::UnixStream {
    stream.set_nonblocking(true).unwrap();
    tokio::net::UnixStream::from_std(stream).unwrap()
}

include!("../../lmtp-futures/tests/front/client.rs");
