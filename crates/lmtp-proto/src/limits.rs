//! How much a peer may ask of us.

/// Upper bounds for what a peer sends and for what is sent ahead of its
/// answers. Sizes are in octets and count line ends.
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
            outstanding_chunks: 16,
        }
    }
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
