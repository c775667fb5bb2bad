//! Where a message comes from and where it goes.

use core::fmt;
use core::str::FromStr;

use super::{InvalidAddress, LocalPart, Mailbox};
use crate::codec;

/// The sender of an envelope: a mailbox, or nobody (RFC 5321 section 4.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum ReversePath {
    /// `<>`: nobody wants to hear of a failure, as for a bounce (section 4.5.5).
    #[default]
    Null,
    /// The mailbox that failures are reported to.
    Mailbox(Mailbox),
}

impl ReversePath {
    /// Whether it can be said without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Mailbox(mailbox) => mailbox.is_ascii(),
        }
    }
}

/// A recipient: a mailbox, or the postmaster of the server itself (RFC 5321
/// sections 4.1.1.3 and 4.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<Postmaster>`, the only recipient without a domain (section 4.5.1).
    Postmaster,
    /// A mailbox.
    Mailbox(Mailbox),
    /// A mailbox of the server itself, without its domain. No RFC knows it;
    /// Cyrus takes it. Parsing text does not make one,
    /// [`local`](Self::local) does.
    Local(LocalPart),
}

impl ForwardPath {
    /// A mailbox of the server itself, named without its domain; the
    /// postmaster, if that is the name.
    ///
    /// # Errors
    ///
    /// The name is no local part.
    pub fn local(name: &str) -> Result<Self, InvalidAddress> {
        if name.eq_ignore_ascii_case("postmaster") { Ok(Self::Postmaster) } else { name.parse().map(Self::Local) }
    }

    /// Whether it can be said without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        match self {
            Self::Postmaster => true,
            Self::Mailbox(mailbox) => mailbox.is_ascii(),
            Self::Local(local) => local.is_ascii(),
        }
    }
}

/// With or without angle brackets: `a@b`, `<a@b>`, `<>` or nothing at all. A
/// source route in brackets is dropped (RFC 5321 appendix C).
impl FromStr for ReversePath {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match codec::path::unbracketed(text) {
            "" => Ok(Self::Null),
            address => address.parse().map(Self::Mailbox),
        }
    }
}

/// With or without angle brackets: `a@b`, `<a@b>`, `postmaster` in any case. A
/// source route in brackets is dropped (RFC 5321 appendix C).
impl FromStr for ForwardPath {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = codec::path::unbracketed(text);
        if address.eq_ignore_ascii_case("postmaster") {
            return Ok(Self::Postmaster);
        }
        address.parse().map(Self::Mailbox)
    }
}

impl From<Mailbox> for ReversePath {
    fn from(mailbox: Mailbox) -> Self {
        Self::Mailbox(mailbox)
    }
}

impl From<Mailbox> for ForwardPath {
    fn from(mailbox: Mailbox) -> Self {
        Self::Mailbox(mailbox)
    }
}

/// The address without brackets; nothing for the null path.
impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Mailbox(mailbox) => mailbox.fmt(f),
        }
    }
}

/// The address without brackets.
impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.pad("postmaster"),
            Self::Mailbox(mailbox) => mailbox.fmt(f),
            Self::Local(local) => local.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn brackets_and_routes_fall_away() {
        lmtp_testkit::proves!("R5321-4.1.2-j");
        for text in ["a@b", "<a@b>", "<@x,@y.z:a@b>"] {
            assert_eq!(text.parse::<ForwardPath>().unwrap().to_string(), "a@b");
            assert_eq!(text.parse::<ReversePath>().unwrap().to_string(), "a@b");
        }
        for text in ["<a@b", "a@b>", "<<a@b>>", "<@x a@b>", "<@x:>", "@x:a@b", "<@x:postmaster>"] {
            assert!(text.parse::<ForwardPath>().is_err(), "{text}");
            assert!(text.parse::<ReversePath>().is_err(), "{text}");
        }
    }

    #[test]
    fn paths_without_a_mailbox() {
        assert_eq!("<>".parse(), Ok(ReversePath::Null));
        assert_eq!("".parse(), Ok(ReversePath::Null));
        for text in ["postmaster", "<Postmaster>", "POSTMASTER"] {
            assert_eq!(text.parse(), Ok(ForwardPath::Postmaster));
        }
        assert!("<>".parse::<ForwardPath>().is_err());
        assert!("alice".parse::<ForwardPath>().is_err());
    }
}
