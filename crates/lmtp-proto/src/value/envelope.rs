//! Whom a message is from and for.

use alloc::vec::Vec;

use super::{ForwardPath, ReversePath};

/// A sender and at least one recipient. Recipients keep their places; one given
/// twice is served twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    from: ReversePath,
    recipients: Vec<ForwardPath>,
}

impl Envelope {
    /// An envelope.
    ///
    /// # Errors
    ///
    /// There is no recipient, or there are more than 4294967295 of them.
    pub fn new(from: ReversePath, recipients: impl IntoIterator<Item = ForwardPath>) -> Result<Self, InvalidEnvelope> {
        let recipients: Vec<_> = recipients.into_iter().collect();
        if recipients.is_empty() {
            return Err(InvalidEnvelope::NoRecipients);
        }
        if u32::try_from(recipients.len()).is_err() {
            return Err(InvalidEnvelope::TooManyRecipients);
        }
        Ok(Self { from, recipients })
    }

    /// The sender.
    pub fn from(&self) -> &ReversePath {
        &self.from
    }

    /// The recipients, in order.
    pub fn recipients(&self) -> &[ForwardPath] {
        &self.recipients
    }

    pub(crate) fn into_parts(self) -> (ReversePath, Vec<ForwardPath>) {
        (self.from, self.recipients)
    }
}

/// What cannot be an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEnvelope {
    /// A message needs a recipient.
    #[error("an envelope needs at least one recipient")]
    NoRecipients,
    /// More recipients than can be told apart.
    #[error("an envelope holds at most 4294967295 recipients")]
    TooManyRecipients,
}
