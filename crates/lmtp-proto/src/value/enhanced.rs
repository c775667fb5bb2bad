//! The status code for machines that stands before a reply's text.

use core::fmt;
use core::num::NonZeroU32;
use core::str::FromStr;

use super::ReplyClass;
use crate::codec;

/// An enhanced status code, `class.subject.detail` (RFC 3463 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnhancedCode {
    /// Three digits for the detail, three for the subject, then the class: one
    /// number, for such codes are made and moved with every reply.
    digits: NonZeroU32,
}

impl EnhancedCode {
    /// The code `class.subject.detail`.
    ///
    /// # Errors
    ///
    /// The class is not 2, 4 or 5, or another number has more than three digits.
    #[expect(clippy::arithmetic_side_effects, reason = "the largest is 5_999_999")]
    pub const fn new(class: u8, subject: u16, detail: u16) -> Result<Self, InvalidEnhancedCode> {
        if !matches!(class, 2 | 4 | 5) || subject > 999 || detail > 999 {
            return Err(InvalidEnhancedCode);
        }
        match NonZeroU32::new(class as u32 * 1_000_000 + subject as u32 * 1_000 + detail as u32) {
            Some(digits) => Ok(Self { digits }),
            None => Err(InvalidEnhancedCode),
        }
    }

    /// 2, 4 or 5: success, persistent transient failure, permanent failure.
    #[expect(clippy::cast_possible_truncation, reason = "one digit")]
    pub const fn class(self) -> u8 {
        (self.digits.get() / 1_000_000) as u8
    }

    /// The subject: 1 is the address, 2 the mailbox, and so on.
    pub const fn subject(self) -> u16 {
        (self.digits.get() / 1_000 % 1_000) as u16
    }

    /// The detail within the subject.
    pub const fn detail(self) -> u16 {
        (self.digits.get() % 1_000) as u16
    }

    /// Whether it may stand in a reply of that class (RFC 2034 section 4).
    pub(crate) const fn fits(self, class: ReplyClass) -> bool {
        matches!(
            (self.class(), class),
            (2, ReplyClass::PositiveCompletion)
                | (4, ReplyClass::TransientNegative)
                | (5, ReplyClass::PermanentNegative)
        )
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class(), self.subject(), self.detail())
    }
}

impl FromStr for EnhancedCode {
    type Err = InvalidEnhancedCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        codec::whole(codec::reply::enhanced_code, text.as_bytes()).ok_or(InvalidEnhancedCode)
    }
}

/// Text or numbers that are no enhanced status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an enhanced status code such as 5.1.1 (RFC 3463 section 2)")]
pub struct InvalidEnhancedCode;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn what_is_printed_is_parsed() {
        lmtp_testkit::proves!("R2034-4-d");
        for code in ["2.0.0", "4.2.2", "5.1.1", "5.7.26", "2.999.999"] {
            assert_eq!(code.parse::<EnhancedCode>().unwrap().to_string(), code);
        }
    }

    #[test]
    fn what_is_not_a_code_is_refused() {
        lmtp_testkit::proves!("R2034-4-d", "R3463-2-a");
        for text in ["", "2", "2.0", "3.0.0", "2.0.0 ", "2.0.1000", "02.0.0", "2.00.0", "2.0.01", "2..0", "2.0.0.0"] {
            assert!(text.parse::<EnhancedCode>().is_err(), "{text:?}");
        }
    }
}
