//! An address.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;

use super::{AddressProblem, Domain, InvalidAddress};
use crate::codec;

/// A mailbox: local part, "@", domain (RFC 5321 section 4.1.2).
///
/// The local part is kept as it was written, case and quotes included; only the
/// host of the mailbox may interpret it (section 2.4). UTF-8 is allowed
/// (RFC 6531 section 3.3); [`is_ascii`](Self::is_ascii) tells.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Mailbox {
    text: Arc<str>,
    /// Where the "@" between local part and domain stands.
    at: usize,
}

impl Mailbox {
    /// The longest mailbox, in octets: a path of 256 (RFC 5321
    /// section 4.5.3.1.3) less its brackets. The 64 octets that section
    /// 4.5.3.1.1 names for a local part are a size that must work, and longer
    /// ones are in use.
    pub const MAX: usize = 254;

    /// From text that the codec has checked; `None` when it is too long.
    pub(crate) fn from_checked(text: &str, at: usize) -> Option<Self> {
        let fits = text.len().saturating_sub(at) <= Domain::MAX.saturating_add(1) && text.len() <= Self::MAX;
        fits.then(|| Self { text: Arc::from(text), at })
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The local part as written, with its quotes if it has some.
    pub fn local_part(&self) -> &str {
        self.text.get(..self.at).unwrap_or_default()
    }

    /// The local part without quotes and escapes: all ways to write one name are
    /// one here (RFC 5321 section 4.1.2).
    pub fn unquoted_local_part(&self) -> Cow<'_, str> {
        codec::path::unquoted(self.local_part())
    }

    /// The domain or address literal.
    pub fn domain(&self) -> &str {
        self.text.get(self.at.saturating_add(1)..).unwrap_or_default()
    }

    /// Whether it can be said without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.text.is_ascii()
    }
}

impl FromStr for Mailbox {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |problem| Err(InvalidAddress::new(text, "an address", problem));
        match codec::whole(codec::path::mailbox, text.as_bytes()) {
            None => fail(codec::path::problem(text.as_bytes())),
            Some(at) => Self::from_checked(text, at).map_or_else(|| fail(AddressProblem::TooLong), Ok),
        }
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn addresses_of_every_form() {
        lmtp_testkit::proves!("R5321-4.1.2-b", "R5321-4.1.2-c", "R6531-3.3-a");
        for (text, local, domain) in [
            ("user@localhost", "user", "localhost"),
            ("a.b+c@example.org", "a.b+c", "example.org"),
            ("!#$%&'*+-/=?^_`{|}~@x", "!#$%&'*+-/=?^_`{|}~", "x"),
            ("\"a b\"@x", "\"a b\"", "x"),
            ("\"a@b\"@x", "\"a@b\"", "x"),
            ("\"\\\"\\\\\"@x", "\"\\\"\\\\\"", "x"),
            ("\"\"@x", "\"\"", "x"),
            ("a@[192.0.2.1]", "a", "[192.0.2.1]"),
            ("a@[IPv6:::1]", "a", "[IPv6:::1]"),
            ("jörg@bücher.example", "jörg", "bücher.example"),
            ("\"jö rg\"@x", "\"jö rg\"", "x"),
        ] {
            let mailbox: Mailbox = text.parse().expect(text);
            assert_eq!((mailbox.local_part(), mailbox.domain()), (local, domain), "{text}");
        }
    }

    #[test]
    fn what_is_no_address() {
        lmtp_testkit::proves!("R5321-4.1.2-b", "R5321-4.1.2-c");
        for text in [
            "",
            "a",
            "@x",
            "a@",
            "a@@x",
            ".a@x",
            "a.@x",
            "a..b@x",
            "a b@x",
            "\"a@x",
            "\"a\"b@x",
            "\"a\\\"@x",
            "a@x y",
            "<a@x>",
            "a@x>",
            "a@[x",
            "\u{a0}@x",
            "a\u{202e}b@x",
            "a@x\u{200f}",
            "\"\u{2028}\"@x",
        ] {
            assert!(text.parse::<Mailbox>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn nothing_can_be_injected() {
        lmtp_testkit::proves!("R5321-4.1.2-f");
        for text in ["a@b\r\nRCPT TO:<c@d>", "a\n@b", "a\0@b", "\"\r\n\"@b", "a@b>\r\nDATA", "\u{560d}\u{560a}\n@b"] {
            let problem = text.parse::<Mailbox>().unwrap_err().problem();
            assert_eq!(problem, AddressProblem::ControlCharacter, "{text:?}");
        }
    }

    #[test]
    fn one_name_in_many_ways() {
        for text in ["a.b@x", "\"a.b\"@x", "\"\\a.\\b\"@x"] {
            assert_eq!(text.parse::<Mailbox>().unwrap().unquoted_local_part(), "a.b", "{text}");
        }
        for (text, name) in [("\"\"@x", ""), ("\"a\\\"b\\\\\"@x", "a\"b\\"), ("\"jö rg\"@x", "jö rg")] {
            assert_eq!(text.parse::<Mailbox>().unwrap().unquoted_local_part(), name, "{text}");
        }
    }

    #[test]
    fn long_local_parts_are_in_use() {
        lmtp_testkit::proves!("R5321-4.5.3.1.1-a", "R5321-4.5.3.1.3-a");
        let address = |n: usize| format!("{}@x", "a".repeat(n)).parse::<Mailbox>();
        assert!(address(64).is_ok() && address(252).is_ok());
        assert_eq!(address(253).unwrap_err().problem(), AddressProblem::TooLong);
    }
}
