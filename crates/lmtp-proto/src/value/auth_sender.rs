//! Who handed a message in.

use alloc::string::ToString;
use core::fmt;
use core::str::FromStr;

use super::{InvalidAddress, Mailbox, ReversePath};
use crate::codec::xtext;

/// Who handed a message in, as far as the client knows (RFC 4954 section 5).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AuthSender {
    /// `<>`: not known, or not to be believed.
    Unknown,
    /// This mailbox.
    Mailbox(Mailbox),
}

/// From the wire form: `<>`, or a mailbox in xtext.
impl FromStr for AuthSender {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Text that is no xtext is no mailbox either: it fails as it is.
        let address = xtext::decoded(text);
        if address.is_empty() {
            return address.parse().map(Self::Mailbox);
        }
        Ok(match address.parse()? {
            ReversePath::Null => Self::Unknown,
            ReversePath::Mailbox(mailbox) => Self::Mailbox(mailbox),
        })
    }
}

/// As on the wire: `<>`, or the mailbox in xtext.
impl fmt::Display for AuthSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.pad("<>"),
            Self::Mailbox(mailbox) => f.pad(&xtext::Encoded(mailbox.as_str()).to_string()),
        }
    }
}
