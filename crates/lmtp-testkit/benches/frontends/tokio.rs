//! `lmtp-tokio`, on one thread.

use std::io;

use lmtp_proto::Endpoint;
use lmtp_tokio as front;

use crate::Work;

#[path = "roles.rs"]
mod roles;

pub(crate) fn client(work: &Work) {
    run(async {
        let sessions: Vec<_> = (0..work.sessions).map(|_| tokio::spawn(roles::session(work.clone()))).collect();
        for session in sessions {
            session.await.expect("a session that ends");
        }
    });
}

pub(crate) fn server(endpoint: Endpoint) -> io::Result<()> {
    run(front::serve(endpoint, roles::Sink::new))
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}
