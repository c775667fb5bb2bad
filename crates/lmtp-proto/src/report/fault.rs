//! Why a session stopped short.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::error::Error as StdError;
use core::fmt;

use super::Phase;
use crate::Error;

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// The name of the server could not be resolved.
    Resolve,
    /// No connection could be made.
    Connect,
    /// The peer took too long.
    Timeout,
    /// The peer closed or reset the connection, or turned us away.
    Closed,
    /// The peer did not speak LMTP.
    Protocol,
    /// TLS failed, or is not to be had.
    Tls,
    /// Authentication failed.
    Auth,
    /// The message could not be read, or holds what must not be sent.
    Body,
    /// The peer went past a limit of ours, or the message past one of the peer's.
    Limit,
    /// The caller asked for what cannot be done.
    Usage,
}

impl FaultKind {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Body => "body",
            Self::Limit => "limit",
            Self::Usage => "usage",
        }
    }
}

/// Why a session stopped short: kind, phase and a sentence for a human.
#[derive(Debug, Clone)]
pub struct Fault {
    kind: FaultKind,
    phase: Phase,
    message: String,
    error: Option<Error>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Fault {
    /// A fault of the given kind.
    pub fn new(kind: FaultKind, phase: Phase, message: impl Into<String>) -> Self {
        Self { kind, phase, message: message.into(), error: None, source: None }
    }

    /// The same fault with the error that caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The same fault, its message ending in a cause.
    #[must_use]
    pub fn because(mut self, cause: &impl fmt::Display) -> Self {
        self.message = alloc::format!("{}: {cause}", self.message);
        self
    }

    /// The same fault, its message opened by the name of the peer.
    #[must_use]
    pub fn at(mut self, peer: &impl fmt::Display) -> Self {
        self.message = alloc::format!("{peer}: {}", self.message);
        self
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// Where it went wrong.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// A sentence that names the peer, the command and the reply, safe to print.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The error of the machine behind it, if it was the machine that failed.
    pub fn protocol_error(&self) -> Option<&Error> {
        self.error.as_ref()
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        Self { kind: error.kind(), phase: error.phase(), message, error: Some(error), source: None }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Fault {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
