//! What a client has taken of the time between two messages.

use core::time::Duration;

use crate::Instant;

/// A stopwatch. It runs while the client has the word and no content comes.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    spent: Duration,
    /// Since when it runs.
    since: Option<Instant>,
}

impl Watch {
    /// Begins to run, until [`stop`](Self::stop).
    pub(super) fn start(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// Adds what has passed, if it ran.
    pub(super) fn stop(&mut self, now: Instant) {
        if let Some(since) = self.since.take() {
            self.spent = self.spent.saturating_add(now.saturating_since(since));
        }
    }

    /// A message has come: all time is there again.
    pub(super) fn reset(&mut self) {
        self.spent = Duration::ZERO;
    }

    /// What is left of the time that there is.
    pub(super) fn left_of(&self, all: Duration) -> Duration {
        all.saturating_sub(self.spent)
    }
}
