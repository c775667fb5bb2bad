//! What became of a message, for each recipient.

use std::fmt;

use lmtp_tokio::proto::Escaped;
use lmtp_tokio::proto::value::RcptParams;
use lmtp_tokio::{Envelope, ForwardPath, MailParams, Origin, Outcome, Phase, Reply, ReversePath};

/// What became of a message: exactly one outcome for each recipient of the envelope, by its
/// place there.
#[derive(Debug, Clone)]
#[must_use]
pub struct Report {
    pub(crate) envelope: Envelope,
    pub(crate) recipients: Vec<Settled>,
}

/// What is known of a recipient.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    pub(crate) outcome: Outcome,
    pub(crate) phase: Phase,
    pub(crate) origin: Option<Origin>,
    pub(crate) reply: Option<Reply>,
    /// Who was asked last.
    pub(crate) target: Option<String>,
    /// Why there is no answer.
    pub(crate) error: Option<String>,
}

impl Settled {
    /// Nobody was asked, and why.
    pub(crate) fn unsent(why: impl Into<String>) -> Self {
        let (outcome, phase) = (Outcome::Unsent, Phase::Connect);
        Self { outcome, phase, origin: None, reply: None, target: None, error: Some(why.into()) }
    }
}

/// Whether to send again what may have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncertain {
    /// Yes: a recipient may get the message twice, and never not at all. What a mail system
    /// does (RFC 2033 section 4.2).
    Resend,
    /// No: a recipient may not get it at all, and never twice.
    Leave,
}

impl Report {
    /// The sender.
    pub fn from(&self) -> &ReversePath {
        self.envelope.from()
    }

    /// Every recipient, in the order of the envelope.
    pub fn recipients(&self) -> impl ExactSizeIterator<Item = RecipientReport<'_>> {
        let recipients = self.recipients.iter().zip(self.envelope.recipients()).enumerate();
        recipients.map(|(index, (settled, (path, params)))| RecipientReport { index, path, params, settled })
    }

    /// Whether every recipient was [`Outcome::Delivered`].
    pub fn all_delivered(&self) -> bool {
        self.recipients.iter().all(|settled| settled.outcome == Outcome::Delivered)
    }

    /// The envelope with just the recipients to send to again, with their parameters; none if
    /// there is nobody. There is no default for those who may have got it: one is a
    /// duplicate, the other a loss.
    pub fn retry(&self, uncertain: Uncertain) -> Option<Envelope> {
        let again = self.waiting(uncertain);
        let again = again.map(|recipient| (recipient.path.clone(), recipient.params.clone())).collect();
        let envelope = Envelope::with_recipients(self.from().clone(), again).ok()?;
        Some(envelope.with_params(self.envelope.params().clone()))
    }

    /// The recipients whom [`retry`](Self::retry) names: what a notice of a delay has to say.
    pub fn waiting(&self, uncertain: Uncertain) -> impl Iterator<Item = RecipientReport<'_>> {
        self.recipients().filter(move |recipient| recipient.is_waiting(uncertain))
    }

    /// The recipients who were refused for good: what a bounce has to say while the others are still tried.
    pub fn failures(&self) -> impl Iterator<Item = RecipientReport<'_>> {
        self.recipients().filter(|recipient| recipient.outcome() == Outcome::Permanent)
    }

    /// The recipients who will not get it if nothing is tried any more, the [`failures`](Self::failures) and those who
    /// are [`waiting`](Self::waiting): what the last bounce has to say.
    ///
    /// This report does not know of those whom an attempt before it was refused for.
    pub fn failures_after_giving_up(&self, uncertain: Uncertain) -> impl Iterator<Item = RecipientReport<'_>> {
        self.recipients()
            .filter(move |recipient| recipient.outcome() == Outcome::Permanent || recipient.is_waiting(uncertain))
    }

    pub(crate) fn params(&self) -> &MailParams {
        self.envelope.params()
    }
}

/// What became of the message for one recipient.
#[derive(Debug, Clone, Copy)]
pub struct RecipientReport<'a> {
    index: usize,
    path: &'a ForwardPath,
    params: &'a RcptParams,
    settled: &'a Settled,
}

impl<'a> RecipientReport<'a> {
    /// Whether to send to it again.
    fn is_waiting(&self, uncertain: Uncertain) -> bool {
        match self.outcome() {
            Outcome::Temporary | Outcome::Unsent => true,
            Outcome::Uncertain => uncertain == Uncertain::Resend,
            Outcome::Delivered | Outcome::Permanent => false,
        }
    }

    /// Its place in the envelope, counted from zero.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its address, as in the envelope.
    pub fn path(&self) -> &'a ForwardPath {
        self.path
    }

    /// Its parameters, as in the envelope.
    pub fn params(&self) -> &'a RcptParams {
        self.params
    }

    /// What became of the message.
    pub fn outcome(&self) -> Outcome {
        self.settled.outcome
    }

    /// Where that was decided.
    pub fn phase(&self) -> Phase {
        self.settled.phase
    }

    /// Who gave the answer; `None` when there is none.
    pub fn origin(&self) -> Option<Origin> {
        self.settled.origin
    }

    /// The answer, in full.
    pub fn reply(&self) -> Option<&'a Reply> {
        self.settled.reply.as_ref()
    }

    /// The name of the target that was asked last.
    pub fn target(&self) -> Option<&'a str> {
        self.settled.target.as_deref()
    }

    /// Why there is no answer.
    pub fn error(&self) -> Option<&'a str> {
        self.settled.error.as_deref()
    }
}

/// `bob@example.org: delivered: 250 2.1.5 Ok`, safe to print.
impl fmt::Display for RecipientReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Escaped(self.path.to_string().as_bytes()), self.outcome())?;
        match (self.reply(), self.error()) {
            (Some(reply), _) => write!(f, ": {}", Escaped(reply.to_string().as_bytes())),
            (None, Some(error)) => write!(f, ": {}", Escaped(error.as_bytes())),
            (None, None) => write!(f, ": stopped at {}", self.phase()),
        }
    }
}
