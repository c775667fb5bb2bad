//! Text that is not what it should be.

use alloc::string::String;

/// Text that is not what it was to be made into.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{shown}\" is not {expected}")]
pub struct InvalidValue {
    shown: String,
    expected: &'static str,
}

impl InvalidValue {
    pub(crate) fn new(text: &str, expected: &'static str) -> Self {
        Self { shown: crate::error::excerpt(text.as_bytes()), expected }
    }

    /// What it should have been.
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}
