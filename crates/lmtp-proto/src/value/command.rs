//! What a client says.

use core::fmt;

use super::{
    AuthResponse, ClientAttributes, CommandText, ForwardPath, LhloName, MailParams, MechanismName, RcptParams,
    ReversePath, TraceId, Verb,
};

/// A command (RFC 2033 section 4, RFC 5321 section 4.1.1).
///
/// `Display` gives the line as on the wire, without CRLF; only the initial
/// response of AUTH is masked there and in `Debug`, for whoever sees it may be
/// able to log in. [`encode_command`](crate::encode_command) alone writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// LHLO: who the client is (RFC 2033 section 4.1).
    Lhlo(LhloName),
    /// MAIL: a transaction begins.
    Mail(ReversePath, MailParams),
    /// RCPT: one more recipient.
    Rcpt(ForwardPath, RcptParams),
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
    /// NOOP: answer, and do nothing else. An argument means nothing.
    Noop(Option<CommandText>),
    /// VRFY: is there such a mailbox?
    Vrfy(CommandText),
    /// EXPN: who is on such a list?
    Expn(CommandText),
    /// HELP.
    Help(Option<CommandText>),
    /// QUIT: the session ends.
    Quit,
    /// STARTTLS: TLS begins behind the reply (RFC 3207 section 4).
    StartTls,
    /// AUTH: who the client is, proved (RFC 4954 section 4), with the initial
    /// response if it has one.
    Auth(MechanismName, Option<AuthResponse>),
    /// XCLIENT: take the client for this one (Postfix, Dovecot).
    Xclient(ClientAttributes),
    /// XFORWARD: log this client (Postfix).
    Xforward(ClientAttributes),
    /// TRACE: log this session's lines under a name (Cyrus).
    Trace(TraceId),
}

impl Command {
    /// Its verb.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Lhlo(_) => Verb::Lhlo,
            Self::Mail(..) => Verb::Mail,
            Self::Rcpt(..) => Verb::Rcpt,
            Self::Data => Verb::Data,
            Self::Bdat { .. } => Verb::Bdat,
            Self::Rset => Verb::Rset,
            Self::Noop(_) => Verb::Noop,
            Self::Vrfy(_) => Verb::Vrfy,
            Self::Expn(_) => Verb::Expn,
            Self::Help(_) => Verb::Help,
            Self::Quit => Verb::Quit,
            Self::StartTls => Verb::StartTls,
            Self::Auth(..) => Verb::Auth,
            Self::Xclient(_) => Verb::Xclient,
            Self::Xforward(_) => Verb::Xforward,
            Self::Trace(_) => Verb::Trace,
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb().as_str())?;
        match self {
            Self::Data | Self::Rset | Self::Quit | Self::StartTls | Self::Noop(None) | Self::Help(None) => Ok(()),
            Self::Lhlo(name) => write!(f, " {name}"),
            Self::Mail(from, params) => write!(f, " FROM:<{from}>{params}"),
            Self::Rcpt(to, params) => write!(f, " TO:<{to}>{params}"),
            Self::Bdat { size, last } => write!(f, " {size}{}", if *last { " LAST" } else { "" }),
            Self::Noop(Some(text)) | Self::Vrfy(text) | Self::Expn(text) | Self::Help(Some(text)) => {
                write!(f, " {text}")
            }
            Self::Auth(mechanism, None) => write!(f, " {mechanism}"),
            Self::Auth(mechanism, Some(_)) => write!(f, " {mechanism} ***"),
            Self::Xclient(attributes) | Self::Xforward(attributes) => write!(f, "{attributes}"),
            Self::Trace(id) => write!(f, " {id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::BodyType;
    use alloc::string::ToString;

    #[test]
    fn the_wire_form() {
        lmtp_testkit::proves!("R5321-3.3-g");
        let mut params = MailParams::default();
        let from: ReversePath = "a@x".parse().unwrap();
        let rcpt = |path| Command::Rcpt(path, RcptParams::default());
        assert_eq!(Command::Lhlo("[127.0.0.1]".parse().unwrap()).to_string(), "LHLO [127.0.0.1]");
        assert_eq!(Command::Mail(ReversePath::Null, params.clone()).to_string(), "MAIL FROM:<>");
        (params.size, params.body, params.smtputf8) = (Some(42), Some(BodyType::EightBitMime), true);
        assert_eq!(Command::Mail(from, params).to_string(), "MAIL FROM:<a@x> SIZE=42 BODY=8BITMIME SMTPUTF8");
        assert_eq!(rcpt(ForwardPath::Postmaster).to_string(), "RCPT TO:<postmaster>");
        assert_eq!(rcpt("\"a b\"@x".parse().unwrap()).to_string(), "RCPT TO:<\"a b\"@x>");
        assert_eq!(Command::Bdat { size: 5, last: true }.to_string(), "BDAT 5 LAST");
    }
}
