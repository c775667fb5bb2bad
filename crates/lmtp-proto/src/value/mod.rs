//! The values of the protocol, one type a file, validated when made.
//!
//! No value of any type here can carry CR, LF or NUL to the wire: there is no
//! way to make one that does. Injection of commands is not filtered out, it
//! cannot be said.

mod auth_sender;
mod body_type;
mod capabilities;
mod client_attribute;
mod client_attributes;
mod command;
mod command_text;
mod deliver_by;
mod domain;
mod dsn;
mod endpoint;
mod enhanced;
mod envelope;
mod invalid;
mod keyword;
mod lhlo_name;
mod local_part;
mod mailbox;
mod mechanism;
mod param;
mod params;
mod path;
mod priority;
mod recipient_forward;
mod reply;
mod reply_code;
mod reply_words;
mod trace_id;
mod verb;

pub use auth_sender::AuthSender;
pub use body_type::BodyType;
pub use capabilities::{Capabilities, DeliverByOffer, Extension, LimitsOffered};
pub use client_attribute::{AttributeText, AttributeValue, ClientAttribute, OtherAttribute};
pub use client_attributes::{ClientAttributes, InvalidClientAttributes};
pub use command::Command;
pub use command_text::CommandText;
pub use deliver_by::{ByMode, DeliverBy, InvalidDeliverBy};
pub use domain::Domain;
pub use dsn::{EnvelopeId, Notify, OriginalRecipient, Ret};
pub use endpoint::{Endpoint, InvalidEndpoint, Security, Target};
pub use enhanced::{EnhancedCode, InvalidEnhancedCode};
pub use envelope::{Envelope, InvalidEnvelope};
pub use invalid::InvalidValue;
pub use keyword::Keyword;
pub use lhlo_name::LhloName;
pub use local_part::LocalPart;
pub use mailbox::Mailbox;
pub use mechanism::{AuthResponse, InvalidAuthResponse, MechanismName};
pub use param::Param;
pub use params::{MailParams, RcptParams};
pub use path::{ForwardPath, ReversePath};
pub use priority::{InvalidPriority, Priority};
pub use recipient_forward::RecipientForward;
pub use reply::{InvalidReply, Reply};
pub use reply_code::{InvalidReplyCode, ReplyClass, ReplyCode};
pub use trace_id::TraceId;
pub use verb::Verb;

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
