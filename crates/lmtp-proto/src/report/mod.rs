//! What became of a message, recipient by recipient.

mod fault;
mod outcome;
mod phase;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use fault::{Fault, FaultKind};
pub(crate) use outcome::Answer;
use outcome::{Facts, Verdict, decide};
pub use outcome::{Origin, Outcome};
pub use phase::Phase;

use crate::value::{Envelope, ForwardPath, RcptParams, Reply, ReversePath};

/// The name of a transaction on its connection: they count from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TransactionId(pub u64);

/// The name of a recipient in its transaction: its place in the envelope,
/// counted from zero. An address given twice has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecipientId(pub u32);

impl RecipientId {
    /// The place as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What became of one message: exactly one [`Outcome`] for every recipient of
/// the envelope, indexed by its place there and never by its address.
///
/// A report keeps what was said and by whom; outcomes follow from it. A status
/// that was read stands, whatever happens to the connection afterwards.
#[derive(Debug, Clone)]
#[must_use = "a report says which recipients still need to be served"]
pub struct Report {
    pub(crate) transaction: TransactionId,
    pub(crate) from: ReversePath,
    /// The answer to MAIL, or our refusal in its place.
    pub(crate) mail: Option<Answer>,
    pub(crate) recipients: Vec<RecipientFacts>,
    /// The answer to DATA.
    pub(crate) data: Option<Answer>,
    pub(crate) end_may_have_left: bool,
    pub(crate) reached: Phase,
    pub(crate) fault: Option<Fault>,
    /// Why recipients were withheld.
    pub(crate) limit: Option<Fault>,
    pub(crate) warnings: Vec<String>,
}

/// What was said to one recipient's RCPT and after the content.
#[derive(Debug, Clone)]
pub(crate) struct RecipientFacts {
    pub(crate) path: ForwardPath,
    /// What RCPT says beside it, if anything.
    pub(crate) params: Option<Box<RcptParams>>,
    /// Whether the server was not asked, for it takes no more recipients.
    pub(crate) withheld: bool,
    pub(crate) rcpt: Option<Answer>,
    pub(crate) final_reply: Option<Answer>,
}

impl RecipientFacts {
    pub(crate) fn new(path: ForwardPath, params: RcptParams) -> Self {
        let params = (params != RcptParams::default()).then(|| Box::new(params));
        Self { path, params, withheld: false, rcpt: None, final_reply: None }
    }
}

impl Report {
    pub(crate) fn new(transaction: TransactionId, envelope: Envelope) -> Self {
        let (from, _, to) = envelope.into_parts();
        let recipients = to.into_iter().map(|(path, params)| RecipientFacts::new(path, params));
        Self {
            transaction,
            from,
            mail: None,
            recipients: recipients.collect(),
            data: None,
            end_may_have_left: false,
            reached: Phase::Mail,
            fault: None,
            limit: None,
            warnings: Vec::new(),
        }
    }

    /// The report of a message that never reached a server: every recipient
    /// *unsent*, for the reason given.
    pub fn unsent(envelope: Envelope, fault: Fault) -> Self {
        let mut report = Self::new(TransactionId::default(), envelope);
        report.stop(fault);
        report
    }

    /// The name of the transaction on its connection.
    pub fn transaction(&self) -> TransactionId {
        self.transaction
    }

    /// The sender.
    pub fn from(&self) -> &ReversePath {
        &self.from
    }

    /// Every recipient, in the order of the envelope.
    pub fn recipients(&self) -> impl ExactSizeIterator<Item = RecipientReport<'_>> {
        self.recipients.iter().enumerate().map(|(index, facts)| {
            let Verdict { outcome, phase, answer } = decide(Facts {
                mail: self.mail.as_ref(),
                rcpt: facts.rcpt.as_ref(),
                data: self.data.as_ref().filter(|_| !facts.withheld),
                final_reply: facts.final_reply.as_ref(),
                end_may_have_left: self.end_may_have_left && !facts.withheld,
                reached: if facts.withheld { Phase::Rcpt } else { self.reached },
            });
            RecipientReport { index, path: &facts.path, outcome, phase, answer }
        })
    }

    /// Whether every recipient was [`Outcome::Delivered`].
    pub fn all_delivered(&self) -> bool {
        self.recipients().all(|r| r.outcome == Outcome::Delivered)
    }

    /// Why recipients were left *unsent* or *uncertain*; `None` when every
    /// recipient has an answer.
    pub fn error(&self) -> Option<&Fault> {
        // Those whom a limit kept back, and those of a message that was given up,
        // may have got their answers since.
        let unanswered = self.recipients.is_empty() || self.recipients().any(|recipient| recipient.answer.is_none());
        self.fault.as_ref().or(self.limit.as_ref()).filter(|_| unanswered)
    }

