//! What a server says.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use super::{EnhancedCode, ReplyCode};
use crate::codec;
use crate::text::Escaped;

/// A whole reply of one or more lines (RFC 5321 section 4.2).
///
/// The text is kept in storage of its exact size, shared between clones: a kept
/// reply never holds on to a read buffer.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Reply {
    code: ReplyCode,
    enhanced: Option<EnhancedCode>,
    /// All lines without codes, joined by LF; no CR, no NUL.
    text: Arc<[u8]>,
}

impl Reply {
    /// A reply; an LF in `text` begins a new line of it.
    ///
    /// Text that opens with a fitting enhanced code is the same reply as one
    /// with that code given beside it: on the wire they are one.
    ///
    /// # Errors
    ///
    /// The code is out of range, the classes of the two codes differ, or the
    /// text holds CR or NUL.
    pub fn new(code: u16, enhanced: Option<EnhancedCode>, text: &str) -> Result<Self, InvalidReply> {
        let code = ReplyCode::new(code).map_err(|_| InvalidReply::Code)?;
        if text.bytes().any(|octet| matches!(octet, b'\r' | 0)) {
            return Err(InvalidReply::Text);
        }
        match enhanced {
            Some(enhanced) if !enhanced.fits(code.class()) => Err(InvalidReply::Enhanced),
            Some(_) => Ok(Self { code, enhanced, text: Arc::from(text.as_bytes()) }),
            None => {
                let mut assembler = codec::reply::Assembler::default();
                for line in text.split('\n') {
                    assembler.line(code, line.as_bytes());
                }
                Ok(assembler.finish(code))
            }
        }
    }

    /// From parts that the codec has checked.
    pub(crate) fn from_parts(code: ReplyCode, enhanced: Option<EnhancedCode>, text: &[u8]) -> Self {
        Self::from_shared(code, enhanced, Arc::from(text))
    }

    /// From parts that the codec has checked, the text in its place already.
    #[inline]
    pub(crate) fn from_shared(code: ReplyCode, enhanced: Option<EnhancedCode>, text: Arc<[u8]>) -> Self {
        Self { code, enhanced, text }
    }

    /// The code.
    pub fn code(&self) -> ReplyCode {
        self.code
    }

    /// The enhanced status code, if there is one of the reply's own class.
    pub fn enhanced(&self) -> Option<EnhancedCode> {
        self.enhanced
    }

    /// The text without codes, lines joined by LF, invalid UTF-8 as U+FFFD.
    /// Chosen by the peer: print it through [`Escaped`] or this type's
    /// `Display`.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }

    /// The text as octets, lines joined by LF.
    pub fn octets(&self) -> &[u8] {
        &self.text
    }

    /// The lines without codes and line ends, at least one.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split(|&octet| octet == b'\n')
    }
}

/// `550 5.1.1 no such user`: codes and text, lines joined by " / ", safe to
/// print.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        for (index, line) in self.lines().enumerate() {
            match (index, line) {
                (0, []) => {}
                (0, line) => write!(f, " {}", Escaped(line))?,
                (_, line) => write!(f, " / {}", Escaped(line))?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({self})")
    }
}

/// What cannot be a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidReply {
    /// The code lies outside 200 to 599.
    #[error("a reply code lies within 200 and 599")]
    Code,
    /// The enhanced code is of another class (RFC 2034 section 4).
    #[error("the enhanced code must be of the class of the reply code")]
    Enhanced,
    /// The text holds CR or NUL.
    #[error("the text of a reply cannot hold CR or NUL")]
    Text,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_reply_cannot_carry_a_line_end() {
        lmtp_testkit::proves!("R5321-4.2-e", "R2034-4-b");
        assert_eq!(Reply::new(250, None, "ok\r\n550 no"), Err(InvalidReply::Text));
        assert_eq!(Reply::new(250, None, "ok\0"), Err(InvalidReply::Text));
        assert_eq!(Reply::new(250, "5.1.1".parse().ok(), "ok"), Err(InvalidReply::Enhanced));
        assert_eq!(Reply::new(199, None, "ok"), Err(InvalidReply::Code));
    }

    #[test]
    fn shown_safely_on_one_line() {
        lmtp_testkit::proves!("R5321-4.2-i");
        let reply = Reply::new(550, "5.1.1".parse().ok(), "no \x1b[1m\nsuch user").unwrap();
        assert_eq!(reply.to_string(), "550 5.1.1 no \\x1b[1m / such user");
        assert_eq!(Reply::new(250, None, "").unwrap().to_string(), "250");
    }

    #[test]
    fn a_code_in_the_text_is_the_code() {
        let told = Reply::new(250, "2.1.5".parse().ok(), "ok").unwrap();
        assert_eq!(Reply::new(250, None, "2.1.5 ok").unwrap(), told);
        // Another class is only text.
        assert_eq!(Reply::new(250, None, "5.1.5 ok").unwrap().enhanced(), None);
    }
}
