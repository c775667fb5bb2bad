//! The messages on one connection, first in, first out.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use super::transaction::Transaction;
use crate::{Error, Fault, Phase, Report, TransactionId};

/// The messages that were asked for and whose reports have not been taken, in
/// order: some over, then at most one whose replies are heard, some whose
/// commands have left behind its content, some that wait.
///
/// Replies come in the order of commands and commands leave in the order of
/// messages, so "the first that is not over" is always the one that a reply is
/// for.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// Each in a box: an idle client keeps room for the next, and that is not to
    /// weigh more than the client.
    list: VecDeque<Box<Transaction>>,
}

impl Transactions {
    pub(super) fn push(&mut self, transaction: Transaction) {
        self.list.push_back(Box::new(transaction));
    }

    /// Whether recipients may still be added to the last.
    pub(super) fn last_is_open(&self) -> bool {
        self.list.back().is_some_and(|transaction| transaction.is_open())
    }

    /// The one that recipients may still be added to.
    pub(super) fn open_mut(&mut self) -> Option<&mut Transaction> {
        self.list.back_mut().map(Box::as_mut).filter(|transaction| transaction.is_open())
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn front(&self) -> Option<&Transaction> {
        self.list.front().map(Box::as_ref)
    }

    /// The one whose replies are heard.
    pub(super) fn current(&self) -> Option<&Transaction> {
        self.list.iter().map(Box::as_ref).find(|transaction| !transaction.is_over())
    }

    /// The same, to be changed.
    pub(super) fn current_mut(&mut self) -> Option<&mut Transaction> {
        self.list.iter_mut().map(Box::as_mut).find(|transaction| !transaction.is_over())
    }

    /// The one that speaks: the last that has begun.
    pub(super) fn speaker(&mut self) -> Option<&mut Transaction> {
        self.list.iter_mut().map(Box::as_mut).rfind(|transaction| transaction.is_under_way())
    }

    /// The first that has not begun.
    pub(super) fn waiting(&mut self) -> Option<&mut Transaction> {
        self.list.iter_mut().map(Box::as_mut).find(|transaction| transaction.is_waiting())
    }

    pub(super) fn has_waiting(&self) -> bool {
        self.list.iter().any(|transaction| transaction.is_waiting())
    }

    /// Takes the first if it is over.
    pub(super) fn take(&mut self) -> Option<Report> {
        self.list.front().filter(|transaction| transaction.is_over())?;
        self.list.pop_front().map(|transaction| transaction.into_report())
    }

    /// The next that is over, whose turn it is, and that nobody was told of.
    pub(super) fn next_to_tell(&mut self) -> Option<TransactionId> {
        self.list.iter_mut().take_while(|transaction| transaction.is_over()).find_map(|transaction| transaction.tell())
    }

    /// No more will be learnt: all that are open are over, so much having been
    /// written. What is over already hears of it only when nothing was open.
    pub(super) fn stop(&mut self, error: &Error, sent: u64) {
        let mut open = self.list.iter_mut().filter(|transaction| !transaction.is_over());
        let Some(current) = open.next() else {
            if let Some(last) = self.list.back_mut() {
                last.warn(Fault::from(error.clone()).message());
            }
            return;
        };
        let begun = current.is_under_way();
        current.stop(Fault::from(error.clone()), sent);
        for behind in open {
            behind.stop(blameless(error), sent);
            if begun {
                behind.stopped_at(Phase::Mail);
            }
        }
    }

    /// What would be said of each if the connection were lost now, the session
    /// standing in `phase`.
    pub(super) fn reports(&self, sent: u64, phase: Phase) -> impl Iterator<Item = Report> {
        let begun = self.current().is_some_and(Transaction::is_under_way);
        let current = self.current().map(Transaction::id);
        self.list.iter().map(move |transaction| {
            let behind = begun && current.is_some_and(|current| transaction.id() > current);
            transaction.report(sent, if behind { Phase::Mail } else { phase })
        })
    }
}

/// The fault for a message that has no part in the error: another one's content
/// is not its own.
fn blameless(error: &Error) -> Fault {
    match error {
        Error::Content(_) | Error::BodyFailed => Error::Closed { phase: Phase::Mail }.into(),
        error => error.clone().into(),
    }
}
