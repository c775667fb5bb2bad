//! Who handed a message in.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use super::{AddressProblem, InvalidAddress, Mailbox};
use crate::codec::{self, xtext};

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
        let address = codec::whole(xtext::octets, text.as_bytes()).and_then(|octets| String::from_utf8(octets).ok());
        match address.as_deref() {
            None => Err(InvalidAddress::new(text, "a value of AUTH", AddressProblem::Syntax)),
            Some("<>") => Ok(Self::Unknown),
            // Some put it in brackets, as it stands in MAIL.
            Some(address) => codec::path::unbracketed(address).parse().map(Self::Mailbox),
        }
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
