//! The values of the protocol, one type a file, validated when made.
//!
//! No value of any type here can carry CR, LF or NUL to the wire: there is no
//! way to make one that does. Injection of commands is not filtered out, it
//! cannot be said.

mod capabilities;
mod command;
mod domain;
mod endpoint;
mod enhanced;
mod envelope;
mod lhlo_name;
mod mailbox;
mod params;
mod path;
mod reply;
mod reply_code;

pub use capabilities::{Capabilities, Extension};
pub use command::{Command, Verb};
pub use domain::Domain;
pub use endpoint::{Endpoint, InvalidEndpoint, Security, Target};
pub use enhanced::{EnhancedCode, InvalidEnhancedCode};
pub use envelope::{Envelope, InvalidEnvelope};
pub use lhlo_name::LhloName;
pub use mailbox::Mailbox;
pub use params::{BodyType, MailParams};
pub use path::{ForwardPath, ReversePath};
pub use reply::{InvalidReply, Reply};
pub use reply_code::{InvalidReplyCode, ReplyClass, ReplyCode};

use alloc::string::String;

/// Text that is not an address, a path or a domain name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{shown}\" is not {expected}: {problem}")]
pub struct InvalidAddress {
    shown: String,
    expected: &'static str,
    problem: AddressProblem,
}

impl InvalidAddress {
    pub(crate) fn new(text: &str, expected: &'static str, problem: AddressProblem) -> Self {
        Self { shown: crate::error::excerpt(text.as_bytes()), expected, problem }
    }

    /// What is wrong with it.
    pub fn problem(&self) -> AddressProblem {
        self.problem
    }
}

/// What is wrong with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum AddressProblem {
    /// It does not follow the grammar of RFC 5321 section 4.1.2.
    #[error("it does not follow RFC 5321 section 4.1.2")]
    Syntax,
    /// It holds CR, LF, NUL or another control character.
    #[error("it holds a control character")]
    ControlCharacter,
    /// It has no "@" and is not `postmaster`.
    #[error("it has no domain")]
    NoDomain,
    /// It holds UTF-8 where only ASCII may be said.
    #[error("it must be said in ASCII (RFC 6531 section 3.7.1)")]
    NotAscii,
    /// A domain of more than 255 octets, or a path of more than 256.
    #[error("it is longer than RFC 5321 section 4.5.3.1 allows")]
    TooLong,
}
