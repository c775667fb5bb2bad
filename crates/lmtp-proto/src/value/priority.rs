//! How urgent a message is.

use core::fmt;
use core::str::FromStr;

use super::InvalidValue;
use crate::codec;

/// How urgent a message is, from -9 to 9 (RFC 6710 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Priority(i8);

impl Priority {
    /// The priority of that number.
    ///
    /// # Errors
    ///
    /// The number does not lie within -9 and 9.
    pub const fn new(priority: i8) -> Result<Self, InvalidPriority> {
        match priority {
            -9..=9 => Ok(Self(priority)),
            _ => Err(InvalidPriority),
        }
    }

    /// The number.
    pub const fn get(self) -> i8 {
        self.0
    }
}

impl FromStr for Priority {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        codec::whole(codec::param::priority, text.as_bytes())
            .ok_or_else(|| InvalidValue::new(text, "a value of MT-PRIORITY"))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number that is no priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a priority lies within -9 and 9 (RFC 6710 section 3)")]
pub struct InvalidPriority;
