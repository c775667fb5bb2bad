//! The server as its driver sees it.

use core::fmt;

use bytes::BytesMut;

use super::say::Canned;
use super::table::{Input, State};
use super::{Error, Event, KEPT, Server, Session, Wait};
use crate::{Instant, Machine, Output, SendQueue};

impl Machine for Server {
    type Event = Event;
    type Error = Error;

    fn poll_output(&mut self, now: Instant) -> Result<Output<Event>, Error> {
        self.deadline.resume(now);
        self.watch.stop(now);
        let output = match self.next_output() {
            Ok(output) => output,
            Err(error) => {
                self.deadline.arm(None, now);
                return Err(error);
            }
        };
        if self.queue.is_empty() {
            self.flushes = self.flushes.saturating_add(1);
        }
        match output {
            Output::Event(_) => self.deadline.pause(now),
            Output::Closed => self.deadline.arm(None, now),
            _ => {
                let wait = self.wait(&output);
                self.deadline.arm(Some(wait), now);
                if matches!(wait.0, Wait::Command(_) | Wait::Write(_) | Wait::Tls) {
                    self.watch.start(now);
                }
            }
        }
        Ok(output)
    }

    fn transmit(&mut self) -> &mut SendQueue {
        &mut self.queue
    }

    fn input(&mut self) -> &mut BytesMut {
        let content = self.is_reading_content();
        // What a message needed is given back between messages.
        if !content && self.input.is_empty() && self.has_large_input {
            (self.input, self.has_large_input) = (BytesMut::new(), false);
        }
        let room = self.room();
        // Not for every octet a buffer: the application may hold on to slices of
        // it, and each would keep the whole.
        if self.input.capacity().saturating_sub(self.input.len()) < room / 2 {
            self.input.reserve(room);
            self.has_large_input |= self.input.capacity() > KEPT;
        }
        &mut self.input
    }

    fn handle_eof(&mut self) {
        self.eof = true;
    }

    fn handle_write_closed(&mut self) {
        self.write_closed = true;
        self.queue.clear();
    }

    fn handle_timeout(&mut self, now: Instant) {
        let Some(wait) = self.deadline.passed(now) else { return };
        // It passes once.
        self.deadline.arm(None, now);
        match wait {
            // The answer came before anybody asked again.
            Wait::Handler(number) if self.open.as_ref().is_none_or(|open| open.number != number) => {}
            Wait::Verdict(place) if self.state != State::Finals || self.verdicts.released() != place => {}
            Wait::Handler(_) | Wait::Verdict(_) => self.give_up(),
            Wait::Command(_) | Wait::Block(_) => self.close(Canned::TIMED_OUT, Some(Error::TimedOut)),
            // Nobody listens, or nothing may be said in clear.
            Wait::Write(_) | Wait::Tls => {
                self.queue.clear();
                self.end(Some(Error::TimedOut));
            }
        }
    }

    /// All that was known of the client is forgotten (RFC 3207 section 4.2).
    fn handle_tls(&mut self) {
        if self.state == State::Securing && self.input.is_empty() {
            self.take_step(Input::Secured);
            self.session = Session { secured: true, ..Session::default() };
        } else if self.state == State::Securing {
            self.end(Some(Error::ClearOctets));
        } else if self.state == State::Connected {
            self.session.secured = true;
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline.at()
    }
}

/// Sizes only of what comes in: it may be a password, or somebody's letter.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("state", &self.state)
            .field("session", &self.session)
            .field("transaction", &self.transaction)
            .field("verdicts", &self.verdicts)
            .field("chunk", &self.chunk)
            .field("input", &self.input.len())
            .field("queue", &self.queue)
            .field("events", &self.events)
            .field("open", &self.open)
            .field("deadline", &self.deadline)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}
