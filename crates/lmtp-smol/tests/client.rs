//! The client on real sockets.

use std::os::unix::net::UnixStream;

use lmtp_smol as front;

fn run<T>(future: impl Future<Output = T>) -> T {
    smol::block_on(future)
}

fn opened(file: std::fs::File) -> smol::fs::File {
    file.into()
}

fn reader(octets: &[u8]) -> &[u8] {
    octets
}

fn adopted(stream: UnixStream) -> smol::net::unix::UnixStream {
    stream.try_into().unwrap()
}

include!("../../lmtp-futures/tests/front/client.rs");
