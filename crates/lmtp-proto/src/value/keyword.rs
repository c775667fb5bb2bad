//! The name of a parameter.

use alloc::boxed::Box;
use core::fmt;
use core::str::FromStr;

use super::InvalidValue;
use crate::codec;

/// The keyword of a parameter or an attribute: letters, digits and hyphens, not
/// beginning with a hyphen (`esmtp-keyword`, RFC 5321 section 4.1.2). Case does
/// not matter; it is kept in upper case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Keyword(Box<str>);

impl Keyword {
    /// The longest one, in octets. No RFC sets a limit; one that is in use has
    /// 16.
    pub const MAX: usize = 64;

    /// The keyword, in upper case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// From text that the codec has checked.
    pub(crate) fn from_checked(text: &str) -> Self {
        Self(text.to_ascii_uppercase().into())
    }
}

impl FromStr for Keyword {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match codec::whole(codec::param::esmtp_keyword, text.as_bytes()) {
            Some(_) => Ok(Self::from_checked(text)),
            None => Err(InvalidValue::new(text, "a keyword")),
        }
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
