//! Connections to the server under test.

use std::io;
use std::thread;
use std::time::Duration;

use lmtp_conformance::{
    Addresses, Check, Conversation, Lost, Outcome, Socket, SocketTarget, Tls, Verdict, catalogue, run,
};

/// Where the server is, and how it is spoken to.
pub(super) struct Line<'t> {
    pub(super) target: &'t SocketTarget,
    pub(super) deadline: Duration,
    pub(super) pause: Duration,
    pub(super) tls: Tls,
}

impl Line<'_> {
    /// A new connection, no sooner than is allowed.
    pub(super) fn connect(&self) -> io::Result<Socket> {
        thread::sleep(self.pause);
        self.target.connect(self.deadline, Some(&self.tls))
    }

    /// The same, where that nobody is there is one more thing that may happen.
    pub(super) fn open(&self) -> Link {
        Link(self.connect())
    }

    pub(super) fn check(&self, check: &Check, addresses: &Addresses) -> Verdict {
        match self.connect() {
            Ok(mut socket) => run(check, addresses, &mut socket),
            Err(error) => gone(&error),
        }
    }

    pub(super) fn offers_chunking(&self, addresses: &Addresses) -> bool {
        // It delivers nothing.
        let check = catalogue().into_iter().find(|check| check.id == "chunking/bad-no-size").expect("a check");
        !matches!(run(&check, addresses, &mut self.open()).outcome, Outcome::NotApplicable(_))
    }
}

/// What is said where there was no connection.
const GONE: &str = "no connection: ";

/// What becomes of a check for want of a connection.
pub(super) fn gone(error: &io::Error) -> Verdict {
    super::not_run(format!("{GONE}{error}"))
}

/// Whether a check could not be run for want of a connection.
pub(super) fn is_gone(verdict: &Verdict) -> bool {
    matches!(&verdict.outcome, Outcome::NotRun(why) if why.starts_with(GONE))
}

/// A connection, or none: then nobody answers.
pub(super) struct Link(io::Result<Socket>);

impl Conversation for Link {
    fn send(&mut self, octets: &[u8]) {
        if let Ok(socket) = &mut self.0 {
            socket.send(octets);
        }
    }

    fn read(&mut self) -> Result<Vec<u8>, Lost> {
        self.0.as_mut().map_or(Err(Lost::Closed), Conversation::read)
    }
}
