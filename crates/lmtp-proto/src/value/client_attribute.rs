//! One thing that XCLIENT or XFORWARD tells.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use super::{InvalidValue, Keyword};
use crate::codec::{self, xtext};

/// The name of something told about a client (Postfix's XCLIENT and XFORWARD,
/// Dovecot's XCLIENT). Case does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientAttribute {
    /// NAME: the client's host name.
    Name,
    /// ADDR: its address.
    Addr,
    /// PORT: its port.
    Port,
    /// PROTO: the protocol it speaks.
    Proto,
    /// HELO: who it says it is.
    Helo,
    /// LOGIN: who it is logged in as.
    Login,
    /// DESTADDR: the address it connected to.
    DestAddr,
    /// DESTPORT: the port it connected to.
    DestPort,
    /// DESTNAME: the host name it connected to (Dovecot).
    DestName,
    /// TTL: how many more proxies may come (Dovecot).
    Ttl,
    /// TIMEOUT: how long the proxy waits (Dovecot).
    Timeout,
    /// SESSION: the name of the session (Dovecot).
    Session,
    /// IDENT: the name of the message in the queue of the server before.
    Ident,
    /// SOURCE: LOCAL or REMOTE.
    Source,
    /// FORWARD: what a proxy passes on (Dovecot).
    Forward,
    /// Another one.
    Other(OtherAttribute),
}

/// An attribute that this library does not know. Only parsing makes one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OtherAttribute(Keyword);

impl OtherAttribute {
    /// The longest one, in octets.
    const MAX: usize = 32;
}

impl ClientAttribute {
    const KNOWN: [Self; 15] = [
        Self::Name,
        Self::Addr,
        Self::Port,
        Self::Proto,
        Self::Helo,
        Self::Login,
        Self::DestAddr,
        Self::DestPort,
        Self::DestName,
        Self::Ttl,
        Self::Timeout,
        Self::Session,
        Self::Ident,
        Self::Source,
        Self::Forward,
    ];

    /// The name, in upper case.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Name => "NAME",
            Self::Addr => "ADDR",
            Self::Port => "PORT",
            Self::Proto => "PROTO",
            Self::Helo => "HELO",
            Self::Login => "LOGIN",
            Self::DestAddr => "DESTADDR",
            Self::DestPort => "DESTPORT",
            Self::DestName => "DESTNAME",
            Self::Ttl => "TTL",
            Self::Timeout => "TIMEOUT",
            Self::Session => "SESSION",
            Self::Ident => "IDENT",
            Self::Source => "SOURCE",
            Self::Forward => "FORWARD",
            Self::Other(OtherAttribute(keyword)) => keyword.as_str(),
        }
    }
}

impl FromStr for ClientAttribute {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(known) = Self::KNOWN.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(text)) {
            return Ok(known);
        }
        if text.len() > OtherAttribute::MAX {
            return Err(InvalidValue::new(text, "an attribute"));
        }
        text.parse().map(|keyword| Self::Other(OtherAttribute(keyword)))
    }
}

impl fmt::Display for ClientAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is told of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttributeValue {
    /// This text.
    Text(AttributeText),
    /// `[UNAVAILABLE]`: nobody knows.
    Unavailable,
    /// `[TEMPUNAVAIL]`: nobody knows now.
    TempUnavailable,
}

/// The text of an attribute, decoded: 1 to 255 visible ASCII characters, none of
/// `"`, `(`, `)`, `;`, `<`, `>` and `\`, for it ends up in header fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttributeText(Box<str>);

impl AttributeText {
    /// The longest one, in octets.
    pub const MAX: usize = 255;

    /// The longest one in xtext: the longest attribute and it still go into a
    /// command of 512 octets.
    const MAX_XTEXT: usize = 450;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AttributeValue {
    /// The value of that text, which is put into xtext on the wire.
    ///
    /// # Errors
    ///
    /// [`AttributeText`] cannot hold it.
    pub fn text(text: &str) -> Result<Self, InvalidValue> {
        if text.eq_ignore_ascii_case("[UNAVAILABLE]") {
            return Ok(Self::Unavailable);
        }
        if text.eq_ignore_ascii_case("[TEMPUNAVAIL]") {
            return Ok(Self::TempUnavailable);
        }
        let plain = |octet: u8| octet.is_ascii_graphic() && !b"\"();<>\\".contains(&octet);
        let fits = (1..=AttributeText::MAX).contains(&text.len())
            && xtext::Encoded(text).to_string().len() <= AttributeText::MAX_XTEXT;
        if fits && text.bytes().all(plain) {
            Ok(Self::Text(AttributeText(text.into())))
        } else {
            Err(InvalidValue::new(text, "the value of an attribute"))
        }
    }

    /// The text, if there is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            Self::Unavailable | Self::TempUnavailable => None,
        }
    }

    /// The address, if it is one: `IPV6:` may stand before one of IPv6.
    pub fn address(&self) -> Option<IpAddr> {
        let text = self.as_str()?;
        match text.split_at_checked("IPV6:".len()) {
            Some((tag, address)) if tag.eq_ignore_ascii_case("IPV6:") => address.parse().ok().map(IpAddr::V6),
            _ => text.parse().ok(),
        }
    }
}

impl From<IpAddr> for AttributeValue {
    fn from(address: IpAddr) -> Self {
        let text = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("IPV6:{address}"),
        };
        Self::Text(AttributeText(text.into()))
    }
}

/// From the wire form, xtext. Text that is no xtext is taken as it is: so it was
/// sent before there was an encoding.
impl FromStr for AttributeValue {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match codec::whole(xtext::octets, text.as_bytes()) {
            Some(octets) => Self::text(&String::from_utf8_lossy(&octets)),
            None => Self::text(text),
        }
    }
}

/// As on the wire, in xtext.
impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => xtext::Encoded(text.as_str()).fmt(f),
            Self::Unavailable => f.write_str("[UNAVAILABLE]"),
            Self::TempUnavailable => f.write_str("[TEMPUNAVAIL]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_either_family() {
        let address = |text: &str| text.parse::<AttributeValue>().unwrap().address();
        assert_eq!(address("192.0.2.7"), Some([192, 0, 2, 7].into()));
        assert_eq!(address("ipv6:2001:db8::1"), "2001:db8::1".parse().ok());
        // Dovecot leaves the tag out.
        assert_eq!(address("2001:db8::1"), "2001:db8::1".parse().ok());
        assert_eq!(address("IPV6:192.0.2.7"), None);
        assert_eq!(address("[UNAVAILABLE]"), None);
        assert_eq!(AttributeValue::from(IpAddr::from([192, 0, 2, 7])).to_string(), "192.0.2.7");
    }

    #[test]
    fn names_in_any_case() {
        assert_eq!("desTaddr".parse(), Ok(ClientAttribute::DestAddr));
        assert_eq!("x-new".parse::<ClientAttribute>().unwrap().as_str(), "X-NEW");
        for text in ["", "-a", "a b", "a=b", &"a".repeat(33)] {
            assert!(text.parse::<ClientAttribute>().is_err(), "{text:?}");
        }
    }
}
