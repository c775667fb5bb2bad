//! The line between the two machines: two pipes that cut, delay, stall and break.

use std::collections::VecDeque;
use std::time::Duration;

use lmtp_proto::Instant;

use super::random::Random;

/// Octets that come one by one: enough for all that is not content, and few
/// enough for a session to be short.
pub(super) const RECUT: usize = 2048;

/// How a reader is given what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cuts {
    /// All of it.
    Whole,
    /// Any number of octets.
    Random,
    /// Octet by octet, so many of them.
    Octets(usize),
}

/// What a read gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Octets(Vec<u8>),
    /// The writer has closed, and all that it wrote has been read.
    End,
    /// The line is broken.
    Broken,
    /// Nothing, by now.
    Nothing,
}

/// What may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Octets(usize),
    Full,
    /// Nobody will read it.
    Broken,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Pipe {
    /// What is on its way, and when it arrives.
    segments: VecDeque<(Instant, Vec<u8>)>,
    length: usize,
    /// As much as there may be on its way.
    capacity: usize,
    latency: Duration,
    cuts: Cuts,
    /// Nothing arrives before.
    held_until: Instant,
    /// Nothing arrives any more.
    pub(super) stalled: bool,
    /// No more is written; what is on its way still arrives.
    pub(super) ended: bool,
    /// The reader is gone: whatever is written is lost.
    pub(super) unread: bool,
    /// What was on its way is lost.
    pub(super) broken: bool,
}

impl Pipe {
    pub(super) fn new(capacity: usize, latency: Duration, cuts: Cuts) -> Self {
        Self {
            segments: VecDeque::new(),
            length: 0,
            capacity,
            latency,
            cuts,
            held_until: Instant::ORIGIN,
            stalled: false,
            ended: false,
            unread: false,
            broken: false,
        }
    }

    pub(super) fn room(&self) -> Room {
        match () {
            () if self.broken || self.ended || self.unread => Room::Broken,
            () if self.length >= self.capacity => Room::Full,
            () => Room::Octets(self.capacity - self.length),
        }
    }

    pub(super) fn write(&mut self, octets: &[u8], now: Instant) {
        let arrives = now.saturating_add(self.latency).max(self.held_until);
        let behind = self.segments.back().map_or(arrives, |(at, _)| arrives.max(*at));
        self.length += octets.len();
        self.segments.push_back((behind, octets.to_vec()));
    }

    /// Gives some of what has arrived, and no more than `most`.
    pub(super) fn read(&mut self, most: usize, now: Instant, random: &mut Random<'_>) -> Read {
        if self.broken {
            return Read::Broken;
        }
        if self.stalled {
            return Read::Nothing;
        }
        match self.segments.front_mut() {
            None if self.ended => Read::End,
            Some((at, octets)) if *at <= now => {
                let there = octets.len().min(most);
                let count = match self.cuts {
                    Cuts::Whole => there,
                    Cuts::Random => random.up_to(there),
                    Cuts::Octets(_) => 1,
                };
                if let Cuts::Octets(left) = self.cuts {
                    self.cuts = if left == 0 { Cuts::Random } else { Cuts::Octets(left - 1) };
                }
                let rest = octets.split_off(count);
                let taken = std::mem::replace(octets, rest);
                if octets.is_empty() {
                    self.segments.pop_front();
                }
                self.length -= taken.len();
                Read::Octets(taken)
            }
            _ => Read::Nothing,
        }
    }

    /// Whether there is anything on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// When the next octets arrive.
    pub(super) fn arrival(&self) -> Option<Instant> {
        self.segments.front().filter(|_| !self.stalled && !self.broken).map(|(at, _)| *at)
    }

    /// Nothing arrives before this time is over.
    pub(super) fn delay(&mut self, time: Duration, now: Instant) {
        self.held_until = now.saturating_add(time);
        for (at, _) in &mut self.segments {
            *at = (*at).max(self.held_until);
        }
    }

    /// From here on it comes octet by octet, for a while.
    pub(super) fn cut_again(&mut self) {
        self.cuts = Cuts::Octets(RECUT);
    }

    /// Loses what is on its way.
    pub(super) fn destroy(&mut self) {
        self.broken = true;
        self.segments.clear();
        self.length = 0;
    }
}

/// The whole line.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) to_server: Pipe,
    pub(super) to_client: Pipe,
}

impl Link {
    pub(super) fn reset(&mut self) {
        self.to_server.destroy();
        self.to_client.destroy();
    }
}
