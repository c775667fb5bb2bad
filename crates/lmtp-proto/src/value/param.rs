//! A parameter that this library gives no meaning to.

use alloc::boxed::Box;
use core::fmt;

use super::{InvalidValue, Keyword};
use crate::codec;

/// A parameter of MAIL or RCPT that has no type of its own (`esmtp-param`,
/// RFC 5321 section 4.1.2). The value may hold UTF-8 (RFC 6531 section 3.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Param {
    keyword: Keyword,
    value: Option<Box<str>>,
}

impl Param {
    /// A parameter.
    ///
    /// # Errors
    ///
    /// The keyword or the value does not follow the grammar, or the keyword is
    /// one that [`MailParams`](super::MailParams) or
    /// [`RcptParams`](super::RcptParams) has a field for.
    pub fn new(keyword: &str, value: Option<&str>) -> Result<Self, InvalidValue> {
        let key: Keyword = keyword.parse()?;
        if codec::param::KNOWN.contains(&key.as_str()) {
            return Err(InvalidValue::new(keyword, "a parameter without a type of its own"));
        }
        match value {
            Some(value) if codec::whole(codec::param::esmtp_value, value.as_bytes()).is_none() => {
                Err(InvalidValue::new(value, "the value of a parameter (RFC 5321 section 4.1.2)"))
            }
            value => Ok(Self::from_checked(key, value)),
        }
    }

    /// From parts that the codec has checked.
    pub(crate) fn from_checked(keyword: Keyword, value: Option<&str>) -> Self {
        Self { keyword, value: value.map(Box::from) }
    }

    /// The keyword.
    pub fn keyword(&self) -> &Keyword {
        &self.keyword
    }

    /// The value, if it has one.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// Whether it can be said without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.value().is_none_or(str::is_ascii)
    }
}

impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}", self.keyword),
            None => self.keyword.fmt(f),
        }
    }
}
