//! Lines that are no command, and what a server answers to them.

use alloc::string::ToString;

use crate::value::{AddressProblem, EnhancedCode, Keyword, Reply, ReplyCode, Verb};

/// A line that is no command. [`reply`](Self::reply) is the answer to it, and
/// nothing else follows from it: the session stands where it stood (RFC 5321
/// section 4.1.4).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Nothing is on the line.
    #[error("the line is empty")]
    Empty,
    /// HELO or EHLO: the client takes this for SMTP (RFC 2033 section 4.1).
    #[error("this is LMTP: say LHLO")]
    Helo,
    /// A verb that is not known.
    #[error("command not recognised")]
    UnknownVerb,
    /// What follows the verb does not follow the grammar.
    #[error("syntax error in {0}")]
    Syntax(Verb),
    /// UTF-8 where only ASCII may be said, such as LHLO (RFC 6531
    /// section 3.7.1).
    #[error("{0} must be said in ASCII")]
    NotAscii(Verb),
    /// The sender is no path.
    #[error("bad sender address: {0}")]
    BadSender(AddressProblem),
    /// The recipient is no path.
    #[error("bad recipient address: {0}")]
    BadRecipient(AddressProblem),
    /// A parameter that is known has a value that it cannot have, or none.
    #[error("bad value of {0}")]
    BadParameter(Keyword),
    /// A parameter is given twice.
    #[error("{0} is given twice")]
    RepeatedParameter(Keyword),
    /// The size in BDAT needs more than 64 bits. So many octets would follow
    /// that nobody can skip them: the connection has to be closed.
    #[error("the chunk is too large")]
    ChunkTooLarge,
}

impl CommandError {
    /// The verb, where the error tells it.
    pub fn verb(&self) -> Option<Verb> {
        match self {
            Self::Syntax(verb) | Self::NotAscii(verb) => Some(*verb),
            Self::BadSender(_) => Some(Verb::Mail),
            Self::BadRecipient(_) => Some(Verb::Rcpt),
            Self::ChunkTooLarge => Some(Verb::Bdat),
            _ => None,
        }
    }

    /// What a server answers (RFC 5321 section 4.2.4, RFC 5248 section 2.4).
    pub fn reply(&self) -> Reply {
        let (code, subject, detail) = match self {
            Self::Empty => (500, 5, 2),
            Self::Helo | Self::UnknownVerb => (500, 5, 1),
            Self::Syntax(_) | Self::NotAscii(_) => (501, 5, 2),
            Self::BadParameter(_) | Self::RepeatedParameter(_) => (501, 5, 4),
            Self::BadSender(_) => (501, 1, 7),
            Self::BadRecipient(_) => (501, 1, 3),
            Self::ChunkTooLarge => (552, 3, 4),
        };
        // All of them are codes; the tests say so.
        let code = ReplyCode::new(code).unwrap_or(ReplyCode::CLOSING);
        Reply::from_parts(code, EnhancedCode::new(5, subject, detail).ok(), self.to_string().as_bytes())
    }
}
