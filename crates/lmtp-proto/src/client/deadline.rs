//! One deadline for the wait in hand.

use crate::{Instant, Phase, Timeouts};

/// A wait: its phase, and what tells it from the wait before it. A wait whose
/// key stays the same keeps its deadline, so that a peer that trickles octets
/// gains no time.
pub(super) type Wait = (Phase, u64);

/// The deadline of the current wait.
#[derive(Debug, Clone, Default)]
pub(super) struct Deadline {
    armed: Option<(Wait, Instant)>,
    /// Since when the application has been thinking.
    paused: Option<Instant>,
}

impl Deadline {
    /// The driver is to wait for the peer: for the same thing as before, or for
    /// something new.
    pub(super) fn arm(&mut self, wait: Option<Wait>, now: Instant, timeouts: &Timeouts) {
        self.armed = wait.map(|wait| match self.armed {
            Some((same, at)) if same == wait => (wait, at),
            _ => (wait, now.saturating_add(timeouts.of(wait.0))),
        });
    }

    /// The application has the word.
    pub(super) fn pause(&mut self, now: Instant) {
        self.paused = Some(now);
    }

    /// The application is done; its time was not the peer's.
    pub(super) fn resume(&mut self, now: Instant) {
        if let (Some(since), Some((_, at))) = (self.paused.take(), &mut self.armed) {
            *at = at.saturating_add(now.saturating_since(since));
        }
    }

    pub(super) fn at(&self) -> Option<Instant> {
        self.armed.map(|(_, at)| at)
    }

    /// The phase whose deadline has passed.
    pub(super) fn passed(&self, now: Instant) -> Option<Phase> {
        self.armed.filter(|(_, at)| *at <= now).map(|((phase, _), _)| phase)
    }
}
