//! What XCLIENT and XFORWARD tell about a client.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use super::{AttributeValue, ClientAttribute};

/// What XCLIENT or XFORWARD tells: attributes with their values, at least one,
/// none of them twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientAttributes(Vec<(ClientAttribute, AttributeValue)>);

impl ClientAttributes {
    /// The longest command line that a server must take, CRLF included
    /// (RFC 5321 section 4.5.3.1.4).
    pub const LINE: usize = 512;

    /// These attributes, in their order.
    ///
    /// # Errors
    ///
    /// There is none, or one is given twice.
    pub fn new(
        attributes: impl IntoIterator<Item = (ClientAttribute, AttributeValue)>,
    ) -> Result<Self, InvalidClientAttributes> {
        let list: Vec<_> = attributes.into_iter().collect();
        let again = |place, attribute| list.iter().take(place).any(|(other, _)| other == attribute);
        if let Some((_, (attribute, _))) = list.iter().enumerate().find(|(place, (this, _))| again(*place, this)) {
            return Err(InvalidClientAttributes::Repeated(attribute.clone()));
        }
        if list.is_empty() { Err(InvalidClientAttributes::Empty) } else { Ok(Self(list)) }
    }

    /// The attributes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &(ClientAttribute, AttributeValue)> {
        self.0.iter()
    }

    /// The value of an attribute, if it is among them.
    pub fn value(&self, attribute: &ClientAttribute) -> Option<&AttributeValue> {
        self.iter().find(|(other, _)| other == attribute).map(|(_, value)| value)
    }

    /// The same attributes in commands of at most `limit` octets each, CRLF
    /// included. ADDR and NAME come last, for a server may act on them before
    /// it has read the next command. An attribute too long for any command has
    /// one of its own; with [`LINE`](Self::LINE) there is none.
    pub fn split(&self, limit: usize) -> impl Iterator<Item = Self> {
        const FRAME: usize = "XFORWARD\r\n".len();
        let comes_last = |attribute: &ClientAttribute| match attribute {
            ClientAttribute::Name => 2,
            ClientAttribute::Addr => 1,
            _ => 0,
        };
        let mut rest = self.0.clone();
        rest.sort_by_key(|(attribute, _)| comes_last(attribute));
        let mut rest = rest.into_iter().peekable();
        core::iter::from_fn(move || {
            let mut command = Self(Vec::from([rest.next()?]));
            let mut length = command.to_string().len().saturating_add(FRAME);
            while let Some(pair) = rest.next_if(|pair| {
                length = length.saturating_add(Pair(pair).to_string().len());
                length <= limit
            }) {
                command.0.push(pair);
            }
            Some(command)
        })
    }
}

/// As on the wire, a space before each attribute.
impl fmt::Display for ClientAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|pair| Pair(pair).fmt(f))
    }
}

struct Pair<'a>(&'a (ClientAttribute, AttributeValue));

impl fmt::Display for Pair<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self((attribute, value)) = self;
        write!(f, " {attribute}={value}")
    }
}

/// What cannot be told of a client in one command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidClientAttributes {
    /// A command tells something.
    #[error("XCLIENT and XFORWARD need an attribute")]
    Empty,
    /// An attribute is given twice.
    #[error("the attribute {0} is given twice")]
    Repeated(ClientAttribute),
}
