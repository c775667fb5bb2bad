//! What has been counted.

use std::sync::atomic::{AtomicU64, Ordering};

use lmtp_tokio::Outcome;

/// What has been counted since a [`Delivery`](crate::Delivery) was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Messages that there is a report of.
    pub messages: u64,
    /// Recipients by outcome.
    pub delivered: u64,
    /// Refused for now.
    pub temporary: u64,
    /// Refused for good.
    pub permanent: u64,
    /// Handed over, without an answer.
    pub uncertain: u64,
    /// Not handed over.
    pub unsent: u64,
    /// Connections that were made.
    pub connections: u64,
    /// Transactions over a connection that was there already.
    pub reused: u64,
    /// Connections that had gone while nobody used them.
    pub stale: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    messages: AtomicU64,
    outcomes: [AtomicU64; 5],
    pub(crate) connections: AtomicU64,
    pub(crate) reused: AtomicU64,
    pub(crate) stale: AtomicU64,
}

pub(crate) fn more(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

impl Counts {
    pub(crate) fn message(&self, outcomes: impl Iterator<Item = Outcome>) {
        more(&self.messages);
        for outcome in outcomes {
            let place = match outcome {
                Outcome::Delivered => 0,
                Outcome::Temporary => 1,
                Outcome::Permanent => 2,
                Outcome::Uncertain => 3,
                Outcome::Unsent => 4,
            };
            more(&self.outcomes[place]);
        }
    }

    pub(crate) fn now(&self) -> Metrics {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let [delivered, temporary, permanent, uncertain, unsent] = self.outcomes.each_ref().map(of);
        Metrics {
            messages: of(&self.messages),
            delivered,
            temporary,
            permanent,
            uncertain,
            unsent,
            connections: of(&self.connections),
            reused: of(&self.reused),
            stale: of(&self.stale),
        }
    }
}
