//! What MAIL says beside the sender.

use core::fmt;

/// The parameters of MAIL (RFC 5321 section 4.1.1.2). Each is sent only to a
/// server that announced its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct MailParams {
    /// SIZE: octets of the message, line ends as CRLF, dots not doubled
    /// (RFC 1870 section 5).
    pub size: Option<u64>,
    /// BODY: what the content may hold (RFC 6152).
    pub body: Option<BodyType>,
    /// SMTPUTF8: the envelope or the header holds UTF-8 (RFC 6531).
    pub smtputf8: bool,
}

/// What the content may hold (RFC 6152 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyType {
    /// Octets up to 127.
    SevenBit,
    /// Any octets but NUL and lone CR and LF.
    EightBitMime,
    /// Any octets at all; only BDAT can carry them.
    BinaryMime,
}

impl fmt::Display for BodyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        })
    }
}

/// As on the wire, a space before each.
impl fmt::Display for MailParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(size) = self.size {
            write!(f, " SIZE={size}")?;
        }
        if let Some(body) = self.body {
            write!(f, " BODY={body}")?;
        }
        if self.smtputf8 {
            f.write_str(" SMTPUTF8")?;
        }
        Ok(())
    }
}
