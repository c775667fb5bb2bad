//! The three digits that decide.

use core::fmt;

/// A reply code from 200 to 599 (RFC 5321 section 4.2.1).
///
/// The second digit is printed there as 0 to 5; any is taken, because a client
/// goes by the first digit when it does not know the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyCode(u16);

impl ReplyCode {
    /// 220: the server is ready.
    pub const READY: Self = Self(220);
    /// 250: done.
    pub const OK: Self = Self(250);
    /// 334: an AUTH challenge.
    pub(crate) const CHALLENGE: Self = Self(334);
    /// 421: the server is going away.
    pub const CLOSING: Self = Self(421);

    /// The code for a number.
    ///
    /// # Errors
    ///
    /// The number does not lie within 200 and 599.
    pub const fn new(code: u16) -> Result<Self, InvalidReplyCode> {
        match code {
            200..=599 => Ok(Self(code)),
            _ => Err(InvalidReplyCode { code }),
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// What the first digit says.
    pub const fn class(self) -> ReplyClass {
        match self.0 {
            ..300 => ReplyClass::PositiveCompletion,
            300..400 => ReplyClass::PositiveIntermediate,
            400..500 => ReplyClass::TransientNegative,
            500.. => ReplyClass::PermanentNegative,
        }
    }

    /// Whether it begins with 2.
    pub const fn is_success(self) -> bool {
        matches!(self.class(), ReplyClass::PositiveCompletion)
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The first digit of a reply code (RFC 5321 section 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplyClass {
    /// 2yz: done.
    PositiveCompletion,
    /// 3yz: go on.
    PositiveIntermediate,
    /// 4yz: not now.
    TransientNegative,
    /// 5yz: no.
    PermanentNegative,
}

/// A number that is no reply code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{code} is not a reply code from 200 to 599")]
pub struct InvalidReplyCode {
    code: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_digit_decides() {
        lmtp_testkit::proves!("R5321-4.2-d", "R5321-4.2-e");
        for code in 0..=999 {
            let class = ReplyCode::new(code).map(ReplyCode::class).ok();
            assert_eq!(
                class,
                match code / 100 {
                    2 => Some(ReplyClass::PositiveCompletion),
                    3 => Some(ReplyClass::PositiveIntermediate),
                    4 => Some(ReplyClass::TransientNegative),
                    5 => Some(ReplyClass::PermanentNegative),
                    _ => None,
                }
            );
        }
    }
}