    /// What went wrong without changing any outcome, such as a connection that
    /// was lost after the last reply.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Notes something that changes no outcome.
    pub fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// The report if every recipient was delivered, else an error that owns it.
    ///
    /// # Errors
    ///
    /// Any recipient has another outcome.
    #[expect(clippy::result_large_err, reason = "the report is the point of it")]
    pub fn into_result(self) -> Result<Self, NotDelivered> {
        if self.all_delivered() { Ok(self) } else { Err(NotDelivered { report: self }) }
    }

    /// Notes why no more will be learnt: as the error if that leaves a recipient
    /// without an answer, else as a warning. The first fault is the cause of
    /// all later ones, so it stays.
    pub fn stop(&mut self, fault: Fault) {
        if self.fault.is_some() {
            return;
        }
        self.reached = fault.phase();
        let asked = self.recipients().zip(&self.recipients).filter(|(_, facts)| !facts.withheld);
        let unanswered = asked.map(|(recipient, _)| recipient).any(|recipient| recipient.answer.is_none());
        // Recipients that were not given yet have no answer either.
        if unanswered || self.recipients.is_empty() {
            self.fault = Some(fault);
        } else {
            self.warn(fault.message());
        }
    }

    /// Replaces the fault by a fuller account of it.
    pub fn explain(&mut self, explain: impl FnOnce(Fault) -> Fault) {
        let fault = if self.fault.is_some() { &mut self.fault } else { &mut self.limit };
        *fault = fault.take().map(explain);
    }

    /// Whether this recipient's RCPT has been accepted.
    pub(crate) fn is_accepted(facts: &RecipientFacts) -> bool {
        facts.rcpt.as_ref().is_some_and(|answer| answer.reply.code().is_success())
    }
}

/// What became of the message for one recipient.
#[derive(Debug, Clone, Copy)]
pub struct RecipientReport<'a> {
    index: usize,
    path: &'a ForwardPath,
    outcome: Outcome,
    phase: Phase,
    answer: Option<&'a Answer>,
}

impl<'a> RecipientReport<'a> {
    /// Its place in the envelope, counted from zero.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its address.
    pub fn path(&self) -> &'a ForwardPath {
        self.path
    }

    /// What became of the message.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Where that was decided: the command that was answered, or where the
    /// session stopped.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Who gave the answer; `None` when there is none.
    pub fn origin(&self) -> Option<Origin> {
        self.answer.map(|answer| answer.origin)
    }

    /// The answer that decided, in full; `None` for *uncertain* and *unsent*.
    pub fn reply(&self) -> Option<&'a Reply> {
        self.answer.map(|answer| &answer.reply)
    }
}

/// `bob@example.org: delivered: 250 2.1.5 Ok`, safe to print.
impl fmt::Display for RecipientReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.outcome)?;
        match (self.answer, self.outcome) {
            (Some(Answer { origin: Origin::Local, reply }), _) => {
                write!(f, ": {reply} (refused here, the server was not asked)")
            }
            (Some(Answer { reply, .. }), Outcome::Delivered) => write!(f, ": {reply}"),
            (Some(Answer { reply, .. }), _) => write!(f, ": {reply} (in reply to {})", said_to(self.phase)),
            (None, Outcome::Uncertain) => f.write_str(": the message was handed over, no answer came"),
            (None, _) => write!(f, ": stopped at {}", self.phase),
        }
    }
}

/// What a reply answered, in the words of the protocol.
fn said_to(phase: Phase) -> &'static str {
    match phase {
        Phase::Mail => "MAIL",
        Phase::Rcpt => "RCPT",
        Phase::Data => "DATA",
        _ => "the message",
    }
}

/// Not every recipient was delivered; the report is inside.
#[derive(Debug, Clone, thiserror::Error)]
pub struct NotDelivered {
    /// What became of each recipient.
    pub report: Report,
}

impl fmt::Display for NotDelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.report.recipients().len();
        let mut others = self.report.recipients().filter(|r| r.outcome() != Outcome::Delivered);
        let first = others.next();
        let count = others.count().saturating_add(usize::from(first.is_some()));
        write!(f, "{count} of {total} recipients not delivered")?;
        if let Some(first) = first {
            write!(f, "; first: {first}")?;
        }
        if let Some(fault) = self.report.error() {
            write!(f, " ({fault})")?;
        }
        Ok(())
    }
}
