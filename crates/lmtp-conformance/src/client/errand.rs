//! What a client under test is asked to do, and how it answers.

use std::path::PathBuf;
use std::time::Duration;

use super::fate::{Fate, Told};

/// A message to be sent to a server.
#[derive(Debug, Clone)]
pub struct Errand {
    /// The server as `lmtp://127.0.0.1:PORT` or `unix:PATH`.
    pub url: String,
    /// Its port of 127.0.0.1, if it listens there.
    pub port: Option<u16>,
    /// Its Unix socket, if it listens there.
    pub socket: Option<PathBuf>,
    /// The sender; `<>` for none.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// The message, which may hold what must not be sent as it is.
    pub message: Vec<u8>,
    /// How long a client that can be told so is to wait for a reply.
    pub timeout: Duration,
    /// How long all of it may take; then the server closes every connection.
    pub deadline: Duration,
}

/// Why a client has told nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It could not be asked.
    NotRun(String),
    /// It was asked, and something went wrong with it.
    Failed(String),
}

/// A client under test. Several checks may ask it at a time.
///
/// A closure that gives a [`Fate`] for each recipient, in their order, is one: that is a library in this process.
/// [`Program`](super::Program) is one too.
pub trait Client: Sync {
    /// Sends a message, and tells what has become of it.
    ///
    /// # Errors
    ///
    /// It has told nothing.
    fn send(&self, errand: &Errand) -> Result<Told, Trouble>;

    /// Whether it waits as long as [`Errand::timeout`] says.
    fn obeys_timeout(&self) -> bool {
        true
    }

    /// Whether it can be given a NUL.
    fn takes_nul(&self) -> bool {
        true
    }
}

impl<F: Fn(&Errand) -> Vec<Fate> + Sync> Client for F {
    fn send(&self, errand: &Errand) -> Result<Told, Trouble> {
        Ok(Told::Each(self(errand).into_iter().map(|fate| (None, fate)).collect()))
    }
}
