//! How long to wait, phase by phase.

use core::time::Duration;

use crate::Phase;

/// The longest wait in each phase, for one whole unit: a reply, a block of
/// content, a connection.
///
/// The default is RFC 5321 section 4.5.3.2, read for LMTP: the wait for a final
/// reply begins anew with each recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// Name look-up and connection together, all addresses tried.
    pub connect: Duration,
    /// The greeting.
    pub greeting: Duration,
    /// The reply to LHLO.
    pub lhlo: Duration,
    /// The reply to MAIL, and to RSET before it.
    pub mail: Duration,
    /// The reply to each RCPT.
    pub rcpt: Duration,
    /// The reply to DATA.
    pub data: Duration,
    /// Each block of content (64 KiB) to leave; for a server, to come in.
    pub body: Duration,
    /// Each recipient's final reply.
    pub final_reply: Duration,
    /// The reply to QUIT.
    pub quit: Duration,
    /// Server: the next command, and the client's reading of a reply.
    pub command: Duration,
    /// Server: all that a client says and reads between two messages, from the
    /// greeting or the last one's answers to the next one's. Neither its content nor
    /// the application's time counts. Else NOOP would keep a session for ever.
    pub between_messages: Duration,
    /// Server: the application's answer to a question. Shorter than what clients
    /// wait for the reply that it becomes, and that is [`data`](Self::data) where it
    /// is least.
    pub handler: Duration,
    /// Server: the application's next verdict, shorter than what clients wait for
    /// a final reply.
    pub verdict: Duration,
}

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(60))
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: minutes(5),
            greeting: minutes(5),
            lhlo: minutes(5),
            mail: minutes(5),
            rcpt: minutes(5),
            data: minutes(2),
            body: minutes(3),
            final_reply: minutes(10),
            quit: minutes(5),
            command: minutes(5),
            between_messages: minutes(30),
            handler: Duration::from_secs(90),
            verdict: minutes(9),
        }
    }
}

impl Timeouts {
    /// For somebody who sits and waits: connect 10 s, replies 5 s, each block
    /// of content and each final reply 10 s.
    pub const fn interactive() -> Self {
        let (short, long) = (Duration::from_secs(5), Duration::from_secs(10));
        Self { connect: long, body: long, final_reply: long, ..Self::all(short) }
    }

    /// The same bound for every phase.
    pub const fn all(each: Duration) -> Self {
        Self {
            connect: each,
            greeting: each,
            lhlo: each,
            mail: each,
            rcpt: each,
            data: each,
            body: each,
            final_reply: each,
            quit: each,
            command: each,
            between_messages: each,
            handler: each,
            verdict: each,
        }
    }

    /// The bound for `phase`.
    pub const fn of(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Connect | Phase::Tls => self.connect,
            Phase::Greeting => self.greeting,
            Phase::Lhlo | Phase::StartTls | Phase::Auth => self.lhlo,
            Phase::Mail => self.mail,
            Phase::Rcpt => self.rcpt,
            Phase::Data => self.data,
            Phase::Body => self.body,
            Phase::Final => self.final_reply,
            Phase::Quit => self.quit,
        }
    }
}
