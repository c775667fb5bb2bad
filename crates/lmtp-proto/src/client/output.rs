//! What the driver is to do next, and by when.

use core::time::Duration;

use bytes::BytesMut;

use super::deadline::{Unit, Wait};
use super::inflight::Expected;
use super::table::{Input, State};
use super::{BLOCK, Client, Event, Glance, INPUT_ROOM, LAST_WORDS};
use crate::{Error, Instant, Machine, Output, Phase, SendQueue};

impl Client {
    pub(super) fn next_output(&mut self) -> Result<Output<Event>, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Output::Event(event));
            }
            if let Some(error) = &self.error {
                return Err(error.clone());
            }
            if self.state == State::Over {
                let more = !(self.eof || self.write_closed || self.queue.is_empty());
                return Ok(if more { Output::Transmit } else { Output::Closed });
            }
            let phase = self.phase();
            if self.state == State::Tls {
                match () {
                    () if self.has_stray_input() => self.fail(Error::OctetsBeforeTls),
                    () if self.eof || self.write_closed => self.fail(Error::Closed { phase }),
                    () if self.queue.is_empty() => return Ok(Output::StartTls),
                    () => return Ok(Output::Transmit),
                }
                continue;
            }
            let long = (phase == Phase::Auth).then(|| self.config.limits.for_challenges());
            let limits = long.as_ref().unwrap_or(&self.config.limits);
            match self.reader.read(&mut self.input, limits, phase) {
                Ok(Some(reply)) => self.hear(&reply),
                Err(error) => self.fail(error),
                Ok(None) if self.eof => self.fail(Error::Closed { phase }),
                Ok(None) if !self.go_on() => return Ok(Output::Receive),
                Ok(None) => {
                    if let Some(output) = self.next_transfer() {
                        return Ok(output);
                    }
                }
            }
        }
    }

    /// Goes on with what the application has asked for meanwhile. Some of it
    /// waits for a look at the line: the beginning of a transaction when nothing
    /// is due, a step in one, the end of the data. `false` if the driver has to look first.
    ///
    /// What the server says at such a moment answers nothing. Taken for the
    /// answer to what comes next, it would shift every answer behind it.
    pub(super) fn go_on(&mut self) -> bool {
        if self.write_closed {
            return true;
        }
        self.run_ahead();
        let idle = matches!(self.state, State::Ready | State::NeedsReset);
        let begins = idle && self.transactions.has_waiting();
        let ends = match self.state {
            State::Content => self.content_ends,
            State::Chunks => self.content_ends && self.has_room_for_chunk(),
            _ => false,
        };
        if idle && self.leaving {
            self.take_step(Input::Quit);
            return true;
        }
        let step = self.next_step();
        if !(begins || ends || step.is_some()) {
            return true;
        }
        if self.has_stray_input() && !self.in_flight.is_owed(self.queue.sent()) {
            // What it is must not depend on how it was cut: it may be a 421.
            self.glance = Glance::Half;
            return false;
        }
        if self.glance != Glance::Taken {
            self.glance = Glance::Asked;
            return false;
        }
        self.glance = Glance::Due;
        if ends {
            self.end_content();
        } else if let Some(verb) = step {
            self.take_step(Input::Say(verb));
        } else if self.begin_next() {
            self.take_step(Input::Begin);
        }
        true
    }

    /// What to do when nothing is left to think about; `None` if something is.
    pub(super) fn next_transfer(&mut self) -> Option<Output<Event>> {
        if self.error.is_some() || !self.events.is_empty() {
            return None;
        }
        let queued = self.queue.len();
        if self.write_closed {
            return Some(Output::Receive);
        }
        let wanted = match self.state {
            State::Content => true,
            State::Chunks => !self.content_ends && self.has_room_for_chunk(),
            _ => false,
        };
        if wanted
            && queued < BLOCK
            && let Some(transaction) = self.transactions.current_mut()
            && (transaction.asks() || queued == 0)
        {
            return Some(Output::Event(Event::BodyWanted(transaction.id())));
        }
        Some(if queued > 0 { Output::Transmit } else { Output::Receive })
    }

    /// The wait that a transfer is part of, and how long it may take.
    pub(super) fn wait(&self) -> Option<(Wait, Duration)> {
        let phase = self.phase();
        let patience = self.config.timeouts.of(phase);
        if self.glance == Glance::Asked {
            return Some(((phase, Unit::Glance), Duration::ZERO));
        }
        if self.glance == Glance::Half {
            return Some(((phase, Unit::Rest), patience.min(LAST_WORDS)));
        }
        if self.write_closed {
            return Some(((phase, Unit::LastWords), patience.min(LAST_WORDS)));
        }
        match phase {
            Phase::Body if self.queue.is_empty() && self.in_flight.first() == Some(Expected::Chunk) => {
                Some(((phase, Unit::Reply(self.replies)), patience))
            }
            Phase::Body => Some(((phase, Unit::Block(self.queue.sent().checked_div(BLOCK as u64)?)), patience)),
            _ if self.in_flight.is_empty() && self.queue.is_empty() && self.state != State::Tls => None,
            _ => Some(((phase, Unit::Reply(self.replies)), patience)),
        }
    }
}

impl Machine for Client {
    type Event = Event;
    type Error = Error;

    fn poll_output(&mut self, now: Instant) -> Result<Output<Event>, Error> {
        self.deadline.resume(now);
        let output = self.next_output()?;
        match output {
            Output::Event(_) => self.deadline.pause(now),
            _ => self.deadline.arm(self.wait(), now),
        }
        Ok(output)
    }

    fn transmit(&mut self) -> &mut SendQueue {
        &mut self.queue
    }

    fn input(&mut self) -> &mut BytesMut {
        self.input.reserve(INPUT_ROOM);
        &mut self.input
    }

    fn handle_eof(&mut self) {
        self.eof = true;
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self.deadline.passed(now) {
            None => {}
            Some((_, Unit::Glance)) => self.glance = Glance::Taken,
            Some((phase, Unit::Rest)) => self.fail(Error::StrayOctets { phase }),
            Some((phase, Unit::LastWords)) => self.fail(Error::Closed { phase }),
            Some((phase, Unit::Reply(_) | Unit::Block(_))) => self.fail(Error::TimedOut { phase }),
        }
    }

    fn handle_write_closed(&mut self) {
        self.write_closed = true;
        self.queue.clear();
    }

    fn handle_tls(&mut self) {
        self.encrypted();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline.at()
    }
}
