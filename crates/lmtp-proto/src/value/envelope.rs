//! Whom a message is from and for.

use alloc::vec::Vec;

use super::{ForwardPath, MailParams, RcptParams, ReversePath};

/// A sender and at least one recipient. Recipients keep their places; one given
/// twice is served twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    from: ReversePath,
    params: MailParams,
    recipients: Vec<(ForwardPath, RcptParams)>,
}

impl Envelope {
    /// An envelope.
    ///
    /// # Errors
    ///
    /// There is no recipient, or there are more than 4294967295 of them.
    pub fn new(from: ReversePath, recipients: impl IntoIterator<Item = ForwardPath>) -> Result<Self, InvalidEnvelope> {
        let recipients = recipients.into_iter().map(|path| (path, RcptParams::default())).collect();
        Self::with_recipients(from, recipients)
    }

    /// An envelope of recipients with their parameters.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_recipients(
        from: ReversePath,
        recipients: Vec<(ForwardPath, RcptParams)>,
    ) -> Result<Self, InvalidEnvelope> {
        if recipients.is_empty() {
            return Err(InvalidEnvelope::NoRecipients);
        }
        if u32::try_from(recipients.len()).is_err() {
            return Err(InvalidEnvelope::TooManyRecipients);
        }
        Ok(Self { from, params: MailParams::default(), recipients })
    }

    /// One whose recipients are still to come.
    pub(crate) fn open(from: ReversePath, params: MailParams) -> Self {
        Self { from, params, recipients: Vec::new() }
    }

    /// The same envelope with these parameters for MAIL. SIZE, BODY and SMTPUTF8
    /// are not taken from them: they follow from the message and the server.
    #[must_use]
    pub fn with_params(mut self, params: MailParams) -> Self {
        self.params = MailParams { size: None, body: None, smtputf8: false, ..params };
        self
    }

    /// The same envelope with these parameters for the recipient of that place,
    /// if there is one.
    #[must_use]
    pub fn with_recipient_params(mut self, index: usize, params: RcptParams) -> Self {
        if let Some((_, place)) = self.recipients.get_mut(index) {
            *place = params;
        }
        self
    }

    /// The sender.
    pub fn from(&self) -> &ReversePath {
        &self.from
    }

    /// The parameters for MAIL.
    pub fn params(&self) -> &MailParams {
        &self.params
    }

    /// The recipients with their parameters for RCPT, in order.
    pub fn recipients(&self) -> &[(ForwardPath, RcptParams)] {
        &self.recipients
    }

    pub(crate) fn into_parts(self) -> (ReversePath, MailParams, Vec<(ForwardPath, RcptParams)>) {
        (self.from, self.params, self.recipients)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Ret;

    #[test]
    fn what_the_client_chooses_is_not_taken() {
        let to = ["a@x", "b@x"].map(|to| to.parse().unwrap());
        let (mut mail, mut rcpt) = (MailParams::default(), RcptParams::default());
        (mail.size, mail.smtputf8, mail.ret, rcpt.ignore_quota) = (Some(1), true, Some(Ret::Full), true);
        let envelope = Envelope::new(ReversePath::Null, to).unwrap().with_params(mail);
        let envelope = envelope.with_recipient_params(1, rcpt.clone()).with_recipient_params(2, rcpt.clone());
        assert_eq!((envelope.params().size, envelope.params().smtputf8), (None, false));
        assert_eq!(envelope.params().ret, Some(Ret::Full));
        let params: Vec<_> = envelope.recipients().iter().map(|(_, params)| params.clone()).collect();
        assert_eq!(params, [RcptParams::default(), rcpt]);
    }
}
