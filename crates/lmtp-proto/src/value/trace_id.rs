//! The name that a session's log is kept under.

use alloc::boxed::Box;
use core::fmt;
use core::str::FromStr;

use super::InvalidValue;
use crate::codec;

/// The argument of TRACE: up to 255 letters, digits, `-`, `_` and `.` (Cyrus).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TraceId(Box<str>);

impl TraceId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TraceId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match codec::whole(codec::command::trace_id, text.as_bytes()) {
            Some(_) => Ok(Self(text.into())),
            None => Err(InvalidValue::new(text, "the argument of TRACE")),
        }
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
