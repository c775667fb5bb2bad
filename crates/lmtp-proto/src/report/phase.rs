//! Where in a session something happened.

use core::fmt;

/// A phase of a session, named for what is awaited or said in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Name look-up and connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The server's greeting.
    Greeting,
    /// LHLO and its reply.
    Lhlo,
    /// STARTTLS and its reply.
    StartTls,
    /// AUTH and its exchange.
    Auth,
    /// MAIL and its reply; also the idle time before it.
    Mail,
    /// RCPT and its reply.
    Rcpt,
    /// The DATA command and its reply.
    Data,
    /// The content on its way.
    Body,
    /// The reply for each recipient after the content.
    Final,
    /// QUIT and its reply.
    Quit,
}

impl Phase {
    /// Every phase, in the order of a session.
    pub const ALL: [Self; 12] = [
        Self::Connect,
        Self::Tls,
        Self::Greeting,
        Self::Lhlo,
        Self::StartTls,
        Self::Auth,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Body,
        Self::Final,
        Self::Quit,
    ];

    /// The name in JSON and in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Greeting => "greeting",
            Self::Lhlo => "lhlo",
            Self::StartTls => "starttls",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Body => "body",
            Self::Final => "final",
            Self::Quit => "quit",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
