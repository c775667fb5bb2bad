//! How much a peer may ask of us.

/// Upper bounds for what a peer sends and for what is sent ahead of its
/// answers, for both sides in one place. Sizes are in octets and count line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// One line of a reply. RFC 5321 section 4.5.3.1.5 allows 512; servers in
    /// the field write more, so the default is 4096.
    pub reply_line: usize,
    /// All lines of one reply together: 65536 by default.
    pub reply_size: usize,
    /// Text of all answers of one message together, for each of its recipients:
    /// 1024 by default. A report keeps every answer in full, so that a server
    /// could otherwise fill the memory with them. One reply of full size is
    /// always allowed.
    pub answers: usize,
    /// Commands sent whose replies are still awaited: 256 by default. The
    /// window keeps a driver that writes before it reads from waiting for a
    /// server that does the same (RFC 2920 section 3.1).
    pub pipelined_commands: usize,
    /// Octets of those commands: 16384 by default.
    pub pipelined_octets: usize,
    /// One command line: 4096 by default. RFC 5321 section 4.5.3.1.4 asks for
    /// 512, and its extensions for more; RCPT with DSN takes 1036 (RFC 3461
    /// section 5.4).
    pub command_line: usize,
    /// One line of an AUTH exchange, a client's response or the text of a server's
    /// challenge: by default 12288 octets (RFC 4954 section 4) and CRLF.
    pub auth_line: usize,
    /// RCPTs of one message, those that are refused among them, announced as RCPTMAX
    /// (RFC 9422): 1000 by default, and never less than 100 without need (RFC 5321
    /// section 4.5.3.1.8). Beyond, 452 4.5.3. What is announced has at most six
    /// digits and is at least 1, and is what counts.
    pub recipients: usize,
    /// Octets of one message, announced with SIZE: 64 MiB by default. Beyond,
    /// 552 5.3.4.
    pub message_size: u64,
    /// Octets of content that are read for nothing, beyond those of the largest
    /// message: 128 MiB by default. Beyond, the connection is closed.
    pub drained: u64,
    /// MAILs on one connection, those that are refused among them, announced as
    /// MAILMAX (RFC 9422) within the same bounds: no limit by default. Beyond, 421.
    pub transactions: Option<usize>,
    /// Commands that are refused for what they are, not for what they ask, and
    /// logins that failed: 20 by default. Beyond, 421.
    pub errors: usize,
    /// Octets a second that content has to come in at, on an average over
    /// [`Timeouts::body`](crate::Timeouts::body): 100 by default.
    pub data_rate: u64,
    /// Octets that a client may send ahead while the application thinks: 65536 by
    /// default.
    pub backlog: usize,
    /// BDAT chunks sent whose replies are still awaited: 16 by default.
    pub outstanding_chunks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reply_line: 4096,
            reply_size: 65_536,
            answers: 1024,
            pipelined_commands: 256,
            pipelined_octets: 16_384,
            command_line: 4096,
            auth_line: 12_288 + 2,
            recipients: 1000,
            message_size: 64 << 20,
            drained: 128 << 20,
            transactions: None,
            errors: 20,
            data_rate: 100,
            backlog: 65_536,
            outstanding_chunks: 16,
        }
    }
}

impl Limits {
    /// The same, with room for the longest challenge in the line of a reply.
    pub(crate) fn for_challenges(self) -> Self {
        let line = self.auth_line.saturating_add("334 ".len());
        Self { reply_line: self.reply_line.max(line), reply_size: self.reply_size.max(line), ..self }
    }

    /// RCPTMAX, as it is announced and kept.
    pub(crate) fn rcpt_max(&self) -> usize {
        announced(self.recipients)
    }

    /// MAILMAX, as it is announced and kept.
    pub(crate) fn mail_max(&self) -> Option<usize> {
        self.transactions.map(announced)
    }
}

/// A value of LIMITS has one to six digits and is not 0 (RFC 9422 section 4).
fn announced(value: usize) -> usize {
    value.clamp(1, 999_999)
}

/// A bound that a peer went past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::reply_line`].
    #[error("a reply line is too long")]
    ReplyLine,
    /// [`Limits::reply_size`].
    #[error("a reply is too long")]
    ReplySize,
    /// [`Limits::answers`].
    #[error("the replies are too long for so few recipients")]
    Answers,
}
