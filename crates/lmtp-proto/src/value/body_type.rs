//! What the content may hold.

use core::fmt;
use core::str::FromStr;

use super::InvalidValue;
use crate::codec;

/// What the content may hold (RFC 6152 section 2, RFC 3030 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyType {
    /// Octets up to 127.
    SevenBit,
    /// Any octets but NUL and lone CR and LF.
    EightBitMime,
    /// Any octets at all; only BDAT can carry them.
    BinaryMime,
}

impl BodyType {
    /// The value of the parameter, in upper case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        }
    }
}

impl FromStr for BodyType {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        codec::whole(codec::param::body, text.as_bytes()).ok_or_else(|| InvalidValue::new(text, "a value of BODY"))
    }
}

impl fmt::Display for BodyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
