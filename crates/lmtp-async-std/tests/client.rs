//! The client on real sockets.

use std::os::unix::net::UnixStream;

use lmtp_async_std as front;

fn run<T>(future: impl Future<Output = T>) -> T {
    async_std::task::block_on(future)
}

fn opened(file: std::fs::File) -> async_std::fs::File {
    file.into()
}

fn reader(octets: &[u8]) -> &[u8] {
    octets
}

fn adopted(stream: UnixStream) -> async_std::os::unix::net::UnixStream {
    stream.into()
}

include!("../../lmtp-futures/tests/front/client.rs");
