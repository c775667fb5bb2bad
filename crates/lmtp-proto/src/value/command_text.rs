//! The argument of a command whose meaning is up to the server.

use alloc::boxed::Box;
use core::fmt;
use core::str::FromStr;

use super::InvalidValue;
use crate::text::is_visible;

/// The argument of NOOP, VRFY, EXPN or HELP: words on one line (`String` of
/// RFC 5321 section 4.1.2, taken widely, for it is seldom written by that rule).
///
/// It holds no control character and nothing else that cannot be seen, and no
/// space at either end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommandText(Box<str>);

impl CommandText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CommandText {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty()
            || text.starts_with(' ')
            || text.ends_with(' ')
            || !text.chars().all(|c| c == ' ' || is_visible(c))
        {
            return Err(InvalidValue::new(text, "the argument of a command"));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for CommandText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
