//! What can go wrong on an encrypted stream.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use lmtp_proto::{Fault, FaultKind, Phase};

use crate::TlsProblem;
use crate::problem::explain;

/// What ended a machine with TLS around it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error<E> {
    /// The machine's own error.
    Machine(E),
    /// The stream ended without the `close_notify` that ends TLS: it was cut off,
    /// by the peer's system, or by somebody in between. What the machine made of
    /// the end.
    Truncated(E),
    /// TLS itself failed.
    Tls(TlsError),
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine(error) => error.fmt(f),
            Self::Truncated(error) => write!(f, "{error}{CUT}"),
            Self::Tls(error) => error.fmt(f),
        }
    }
}

const CUT: &str = "; it was cut off: TLS was not ended (no close_notify)";

impl<E: StdError + 'static> StdError for Error<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Machine(error) => error.source(),
            Self::Truncated(error) => Some(error),
            Self::Tls(error) => error.source(),
        }
    }
}

impl<E> Error<E> {
    /// The fault of TLS, if it was that.
    pub fn tls(&self) -> Option<&TlsError> {
        match self {
            Self::Tls(error) => Some(error),
            _ => None,
        }
    }

    /// The machine's error, if it had one.
    pub fn machine(&self) -> Option<&E> {
        match self {
            Self::Machine(error) | Self::Truncated(error) => Some(error),
            Self::Tls(_) => None,
        }
    }
}

/// For the report of a client.
impl From<Error<lmtp_proto::Error>> for Fault {
    fn from(error: Error<lmtp_proto::Error>) -> Self {
        match error {
            Error::Machine(error) => error.into(),
            Error::Truncated(error) => Self::from(error).because(&"TLS was cut off (no close_notify)"),
            Error::Tls(error) => {
                let kind = if error.is_timeout() { FaultKind::Timeout } else { FaultKind::Tls };
                Self::new(kind, Phase::Tls, error.to_string()).with_source(error)
            }
        }
    }
}

/// TLS failed: what, and what to do about it. Its text names no options of any
/// program; [`problem`](Self::problem) is for those that want to.
#[derive(Debug, Clone)]
pub struct TlsError {
    problem: TlsProblem,
    /// Whether we are the server.
    server: bool,
    handshake: bool,
    error: Option<Arc<rustls::Error>>,
}

impl TlsError {
    pub(crate) fn failed(server: bool, handshake: bool, error: rustls::Error) -> Self {
        Self { problem: TlsProblem::of(&error), server, handshake, error: Some(Arc::new(error)) }
    }

    pub(crate) fn timed_out() -> Self {
        Self { problem: TlsProblem::TimedOut, server: false, handshake: true, error: None }
    }

    pub(crate) fn closed() -> Self {
        Self { problem: TlsProblem::Closed, server: false, handshake: true, error: None }
    }

    /// What kind of problem it is.
    pub fn problem(&self) -> TlsProblem {
        self.problem
    }

    /// Whether it came in the handshake. A server that does not take a client's
    /// certificate says so behind the handshake, in TLS 1.3.
    pub fn is_in_handshake(&self) -> bool {
        self.handshake
    }

    /// Whether time was up.
    pub fn is_timeout(&self) -> bool {
        self.problem == TlsProblem::TimedOut
    }

    /// What rustls says, if it was rustls.
    pub fn rustls(&self) -> Option<&rustls::Error> {
        self.error.as_deref()
    }
}

/// An error is equal to its copies, though rustls has errors that are equal to
/// nothing.
impl PartialEq for TlsError {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.error, &other.error) {
            (Some(one), Some(another)) => Arc::ptr_eq(one, another) || one == another,
            (None, None) => true,
            _ => false,
        };
        same && (self.problem, self.server, self.handshake) == (other.problem, other.server, other.handshake)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        explain(f, self.server, self.problem, self.error.as_deref())
    }
}

/// What rustls says is in the text already.
impl StdError for TlsError {}
