//! The rules that every session is held to, whatever happened to it.
//!
//! For each recipient of each message:
//!
//! - *delivered*: it was stored;
//! - *unsent*: the whole message never came, so it was not stored, and cannot be
//!   stored late;
//! - *permanent*: it was not stored, and nobody who stored it was told too late;
//! - *temporary*: it was not stored. It may be *late*: the application's 2yz came
//!   when 451 had been said in its stead, and what it stored nevertheless is its
//!   own doing, for the machine has told it so ([`Stale`](lmtp_proto::server::Stale));
//! - *uncertain*: anything.
//!
//! So what was stored is *delivered* or *uncertain*. Every reply in a report says
//! by itself that it belongs to that recipient.

use lmtp_proto::client::Chunking;
use lmtp_proto::server;
use lmtp_proto::{Error, FaultKind, Origin, Outcome, Phase, RecipientReport, Report};

use super::World;
use super::plan::Quits;
use super::tags::Tag;

impl World<'_> {
    /// Judges a session that is over.
    pub(super) fn judge(&mut self) {
        self.judge_errors();
        for report in &self.client.reports {
            self.judge_report(report, true);
            for recipient in report.recipients() {
                self.coverage.became(recipient.outcome());
            }
        }
        if self.plan.is_fair {
            self.judge_fairness();
        }
        self.coverage.ended(self.steps, self.server.handler.stale, self.server.handler.truth.late.len());
    }

    /// What the client would say if the line were lost now is true now.
    pub(super) fn look(&self) {
        if self.client.is_over {
            return;
        }
        for report in self.client.client.reports() {
            self.judge_report(&report, false);
        }
    }

    fn judge_report(&self, report: &Report, over: bool) {
        let message = usize::try_from(report.transaction().0).expect("few messages");
        let letter = &self.plan.letters[message];
        assert_eq!(report.from(), letter.envelope.from());
        assert_eq!(report.recipients().len(), letter.envelope.recipients().len(), "recipients are missing");
        let mut open = false;
        for (place, (recipient, (path, _))) in report.recipients().zip(letter.envelope.recipients()).enumerate() {
            assert_eq!((recipient.index(), recipient.path()), (place, path));
            self.judge_recipient(message, &recipient);
            open |= matches!(recipient.outcome(), Outcome::Uncertain | Outcome::Unsent);
        }
        if over && !self.plan.moments.drop.is_some_and(|_| report.error().is_none()) {
            assert_eq!(report.error().is_some(), open, "an error stands for those without an answer: {report:?}");
        }
    }

    fn judge_recipient(&self, message: usize, recipient: &RecipientReport<'_>) {
        let truth = &self.server.handler.truth;
        let whom = (message, recipient.index());
        let is = |set: &std::collections::BTreeSet<_>| set.contains(&whom);
        let (stored, late, ended) = (is(&truth.stored), is(&truth.late), is(&truth.ended));
        let outcome = recipient.outcome();
        match outcome {
            Outcome::Delivered => assert!(stored, "{whom:?} is delivered, but not stored"),
            Outcome::Unsent => assert!(!ended && !stored && !late, "{whom:?} is unsent, but came"),
            Outcome::Permanent => assert!(!stored && !late, "{whom:?} is refused, but stored"),
            Outcome::Temporary => assert!(!stored, "{whom:?} is put off, but stored"),
            Outcome::Uncertain => {}
        }
        let Some(reply) = recipient.reply() else { return };
        if recipient.origin() == Some(Origin::Local) {
            assert!(!ended, "{whom:?} is refused here, but came");
            return;
        }
        let number = || self.plan.letters[message].number(recipient.index());
        let tag = match recipient.phase() {
            Phase::Mail => Tag::Mail(message),
            Phase::Rcpt => Tag::Rcpt(message, number()),
            Phase::Data => Tag::Data(message),
            Phase::Final => Tag::Final(message, number()),
            phase => panic!("{whom:?} is answered at {phase}"),
        };
        assert!(tag.fits(reply), "{whom:?}: {outcome} by {reply}, which is no answer to {tag:?}");
    }

    /// This server keeps to the protocol: the client must not think otherwise.
    fn judge_errors(&self) {
        match &self.client.error {
            Some(Error::Unsolicited { reply, .. } | Error::Unexpected { reply, .. }) => {
                panic!("an honest server is misunderstood: {reply}")
            }
            Some(error @ (Error::Syntax { .. } | Error::Limit { .. })) => panic!("an honest server is blamed: {error}"),
            _ => {}
        }
    }

    /// Nothing was in the way: every recipient has its answer, and it is the right
    /// one.
    fn judge_fairness(&self) {
        // Where a chunk is refused with others behind it, the client leaves.
        let refused = |report: &Report| report.recipients().any(|recipient| recipient.phase() == Phase::Data);
        let leaves = self.plan.client.chunking != Chunking::Off && self.client.reports.iter().any(refused);
        // Without QUIT, a transaction for which nobody was accepted is left open.
        let unfinished = self.plan.quits == Quits::Never && self.server.error == Some(server::Error::Closed);
        let errors = (&self.client.error, self.server.error.filter(|_| !unfinished));
        assert!(leaves || errors == (&None, None), "an error out of nothing: {errors:?}");
        for report in &self.client.reports {
            // The server said how many recipients it takes (RFC 9422), and is not asked for more.
            let most = self.plan.server.limits.recipients;
            for recipient in report.recipients() {
                let whom = (usize::try_from(report.transaction().0).expect("few messages"), recipient.index());
                let limited = recipient.index() >= most
                    && recipient.outcome() == Outcome::Unsent
                    && report.error().is_some_and(|fault| fault.kind() == FaultKind::Limit);
                let is_answered = leaves || limited || recipient.reply().is_some();
                assert!(is_answered, "{whom:?}: {} on a fair day", recipient.outcome());
                let stored = self.server.handler.truth.stored.contains(&whom);
                assert_eq!(recipient.outcome() == Outcome::Delivered, stored, "{whom:?} on a fair day");
            }
        }
    }
}
