//! One deadline for the wait in hand.

use core::time::Duration;

use crate::{Instant, Phase};

/// A wait: its phase, and the unit that is waited for. A wait for the same unit
/// keeps its deadline, so that a peer that trickles octets gains no time.
pub(super) type Wait = (Phase, Unit);

/// What must be whole in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// A reply, and how many came before it.
    Reply(u64),
    /// A block of content to leave, and how many left before it.
    Block(u64),
    /// A look at what is there, without waiting.
    Glance,
    /// The rest of a reply that nobody asked for.
    Rest,
    /// What the peer said before it closed.
    LastWords,
}

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
    pub(super) fn arm(&mut self, wait: Option<(Wait, Duration)>, now: Instant) {
        self.armed = wait.map(|(wait, patience)| match self.armed {
            Some((same, at)) if same == wait => (wait, at),
            _ => (wait, now.saturating_add(patience)),
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

    /// The wait whose deadline has passed.
    pub(super) fn passed(&self, now: Instant) -> Option<Wait> {
        self.armed.filter(|(_, at)| *at <= now).map(|(wait, _)| wait)
    }
}
