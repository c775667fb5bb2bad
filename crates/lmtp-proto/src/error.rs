//! What can go wrong: the peer's fault, or the caller's.

use crate::auth::AuthError;
use crate::report::{FaultKind, Phase};
use crate::text::Escaped;
use crate::value::{Reply, ReplyClass};
use crate::{ContentError, Limit};
use alloc::string::String;
use core::fmt;

/// The peer or the line failed, or the message did: the connection is over.
///
/// A machine that has returned one returns it ever after. A 4yz or 5yz reply is
/// not an error but an answer; only a server that turns the whole session away
/// ends it with [`Error::Refused`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The peer closed the connection, or it was lost.
    Closed {
        /// What was awaited.
        phase: Phase,
    },
    /// The peer took too long.
    TimedOut {
        /// What was awaited.
        phase: Phase,
    },
    /// The server refused the session: in its greeting, or in reply to LHLO.
    Refused {
        /// [`Phase::Greeting`] or [`Phase::Lhlo`].
        phase: Phase,
        /// What it said.
        reply: Reply,
    },
    /// TLS is required and is not to be had.
    NoTls {
        /// The server's refusal of STARTTLS; nothing if it does not offer it.
        reply: Option<Reply>,
    },
    /// Octets stood behind the reply to STARTTLS, in the clear: somebody may have
    /// put them there to have them taken for what was said under TLS (RFC 3207
    /// section 6).
    OctetsBeforeTls,
    /// The server offers no mechanism to log in with that may be used here.
    NoMechanism,
    /// The server refused to let us log in.
    AuthRefused {
        /// What it said.
        reply: Reply,
    },
    /// We gave up logging in, or what the server said proves nothing.
    AuthFailed {
        /// Why.
        problem: AuthError,
        /// What the server said to it, if it was asked.
        reply: Option<Reply>,
    },
    /// The server refused to take us for the client that XCLIENT told of.
    XclientRefused {
        /// What it said.
        reply: Reply,
    },
    /// The server is going away (RFC 5321 section 3.8).
    Closing {
        /// What was awaited.
        phase: Phase,
        /// Its 421.
        reply: Reply,
    },
    /// What the peer sent is not a reply.
    Syntax {
        /// What was awaited.
        phase: Phase,
        /// What is wrong with it.
        problem: SyntaxError,
        /// The start of the line.
        line: String,
    },
    /// A reply that cannot answer its command, such as 2yz to DATA.
    Unexpected {
        /// What was awaited.
        phase: Phase,
        /// The reply.
        reply: Reply,
    },
    /// A reply that answers nothing.
    Unsolicited {
        /// Where the session stood.
        phase: Phase,
        /// The reply.
        reply: Reply,
    },
    /// The beginning of a reply that answers nothing, and its end did not come.
    StrayOctets {
        /// Where the session stood.
        phase: Phase,
    },
    /// The peer went past a limit.
    Limit {
        /// What was awaited.
        phase: Phase,
        /// Which one.
        limit: Limit,
    },
    /// The message holds what must not be sent.
    Content(ContentError),
    /// The message could not be read to its end.
    BodyFailed,
}

