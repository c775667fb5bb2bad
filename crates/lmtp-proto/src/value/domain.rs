//! The name of a host.

use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;

use super::{AddressProblem, InvalidAddress};
use crate::codec;

/// A domain name or an address literal such as `[192.0.2.1]` or
/// `[IPv6:2001:db8::1]` (RFC 5321 sections 4.1.2 and 4.1.3).
///
/// Labels may hold UTF-8 (RFC 6531 section 3.3); [`is_ascii`](Self::is_ascii)
/// tells.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Domain(Arc<str>);

impl Domain {
    /// The longest domain, in octets (RFC 5321 section 4.5.3.1.2).
    pub const MAX: usize = 255;

    /// `localhost`.
    pub(crate) fn localhost() -> Self {
        Self(Arc::from("localhost"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an address literal.
    pub fn is_literal(&self) -> bool {
        self.0.starts_with('[')
    }

    /// Whether it can be said without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }
}

impl FromStr for Domain {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |problem| InvalidAddress::new(text, "a domain name or address literal", problem);
        match codec::whole(codec::path::domain, text.as_bytes()) {
            None if text.chars().any(char::is_control) => Err(fail(AddressProblem::ControlCharacter)),
            None => Err(fail(AddressProblem::Syntax)),
            Some(_) if text.len() > Self::MAX => Err(fail(AddressProblem::TooLong)),
            Some(_) => Ok(Self(Arc::from(text))),
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Domain({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_literals() {
        lmtp_testkit::proves!("R5321-4.1.2-i", "R5321-4.1.3-a", "R5321-4.1.3-b");
        for text in [
            "localhost",
            "a",
            "mx.example.org",
            "xn--bcher-kva.example",
            "1.2.3",
            "a--b.c",
            "bücher.example",
            "[192.0.2.1]",
            "[IPv6:2001:db8::1]",
            "[IPv6:::1]",
            "[IPv6:::]",
            "[ipv6:1:2:3:4:5:6:7:8]",
            "[IPv6:::ffff:192.0.2.1]",
            "[IPv6:1:2:3:4:5:6:192.0.2.1]",
            "[tag:any!thing]",
            "[-a:x]",
            "[192.0.2.01]",
            "[IPv6:1:2::5:6:7:8]",
            "[IPv6:1:2:3::192.0.2.1]",
        ] {
            assert_eq!(text.parse::<Domain>().expect(text).as_str(), text);
        }
    }

    #[test]
    fn what_is_neither() {
        lmtp_testkit::proves!("R5321-4.1.2-i", "R5321-4.1.3-a", "R5321-4.1.3-b");
        for text in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a",
            "a-",
            "a.-b",
            "a_b",
            "a b",
            "a\r\n",
            "[192.0.2.256]",
            "[192.0.2]",
            "[1.2.3.4",
            "[]",
            "[IPv6:]",
            "[IPv6:1:2:3:4:5:6:7:8:9]",
            "[IPv6:1::2::3]",
            "[IPv6:1:2:3:4:5:6:7::8]",
            "[IPv6:12345::]",
            "[192.0.2.0001]",
            "[tag:]",
            "[tag:a]b]",
            "[-:a]",
            "[IPv6:1::3:4:5:6:7:8]",
            "[IPv6:1:2:3:4:5::192.0.2.1]",
            "[IPv6:1::3:4:5:6:192.0.2.1]",
            "[192.0.2.0x1]",
            "[192.0.2.]",
            "a\u{85}b",
            "a\u{2028}b",
        ] {
            assert!(text.parse::<Domain>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn at_most_255_octets() {
        let name = |n: usize| "a".repeat(n).parse::<Domain>();
        assert!(name(255).is_ok());
        assert_eq!(name(256).unwrap_err().problem(), AddressProblem::TooLong);
    }
}
