//! What the sender wants to hear of the message's fate (RFC 3461).

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use super::InvalidValue;
use crate::codec::{self, xtext};

/// What a notice of failure gives back (RFC 3461 section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ret {
    /// FULL: the whole message.
    Full,
    /// HDRS: its header.
    Headers,
}

impl FromStr for Ret {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        codec::whole(codec::param::ret, text.as_bytes()).ok_or_else(|| InvalidValue::new(text, "a value of RET"))
    }
}

impl fmt::Display for Ret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        })
    }
}

/// The sender's name for a message (RFC 3461 section 4.4).
///
/// It is kept as on the wire, in xtext, because it is passed on unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnvelopeId(Box<str>);

impl EnvelopeId {
    /// The longest one in xtext, in octets.
    pub const MAX: usize = 100;

    /// The name of this text, which is put into xtext.
    ///
    /// # Errors
    ///
    /// The text is empty, not printable ASCII, or too long.
    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        xtext::Encoded(text).to_string().parse()
    }

    /// The name, decoded.
    pub fn text(&self) -> Cow<'_, str> {
        xtext::decoded(&self.0)
    }

    /// The name in xtext, as on the wire.
    pub fn as_xtext(&self) -> &str {
        &self.0
    }
}

/// From the wire form, xtext.
impl FromStr for EnvelopeId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match codec::whole(xtext::printable, text.as_bytes()) {
            Some(()) if text.len() <= Self::MAX => Ok(Self(text.into())),
            _ => Err(InvalidValue::new(text, "a value of ENVID (RFC 3461 section 4.4)")),
        }
    }
}

impl fmt::Display for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Of what the sender wants to hear (RFC 3461 section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Notify {
    success: bool,
    failure: bool,
    delay: bool,
}

impl Notify {
    /// Of nothing.
    pub const NEVER: Self = Self { success: false, failure: false, delay: false };
    /// Of a delivery.
    pub const SUCCESS: Self = Self { success: true, ..Self::NEVER };
    /// Of a failure.
    pub const FAILURE: Self = Self { failure: true, ..Self::NEVER };
    /// Of a delay.
    pub const DELAY: Self = Self { delay: true, ..Self::NEVER };

    /// What either of them is for.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            success: self.success || other.success,
            failure: self.failure || other.failure,
            delay: self.delay || other.delay,
        }
    }

    /// Whether it is for nothing.
    pub const fn never(self) -> bool {
        !(self.success || self.failure || self.delay)
    }

    /// Whether it is for a delivery.
    pub const fn success(self) -> bool {
        self.success
    }

    /// Whether it is for a failure.
    pub const fn failure(self) -> bool {
        self.failure
    }

    /// Whether it is for a delay.
    pub const fn delay(self) -> bool {
        self.delay
    }
}

impl FromStr for Notify {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        codec::whole(codec::param::notify, text.as_bytes()).ok_or_else(|| InvalidValue::new(text, "a value of NOTIFY"))
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [("SUCCESS", self.success), ("FAILURE", self.failure), ("DELAY", self.delay)];
        let mut said = words.into_iter().filter(|(_, set)| *set).map(|(word, _)| word);
        f.write_str(said.next().unwrap_or("NEVER"))?;
        said.try_for_each(|word| write!(f, ",{word}"))
    }
}

/// A recipient as the sender named it: the kind of address, and the address
/// (RFC 3461 section 4.2; for the kind `utf-8`, RFC 6533 section 3).
///
/// It is kept as on the wire, because it is passed on unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OriginalRecipient {
    text: Box<str>,
    /// Where the ";" between kind and address stands.
    kind: usize,
}

impl OriginalRecipient {
    /// The longest one, in octets as on the wire.
    pub const MAX: usize = 500;

    /// The recipient of that kind and address, said in ASCII. The kind is
    /// `rfc822` for an address of RFC 5321, `utf-8` for one with UTF-8.
    ///
    /// # Errors
    ///
    /// The kind is no atom; the address is empty, not printable, or too long;
    /// it is not ASCII and the kind is not `utf-8`.
    pub fn new(kind: &str, address: &str) -> Result<Self, InvalidValue> {
        let mut text = String::from(kind);
        text.push(';');
        if kind.eq_ignore_ascii_case("utf-8") {
            text.push_str(&xtext::Unitext(address).to_string());
        } else {
            text.push_str(&xtext::Encoded(address).to_string());
        }
        text.parse()
    }

