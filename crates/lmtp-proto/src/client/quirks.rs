//! What particular servers do otherwise, each by name.

/// How to treat a server that does not do as it should. All off by default: each
/// gives up something that is promised else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Quirks {
    /// One final reply where each recipient is due one.
    pub single_final: SingleFinal,
}

/// What one final reply for several recipients means (against RFC 2033
/// section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SingleFinal {
    /// Nothing for the others: they are *uncertain* when no more comes.
    #[default]
    ItsOwn,
    /// A refusal with nothing behind it stands for all. For Cyrus, James and
    /// Stalwart: they give each recipient its reply, but refuse a message that is
    /// too large once for all.
    ///
    /// It means so only when time is up or the server closes, so the connection is
    /// lost all the same. A 421 never means so, and neither does a 2yz. Given up: a
    /// server that is lost behind the refusal of the first recipient may have
    /// delivered to the others.
    RefusesAll,
    /// The first final reply stands for all, a 2yz too, and none is due behind it.
    /// For aiosmtpd, samotop and ruby-lmtp, which give one reply for the message.
    ///
    /// Given up: *delivered* then rests on the message's 2yz, not the recipient's
    /// own. A server that does give each its reply loses the connection with the
    /// second.
    AnswersAll,
}
