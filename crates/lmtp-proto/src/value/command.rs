//! What a client says.

use core::fmt;

use super::{ForwardPath, LhloName, MailParams, ReversePath};

/// A command (RFC 2033 section 4, RFC 5321 section 4.1.1). `Display` gives the
/// line as on the wire, without CRLF.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// LHLO: who the client is (RFC 2033 section 4.1).
    Lhlo(LhloName),
    /// MAIL: a transaction begins.
    Mail(ReversePath, MailParams),
    /// RCPT: one more recipient.
    Rcpt(ForwardPath),
    /// DATA: the content is to follow.
    Data,
    /// BDAT: a piece of the content follows (RFC 3030 section 2).
    Bdat {
        /// Octets of the piece, right behind the command's CRLF.
        size: u64,
        /// Whether it is the last one.
        last: bool,
    },
    /// RSET: forget the transaction.
    Rset,
    /// QUIT: the session ends.
    Quit,
}

impl Command {
    /// Its verb.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Lhlo(_) => Verb::Lhlo,
            Self::Mail(..) => Verb::Mail,
            Self::Rcpt(_) => Verb::Rcpt,
            Self::Data => Verb::Data,
            Self::Bdat { .. } => Verb::Bdat,
            Self::Rset => Verb::Rset,
            Self::Quit => Verb::Quit,
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lhlo(name) => write!(f, "LHLO {name}"),
            Self::Mail(from, params) => write!(f, "MAIL FROM:<{from}>{params}"),
            Self::Rcpt(to) => write!(f, "RCPT TO:<{to}>"),
            Self::Data => f.write_str("DATA"),
            Self::Bdat { size, last } => write!(f, "BDAT {size}{}", if *last { " LAST" } else { "" }),
            Self::Rset => f.write_str("RSET"),
            Self::Quit => f.write_str("QUIT"),
        }
    }
}

/// The first word of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// LHLO.
    Lhlo,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// BDAT.
    Bdat,
    /// RSET.
    Rset,
    /// QUIT.
    Quit,
}

impl Verb {
    /// Whether it must be the last of a group of pipelined commands
    /// (RFC 2920 section 3.1).
    pub const fn ends_group(self) -> bool {
        !matches!(self, Self::Mail | Self::Rcpt | Self::Rset | Self::Bdat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::BodyType;
    use alloc::string::ToString;

    #[test]
    fn the_wire_form() {
        let mut params = MailParams::default();
        let from: ReversePath = "a@x".parse().unwrap();
        assert_eq!(Command::Lhlo("[127.0.0.1]".parse().unwrap()).to_string(), "LHLO [127.0.0.1]");
        assert_eq!(Command::Mail(ReversePath::Null, params).to_string(), "MAIL FROM:<>");
        (params.size, params.body, params.smtputf8) = (Some(42), Some(BodyType::EightBitMime), true);
        assert_eq!(Command::Mail(from, params).to_string(), "MAIL FROM:<a@x> SIZE=42 BODY=8BITMIME SMTPUTF8");
        assert_eq!(Command::Rcpt(ForwardPath::Postmaster).to_string(), "RCPT TO:<postmaster>");
        assert_eq!(Command::Rcpt("\"a b\"@x".parse().unwrap()).to_string(), "RCPT TO:<\"a b\"@x>");
    }
}
