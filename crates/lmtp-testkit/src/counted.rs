//! A machine whose driver counts: what it is asked must be linear in what it is told.

use std::ops::{Deref, DerefMut};

use bytes::{Buf, BytesMut};
use lmtp_proto::{Instant, Machine, Output, SendQueue};

/// Questions for each octet read or written: one that leads to it, and what comes of it. No reply is so
/// short that it has more events than octets.
const PER_OCTET: u64 = 2;
/// Questions for each thing that the application does.
const PER_ACT: u64 = 8;
/// Questions for what can happen once, such as the end of the stream.
const ONCE: u64 = 32;

/// A machine that counts how often [`poll_output`](Machine::poll_output) is called, and panics when that
/// is no longer linear in the octets that were read and written and in the acts of its application.
///
/// So a machine that makes its driver turn in circles, or that tells of more than it was told, is found
/// where it does so. An act is a message to deliver, a part of one, the leave: whoever does it tells of it
/// with [`act`](Self::act). Time-outs and ends earn no questions: one could be answered by the next.
#[derive(Debug)]
pub struct Counted<M> {
    machine: M,
    polls: u64,
    acts: u64,
    heard: u64,
    /// What of the input was there when the machine was last asked.
    left: usize,
}

impl<M: Machine> Counted<M> {
    /// Counts from here on.
    pub fn new(machine: M) -> Self {
        Self { machine, polls: 0, acts: 0, heard: 0, left: 0 }
    }

    /// The application does something.
    pub fn act(&mut self) -> &mut M {
        self.acts += 1;
        &mut self.machine
    }

    /// The driver has asked, and could do nothing of what it was told: it asks again
    /// before anything has happened, which is not the machine's doing.
    pub fn in_vain(&mut self) {
        self.polls = self.polls.saturating_sub(1);
    }

    /// How often the machine was asked.
    pub fn polls(&self) -> u64 {
        self.polls
    }

    fn count(&mut self) {
        self.polls += 1;
        let there = self.machine.input().len();
        self.heard += there.saturating_sub(self.left) as u64;
        let octets = self.heard + self.machine.transmit().sent();
        let allowed = PER_OCTET * octets + PER_ACT * self.acts + ONCE;
        assert!(self.polls <= allowed, "asked {} times after {octets} octets and {} acts", self.polls, self.acts);
    }
}

impl<M: Machine> Machine for Counted<M> {
    type Event = M::Event;
    type Error = M::Error;

    fn poll_output(&mut self, now: Instant) -> Result<Output<M::Event>, M::Error> {
        self.count();
        let output = self.machine.poll_output(now);
        self.left = self.machine.input().len();
        let queue = self.machine.transmit();
        assert_eq!(queue.is_empty(), queue.chunk().is_empty(), "a queue that is not empty has something to write");
        assert!(!matches!(output, Ok(Output::Transmit)) || !queue.is_empty(), "there is nothing to write");
        output
    }

    fn transmit(&mut self) -> &mut SendQueue {
        self.machine.transmit()
    }

    fn input(&mut self) -> &mut BytesMut {
        self.machine.input()
    }

    fn handle_eof(&mut self) {
        self.machine.handle_eof();
    }

    fn handle_write_closed(&mut self) {
        self.machine.handle_write_closed();
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.machine.handle_timeout(now);
    }

    fn handle_tls(&mut self) {
        self.machine.handle_tls();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.machine.poll_timeout()
    }
}

impl<M> Deref for Counted<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.machine
    }
}

impl<M> DerefMut for Counted<M> {
    fn deref_mut(&mut self) -> &mut M {
        &mut self.machine
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lmtp_proto::client::{Client, Config};

    #[test]
    fn reading_and_writing_earn_questions() {
        let mut client = Counted::new(Client::new(Config::default()));
        for octet in b"220 mx.example.org ready\r\n" {
            assert_eq!(client.poll_output(Instant::ORIGIN), Ok(Output::Receive));
            client.input().extend_from_slice(&[*octet]);
        }
        while client.poll_output(Instant::ORIGIN) == Ok(Output::Transmit) {
            client.transmit().advance(1);
        }
        assert_eq!(client.polls(), 26 + 16 + 1);
    }

    #[test]
    #[should_panic(expected = "after 0 octets and 0 acts")]
    fn turning_in_circles_is_told() {
        let mut client = Counted::new(Client::new(Config::default()));
        while client.poll_output(Instant::ORIGIN).is_ok() {}
    }
}
