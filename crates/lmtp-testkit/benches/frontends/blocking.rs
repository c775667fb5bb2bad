//! `lmtp-blocking`: a thread for each session.

use std::{io, thread};

use lmtp_blocking as front;
use lmtp_proto::Endpoint;

use crate::Work;

#[path = "roles.rs"]
mod roles;

pub(crate) fn client(work: &Work) {
    thread::scope(|scope| {
        for _ in 0..work.sessions {
            let work = work.clone();
            scope.spawn(|| roles::session(work));
        }
    });
}

pub(crate) fn server(endpoint: Endpoint) -> io::Result<()> {
    front::serve(endpoint, roles::Sink::new)
}
