//! What a server's application mostly says.

use super::{EnhancedCode, Reply, ReplyCode};

/// What an application mostly says, to be given where a [`Reply`] is asked for.
/// [`Reply::new`] makes all others.
impl Reply {
    /// `250 2.0.0 Message stored`: the verdict that takes the responsibility for a
    /// recipient.
    pub fn stored() -> Self {
        Self::say(250, (0, 0), "Message stored")
    }

    /// `550 5.1.1 No such user`.
    pub fn no_such_user() -> Self {
        Self::say(550, (1, 1), "No such user")
    }

    /// `452 4.2.2 Mailbox full`: the client tries again later.
    pub fn mailbox_full() -> Self {
        Self::say(452, (2, 2), "Mailbox full")
    }

    /// `451 4.3.0 Internal error, try again later`: something failed here, and the
    /// client keeps the message.
    pub fn try_again_later() -> Self {
        Self::say(451, (3, 0), "Internal error, try again later")
    }

    /// `550 5.7.1 Refused by policy`: for ever, and the client tells the sender.
    pub fn refused() -> Self {
        Self::say(550, (7, 1), "Refused by policy")
    }

    /// `421 4.3.2 Too many connections, try again later`: a greeting that ends the
    /// session.
    pub fn too_many_connections() -> Self {
        Self::say(421, (3, 2), "Too many connections, try again later")
    }

    /// `504 5.5.4 That mechanism is not offered here`: the refusal of an AUTH.
    pub fn no_such_mechanism() -> Self {
        Self::say(504, (5, 4), "That mechanism is not offered here")
    }

    fn say(code: u16, (subject, detail): (u16, u16), text: &str) -> Self {
        let class = u8::try_from(code.checked_div(100).unwrap_or_default()).unwrap_or_default();
        let enhanced = EnhancedCode::new(class, subject, detail).ok();
        Self::from_parts(ReplyCode::new(code).unwrap_or(ReplyCode::CLOSING), enhanced, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn they_are_what_their_documents_say() {
        for (reply, text) in [
            (Reply::stored(), "250 2.0.0 Message stored"),
            (Reply::no_such_user(), "550 5.1.1 No such user"),
            (Reply::mailbox_full(), "452 4.2.2 Mailbox full"),
            (Reply::try_again_later(), "451 4.3.0 Internal error, try again later"),
            (Reply::refused(), "550 5.7.1 Refused by policy"),
            (Reply::too_many_connections(), "421 4.3.2 Too many connections, try again later"),
            (Reply::no_such_mechanism(), "504 5.5.4 That mechanism is not offered here"),
        ] {
            assert_eq!(reply.to_string(), text);
        }
    }
}
