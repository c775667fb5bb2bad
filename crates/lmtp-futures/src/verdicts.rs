//! What becomes of a message, recipient by recipient.

use std::sync::Arc;

use lmtp_proto::server::Stale;
use lmtp_proto::{RecipientId, Reply};

use crate::channel::Channel;

/// The verdicts on a message, one for each recipient in its envelope: 2yz takes the
/// responsibility for that recipient (RFC 2033 section 4.2), 4yz and 5yz do not.
///
/// They are given in any order and at any time, and leave at once when the content is
/// whole and the recipients before have theirs. A reply of another class, and a 421,
/// are taken for 451. So is a verdict that is missing when this is dropped.
#[derive(Debug)]
pub struct Verdicts(pub(crate) Arc<Channel>);

impl Verdicts {
    /// How many recipients there are. Their
    /// [`RecipientId`]s count from 0.
    #[expect(clippy::len_without_is_empty, reason = "a message is for somebody")]
    pub fn len(&self) -> usize {
        self.0.recipients()
    }

    /// Gives the verdict on one recipient. That it was taken does not mean that the
    /// client hears it: it may be gone.
    ///
    /// # Errors
    ///
    /// That recipient has its verdict already or is none, or it is too late: the
    /// client was told otherwise, and may send the message again.
    pub fn give(&self, recipient: RecipientId, reply: Reply) -> Result<(), Stale> {
        self.0.give(recipient, reply)
    }

    /// Gives the same verdict on everybody who has none.
    pub fn give_rest(&self, reply: &Reply) {
        self.0.give_rest(reply);
    }
}

impl Drop for Verdicts {
    fn drop(&mut self) {
        self.0.give_rest(&Reply::try_again_later());
    }
}
