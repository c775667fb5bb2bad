//! A mailbox's name on its own host.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;

use super::{AddressProblem, InvalidAddress, Mailbox};
use crate::codec;

/// A local part on its own, as written (RFC 5321 section 4.1.2): how a server
/// may name a mailbox of its own.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LocalPart(Arc<str>);

impl LocalPart {
    /// The text, with its quotes if it has some.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without quotes and escapes.
    pub fn unquoted(&self) -> Cow<'_, str> {
        codec::path::unquoted(&self.0)
    }

    /// Whether it can be said without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }
}

impl FromStr for LocalPart {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |problem| Err(InvalidAddress::new(text, "a local part", problem));
        match codec::whole(codec::path::local_part, text.as_bytes()) {
            None if text.chars().any(char::is_control) => fail(AddressProblem::ControlCharacter),
            None => fail(AddressProblem::Syntax),
            Some(_) if text.len() > Mailbox::MAX => fail(AddressProblem::TooLong),
            Some(_) => Ok(Self(Arc::from(text))),
        }
    }
}

impl fmt::Display for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalPart({self})")
    }
}
