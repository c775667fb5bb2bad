//! When a message must have been delivered.

use core::fmt;
use core::str::FromStr;

use super::InvalidValue;
use crate::codec;

/// When a message must have been delivered (RFC 2852 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeliverBy {
    seconds: i32,
    mode: ByMode,
    trace: bool,
}

/// What becomes of a message that is late (RFC 2852 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByMode {
    /// N: it is delivered all the same, and the sender is told.
    Notify,
    /// R: it is given back.
    Return,
}

impl DeliverBy {
    /// The longest time, in seconds, on either side of now.
    pub const MAX: i32 = 999_999_999;

    /// A time from now, in seconds, what becomes of the message then, and
    /// whether each server on its way is to tell of it.
    ///
    /// # Errors
    ///
    /// The time has more than nine digits, or is over while the mode is
    /// [`ByMode::Return`].
    pub fn new(seconds: i32, mode: ByMode, trace: bool) -> Result<Self, InvalidDeliverBy> {
        let over = seconds <= 0 && mode == ByMode::Return;
        if over || !(-Self::MAX..=Self::MAX).contains(&seconds) {
            return Err(InvalidDeliverBy);
        }
        Ok(Self { seconds, mode, trace })
    }

    /// The time from now, in seconds.
    pub const fn seconds(self) -> i32 {
        self.seconds
    }

    /// What becomes of the message then.
    pub const fn mode(self) -> ByMode {
        self.mode
    }

    /// Whether each server on its way is to tell of it.
    pub const fn trace(self) -> bool {
        self.trace
    }
}

impl FromStr for DeliverBy {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        codec::whole(codec::param::by_value, text.as_bytes()).ok_or_else(|| InvalidValue::new(text, "a value of BY"))
    }
}

impl fmt::Display for DeliverBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            ByMode::Notify => "N",
            ByMode::Return => "R",
        };
        write!(f, "{};{mode}{}", self.seconds, if self.trace { "T" } else { "" })
    }
}

/// A time that cannot be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time of BY has at most nine digits, and lies ahead for mode R (RFC 2852 section 4)")]
pub struct InvalidDeliverBy;
