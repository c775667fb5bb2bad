//! `lmtp-smol`, on the executor of smol.

use std::io;

use lmtp_proto::Endpoint;
use lmtp_smol as front;

use crate::Work;

#[path = "roles.rs"]
mod roles;

pub(crate) fn client(work: &Work) {
    let executor = smol::LocalExecutor::new();
    let sessions: Vec<_> = (0..work.sessions).map(|_| executor.spawn(roles::session(work.clone()))).collect();
    smol::block_on(executor.run(async {
        for session in sessions {
            session.await;
        }
    }));
}

pub(crate) fn server(endpoint: Endpoint) -> io::Result<()> {
    smol::block_on(front::serve(endpoint, roles::Sink::new))
}
