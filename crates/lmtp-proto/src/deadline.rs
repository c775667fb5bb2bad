//! One deadline for the wait in hand.

use core::time::Duration;

use crate::Instant;

/// The deadline of the current wait. `W` names what is waited for: a wait for
/// the same thing keeps its deadline, so that a peer that trickles octets gains
/// no time.
#[derive(Debug, Clone)]
pub(crate) struct Deadline<W> {
    armed: Option<(W, Instant)>,
    /// Since when the application has been thinking.
    paused: Option<Instant>,
}

impl<W> Default for Deadline<W> {
    fn default() -> Self {
        Self { armed: None, paused: None }
    }
}

impl<W: Copy + PartialEq> Deadline<W> {
    /// The driver is to wait: for the same thing as before, or for something
    /// new.
    pub(crate) fn arm(&mut self, wait: Option<(W, Duration)>, now: Instant) {
        self.armed = wait.map(|(wait, patience)| match self.armed {
            Some((same, at)) if same == wait => (wait, at),
            _ => (wait, now.saturating_add(patience)),
        });
    }

    /// The application has the word.
    pub(crate) fn pause(&mut self, now: Instant) {
        self.paused = Some(now);
    }

    /// The application is done; its time was not the peer's.
    pub(crate) fn resume(&mut self, now: Instant) {
        if let (Some(since), Some((_, at))) = (self.paused.take(), &mut self.armed) {
            *at = at.saturating_add(now.saturating_since(since));
        }
    }

    pub(crate) fn at(&self) -> Option<Instant> {
        self.armed.map(|(_, at)| at)
    }

    /// The wait whose deadline has passed.
    pub(crate) fn passed(&self, now: Instant) -> Option<W> {
        self.armed.filter(|(_, at)| *at <= now).map(|(wait, _)| wait)
    }
}