impl Error {
    /// Where it went wrong.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Closed { phase }
            | Self::TimedOut { phase }
            | Self::Refused { phase, .. }
            | Self::Closing { phase, .. }
            | Self::Syntax { phase, .. }
            | Self::Unexpected { phase, .. }
            | Self::Unsolicited { phase, .. }
            | Self::StrayOctets { phase }
            | Self::Limit { phase, .. } => *phase,
            Self::NoTls { .. } | Self::OctetsBeforeTls => Phase::StartTls,
            Self::NoMechanism | Self::AuthRefused { .. } | Self::AuthFailed { .. } => Phase::Auth,
            Self::XclientRefused { .. } => Phase::Lhlo,
            Self::Content(_) | Self::BodyFailed => Phase::Body,
        }
    }

    /// What kind of fault it is.
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Closed { .. } | Self::Refused { .. } | Self::Closing { .. } | Self::XclientRefused { .. } => {
                FaultKind::Closed
            }
            Self::NoTls { .. } | Self::OctetsBeforeTls => FaultKind::Tls,
            Self::NoMechanism | Self::AuthRefused { .. } | Self::AuthFailed { .. } => FaultKind::Auth,
            Self::TimedOut { .. } => FaultKind::Timeout,
            Self::Syntax { .. } | Self::Unexpected { .. } | Self::Unsolicited { .. } | Self::StrayOctets { .. } => {
                FaultKind::Protocol
            }
            Self::Limit { .. } => FaultKind::Limit,
            Self::Content(_) | Self::BodyFailed => FaultKind::Body,
        }
    }

    /// The reply at the bottom of it, if there is one.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Refused { reply, .. }
            | Self::Closing { reply, .. }
            | Self::AuthRefused { reply }
            | Self::XclientRefused { reply }
            | Self::Unexpected { reply, .. }
            | Self::Unsolicited { reply, .. } => Some(reply),
            Self::NoTls { reply } | Self::AuthFailed { reply, .. } => reply.as_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let awaited = Awaited;
        match self {
            Self::Closed { phase } => write!(f, "the connection was closed {}", awaited(*phase)),
            Self::TimedOut { phase } => write!(f, "timed out {}", awaited(*phase)),
            Self::Refused { phase: Phase::Greeting, reply } => {
                write!(f, "the server greets with a refusal: {reply}")
            }
            Self::Refused { reply, .. } => write!(f, "the server refuses LHLO: {reply}"),
            Self::NoTls { reply: None } => f.write_str("TLS is required and the server does not offer STARTTLS"),
            Self::NoTls { reply: Some(reply) } => write!(f, "TLS is required and the server refuses it: {reply}"),
            Self::OctetsBeforeTls => f.write_str("octets in the clear behind the reply to STARTTLS"),
            Self::NoMechanism => f.write_str("the server offers no way to log in that may be used on this connection"),
            Self::AuthRefused { reply } => write!(f, "the server refuses to log us in: {reply}"),
            Self::AuthFailed { problem, reply: None } => write!(f, "logging in failed: {problem}"),
            Self::AuthFailed { problem, reply: Some(reply) } => {
                write!(f, "logging in failed: {problem}; the server says: {reply}")
            }
            Self::XclientRefused { reply } => write!(f, "the server refuses XCLIENT: {reply}"),
            Self::Closing { phase, reply } => write!(f, "the server is closing {}: {reply}", awaited(*phase)),
            Self::Syntax { phase, problem, line } => {
                write!(f, "not a reply {}: {problem}: \"{line}\"", awaited(*phase))
            }
            Self::Unexpected { phase, reply } => {
                let class = match reply.code().class() {
                    ReplyClass::PositiveCompletion => "a success",
                    ReplyClass::PositiveIntermediate => "an intermediate reply",
                    _ => "a refusal",
                };
                write!(f, "{class} is no answer {}: {reply}", awaited(*phase))
            }
            Self::Unsolicited { phase, reply } => {
                write!(f, "a reply that answers nothing {}: {reply}", awaited(*phase))
            }
            Self::StrayOctets { phase } => {
                write!(f, "the beginning of a reply that answers nothing {}", awaited(*phase))
            }
            Self::Limit { phase, limit } => write!(f, "{limit} {}", awaited(*phase)),
            Self::Content(error) => write!(f, "the message cannot be sent: {error}"),
            Self::BodyFailed => f.write_str("the message could not be read to its end"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        None
    }
}

/// "before … was answered", for the end of a sentence.
struct Awaited(Phase);

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Phase::Connect => "while connecting",
            Phase::Tls => "in the TLS handshake",
            Phase::Greeting => "before the greeting",
            Phase::Lhlo => "before LHLO was answered",
            Phase::StartTls => "before STARTTLS was answered",
            Phase::Auth => "before AUTH was answered",
            Phase::Mail => "before MAIL was answered",
            Phase::Rcpt => "before RCPT was answered",
            Phase::Data => "before DATA was answered",
            Phase::Body => "while the content was being sent",
            Phase::Final => "before every recipient was answered",
            Phase::Quit => "before QUIT was answered",
        })
    }
}

/// What is wrong with a line that should have been a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SyntaxError {
    /// It does not begin with a code from 200 to 599 and a space, a hyphen or
    /// the end of the line.
    #[error("no reply code")]
    NoCode,
    /// Its code differs from that of the lines before it.
    #[error("the code changes within one reply")]
    MixedCodes,
    /// An LF without a CR before it.
    #[error("LF without CR")]
    BareLf,
    /// A CR without an LF behind it.
    #[error("CR without LF")]
    BareCr,
}

/// The start of a peer's line, fit to be shown in an error.
pub(crate) fn excerpt(line: &[u8]) -> String {
    const SHOWN: usize = 80;
    let (start, more) = match line.get(..SHOWN) {
        Some(start) if line.len() > SHOWN => (start, "…"),
        _ => (line, ""),
    };
    alloc::format!("{}{more}", Escaped(start))
}

/// The caller asked at the wrong moment; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// A message is still under way.
    #[error("a message is still under way on this connection")]
    Busy,
    /// The report of the message before has not been taken: it would be lost.
    #[error("the report of the message before has not been taken")]
    ReportNotTaken,
    /// The session is open already.
    #[error("the session is open already")]
    TooLate,
    /// No transaction is open that recipients could be added to.
    #[error("no transaction is open")]
    NoTransaction,
    /// No content is wanted.
    #[error("no content is wanted now")]
    NoBodyWanted,
    /// QUIT has been sent.
    #[error("the session is over")]
    Over,
}