    /// The kind of address.
    pub fn kind(&self) -> &str {
        self.text.get(..self.kind).unwrap_or_default()
    }

    /// The address, decoded.
    pub fn address(&self) -> Cow<'_, str> {
        let encoded = self.text.get(self.kind.saturating_add(1)..).unwrap_or_default();
        if self.kind().eq_ignore_ascii_case("utf-8") {
            xtext::unitext_decoded(encoded)
        } else {
            xtext::decoded(encoded)
        }
    }

    /// Whether it can be said without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.text.is_ascii()
    }

    /// The same recipient, said in ASCII (`utf-8-addr-xtext`, RFC 6533
    /// section 3).
    ///
    /// # Errors
    ///
    /// It would be too long.
    pub fn to_ascii(&self) -> Result<Self, InvalidValue> {
        if self.is_ascii() { Ok(self.clone()) } else { Self::new(self.kind(), &self.address()) }
    }
}

/// From the wire form: kind, ";", xtext or one of the forms of RFC 6533.
impl FromStr for OriginalRecipient {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match codec::whole(codec::param::original_recipient, text.as_bytes()) {
            Some(kind) if text.len() <= Self::MAX => Ok(Self { text: text.into(), kind }),
            _ => Err(InvalidValue::new(text, "a value of ORCPT (RFC 3461 section 4.2)")),
        }
    }
}

impl fmt::Display for OriginalRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xtext_is_decoded() {
        let envid = EnvelopeId::new("a+b = c").unwrap();
        assert_eq!((envid.as_xtext(), &*envid.text()), ("a+2Bb+20+3D+20c", "a+b = c"));
        for text in ["", "a\nb", "a\u{e9}", &"+".repeat(34)] {
            assert!(EnvelopeId::new(text).is_err(), "{text:?}");
        }
        assert!(EnvelopeId::new(&"+".repeat(33)).is_ok());
    }

    /// Every octet of ASCII: itself, two digits for it, or no text at all.
    #[test]
    fn xtext_octet_by_octet() {
        lmtp_testkit::proves!("R3461-4-a");
        for octet in 0..=127_u8 {
            let text = char::from(octet).to_string();
            let escaped = alloc::format!("+{octet:02X}");
            let printable = (32..=126).contains(&octet);
            let itself = printable && !matches!(octet, b' ' | b'+' | b'=');
            let written = if itself { &text } else { &escaped };
            match EnvelopeId::new(&text) {
                Ok(envid) => assert_eq!((envid.as_xtext(), &*envid.text()), (&**written, &*text)),
                Err(_) => assert!(!printable, "{octet}"),
            }
            assert_eq!(text.parse::<EnvelopeId>().is_ok(), itself, "{octet}");
            assert_eq!(escaped.parse::<EnvelopeId>().is_ok(), printable, "{octet}");
            let lower = escaped.to_ascii_lowercase();
            assert_eq!(lower.parse::<EnvelopeId>().is_ok(), printable && lower == escaped, "{lower}");
        }
        for stray in ["+", "a+", "+2", "+2G", "a+2", "++2B"] {
            assert!(stray.parse::<EnvelopeId>().is_err(), "{stray}");
        }
    }

    #[test]
    fn original_recipients_of_either_kind() {
        let plain: OriginalRecipient = "rfc822;bob+2Bx@ex.org".parse().unwrap();
        assert_eq!((plain.kind(), &*plain.address()), ("rfc822", "bob+x@ex.org"));
        assert_eq!(OriginalRecipient::new("rfc822", "bob+x@ex.org").unwrap(), plain);

        let native: OriginalRecipient = "utf-8;us\u{e9}r\\x{2B}@ex.org".parse().unwrap();
        assert_eq!(native.address(), "us\u{e9}r+@ex.org");
        let ascii = native.to_ascii().unwrap();
        assert_eq!(ascii.to_string(), "utf-8;us\\x{E9}r\\x{2B}@ex.org");
        assert_eq!(ascii.address(), native.address());
        assert!(OriginalRecipient::new("rfc822", "us\u{e9}r@ex.org").is_err());
        assert!(OriginalRecipient::new("a b", "user@ex.org").is_err());
    }

    #[test]
    fn notify_is_never_or_a_set() {
        let some = Notify::DELAY.and(Notify::SUCCESS);
        assert!(some.success() && some.delay() && !some.failure() && !some.never());
        assert_eq!(some.to_string(), "SUCCESS,DELAY");
        assert_eq!(Notify::NEVER.to_string(), "NEVER");
    }
}
