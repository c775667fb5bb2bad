//! What a proxy tells about a recipient.

use alloc::boxed::Box;
use core::fmt;
use core::str::FromStr;

use super::InvalidValue;
use crate::codec;

/// The value of XRCPTFORWARD (Dovecot): base64 of what one server tells another
/// about the recipient, kept as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecipientForward(Box<str>);

impl RecipientForward {
    /// The text, in base64.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RecipientForward {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match codec::whole(codec::param::base64, text.as_bytes()) {
            Some(_) => Ok(Self(text.into())),
            None => Err(InvalidValue::new(text, "a value of XRCPTFORWARD")),
        }
    }
}

impl fmt::Display for RecipientForward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
