//! The first word of a command.

use core::fmt;

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
    /// NOOP.
    Noop,
    /// VRFY.
    Vrfy,
    /// EXPN.
    Expn,
    /// HELP.
    Help,
    /// QUIT.
    Quit,
    /// STARTTLS.
    StartTls,
    /// AUTH.
    Auth,
    /// XCLIENT.
    Xclient,
    /// XFORWARD.
    Xforward,
    /// TRACE.
    Trace,
}

impl Verb {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Rcpt,
        Self::Mail,
        Self::Data,
        Self::Bdat,
        Self::Rset,
        Self::Quit,
        Self::Lhlo,
        Self::Noop,
        Self::Vrfy,
        Self::Expn,
        Self::Help,
        Self::Auth,
        Self::StartTls,
        Self::Xclient,
        Self::Xforward,
        Self::Trace,
    ];

    /// The word, in upper case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lhlo => "LHLO",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Bdat => "BDAT",
            Self::Rset => "RSET",
            Self::Noop => "NOOP",
            Self::Vrfy => "VRFY",
            Self::Expn => "EXPN",
            Self::Help => "HELP",
            Self::Quit => "QUIT",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Xclient => "XCLIENT",
            Self::Xforward => "XFORWARD",
            Self::Trace => "TRACE",
        }
    }

    /// Whether it must be the last of a group of pipelined commands
    /// (RFC 2920 section 3.1; for BDAT, RFC 3030 section 4.2).
    pub const fn ends_group(self) -> bool {
        !matches!(self, Self::Mail | Self::Rcpt | Self::Rset | Self::Bdat)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
