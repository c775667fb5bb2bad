//! What makes the client go: replies in, commands out.

use alloc::string::ToString;
use core::time::Duration;

use super::deadline::{Unit, Wait};
use super::inflight::Expected;
use super::table::{Action, Input, More, State, Tone, following, step};
use super::{BLOCK, Client, Event, Glance, LAST_WORDS, Line, Pipelining};
use crate::codec::encode_command;
use crate::value::{Capabilities, Command, Reply, ReplyCode, Verb};
use crate::{Error, Output, Phase};

impl Client {
    /// Takes a step that is not a reply's.
    pub(super) fn take_step(&mut self, input: Input) {
        let (next, action) = step(self.state, input);
        debug_assert!(action != Action::Violation, "{input:?} in {:?}", self.state);
        self.go(next, action);
    }

    /// Goes on as the table says.
    fn go(&mut self, next: State, action: Action) {
        self.state = next;
        match action {
            Action::Wait | Action::AskForContent | Action::TurnedAway | Action::Violation => {}
            Action::Send(verb) => {
                // With something in flight it was sent ahead, or is about to be.
                if self.in_flight.is_empty() && self.closing.is_none() {
                    self.send(verb);
                }
            }
            Action::Open => self.events.push_back(Event::Open),
            Action::SendEnd => self.send_end(),
            Action::SendLoneDot => {
                self.queue.put(b".\r\n");
                self.note(|| Line::EndOfData);
                self.leave();
            }
            Action::Leave => self.leave(),
            Action::Finish | Action::Close => self.finish(),
        }
        match (self.state, self.in_flight.first()) {
            // What comes next was sent ahead.
            (State::Ready, Some(Expected::Reply(Verb::Mail))) => return self.take_step(Input::Begin),
            (State::Ready, Some(Expected::Reply(Verb::Quit))) => return self.take_step(Input::Quit),
            _ => self.run_ahead(),
        }
        if self.in_flight.is_empty() && matches!(self.state, State::Refused | State::NoRecipients) {
            self.take_step(Input::Drained);
        }
    }

    /// Sends what may leave in the same group, ahead of the replies.
    fn run_ahead(&mut self) {
        let offered = self.capabilities.as_ref().is_some_and(Capabilities::pipelining);
        if !offered || self.config.pipelining == Pipelining::Off || self.closing.is_some() {
            return;
        }
        while !matches!(self.state, State::Refused | State::NoRecipients | State::Over)
            && self.in_flight.has_room(&self.config.limits)
            && let Some(next) = self.next_ahead()
            && self.send(next)
        {}
    }

    /// What may follow the last command that was sent, or the content.
    fn next_ahead(&mut self) -> Option<Verb> {
        let last = self.in_flight.last()?.answered(Tone::Yes);
        let then = match last {
            Input::Final(_, More::Last) => self.next_wish(),
            _ => None,
        };
        following(last, then)
    }

    /// What the application wants when the transaction at hand is over.
    fn next_wish(&mut self) -> Option<Input> {
        if self.begin_next() { Some(Input::Begin) } else { self.leaving.then_some(Input::Quit) }
    }

    /// Sends a command and expects its reply; `false` if there is none to send.
    fn send(&mut self, verb: Verb) -> bool {
        let (command, expected) = match (verb, self.transactions.speaker()) {
            (Verb::Mail, Some(transaction)) => (transaction.mail(), Expected::Reply(verb)),
            (Verb::Rcpt, Some(transaction)) => match transaction.next_rcpt() {
                Some((command, id, more)) => (command, Expected::Recipient(id, more)),
                None => return false,
            },
            (Verb::Lhlo, _) => (Command::Lhlo(self.config.lhlo_name.clone()), Expected::Reply(verb)),
            (Verb::Data, _) => (Command::Data, Expected::Reply(verb)),
            (Verb::Rset, _) => (Command::Rset, Expected::Reply(verb)),
            (Verb::Quit, _) => (Command::Quit, Expected::Reply(verb)),
            (Verb::Mail | Verb::Rcpt, None) => return false,
        };
        let before = self.queue.len();
        encode_command(&command, &mut self.queue);
        self.in_flight.push(expected, self.queue.mark(), self.queue.len().saturating_sub(before));
        self.note(|| Line::Command(command.to_string()));
        true
    }

    /// Sends the end of the data and expects a reply for each accepted
    /// recipient, duplicates included, in the order of their RCPTs.
    fn send_end(&mut self) {
        let Some(transaction) = self.transactions.current_mut() else { return };
        let octets = match transaction.end(&mut self.queue) {
            Ok(octets) => octets,
            Err(error) => return self.fail(Error::Content(error)),
        };
        let mark = self.queue.mark();
        for (id, more) in transaction.accepted() {
            self.in_flight.push(Expected::Final(id, more), mark, 0);
        }
        self.note(|| Line::Content { octets });
        self.note(|| Line::EndOfData);
    }

    /// Takes a reply.
    fn hear(&mut self, reply: &Reply) {
        let phase = self.phase();
        self.replies = self.replies.saturating_add(1);
        self.note(|| Line::Reply(reply.clone()));
        let closing = reply.code() == ReplyCode::CLOSING;
        let Some(expected) = self.in_flight.answer(self.queue.sent()) else {
            let reply = reply.clone();
            return self.fail(match closing {
                true => Error::Closing { phase, reply },
                false => Error::Unsolicited { phase, reply },
            });
        };
        if closing {
            self.closing = Some(reply.clone());
        }
        let (next, action) = step(self.state, expected.answered(reply.code().class().into()));
        match action {
            Action::Violation => return self.fail(Error::Unexpected { phase, reply: reply.clone() }),
            Action::TurnedAway => return self.fail(Error::Refused { phase, reply: reply.clone() }),
            _ => {}
        }
        match (expected, self.transactions.current_mut()) {
            (Expected::Greeting, _) => self.greeting = Some(reply.clone()),
            (Expected::Reply(Verb::Lhlo), _) => self.capabilities = Some(Capabilities::from(reply)),
            (_, Some(transaction)) => match transaction.record(expected, reply, &self.config.limits) {
                Ok(event) => self.events.extend(event),
                Err(limit) => return self.fail(Error::Limit { phase, limit }),
            },
            (_, None) => {}
        }
        self.go(next, action);
        // What was not sent ahead will not be sent any more.
        if self.closing.is_some() && self.in_flight.is_empty() && self.state != State::Over {
            self.fail(Error::Closing { phase, reply: reply.clone() });
        }
    }

    /// Goes on with what the application has asked for meanwhile. Some of it
    /// waits for a look at the line: the beginning of a transaction when nothing
    /// is due, the end of the data. `false` if the driver has to look first.
    ///
    /// What the server says at such a moment answers nothing. Taken for the
    /// answer to what comes next, it would shift every answer behind it.
    fn go_on(&mut self) -> bool {
        if self.write_closed {
            return true;
        }
        self.run_ahead();
        let idle = matches!(self.state, State::Ready | State::NeedsReset);
        let begins = idle && self.transactions.has_waiting();
        let ends = self.state == State::Content && self.content_ends;
        if idle && self.leaving {
            self.take_step(Input::Quit);
            return true;
        }
        if !(begins || ends) {
            return true;
        }
        if self.has_stray_input() {
            self.fail(Error::StrayOctets { phase: self.phase() });
        } else if self.glance != Glance::Taken {
            self.glance = Glance::Asked;
            return false;
        } else {
            self.glance = Glance::Due;
            if ends {
                self.content_ends = false;
                self.take_step(Input::ContentEnds);
            } else if self.begin_next() {
                self.take_step(Input::Begin);
            }
        }
        true
    }

    /// Prepares the next message for which there is something to ask; those for
    /// which nobody is left to ask for are over. `false` if there is none.
    fn begin_next(&mut self) -> bool {
        while let (Some(transaction), Some(offered)) = (self.transactions.waiting(), &self.capabilities) {
            if transaction.prepare(offered, &self.config) {
                return true;
            }
            transaction.finish();
            self.tell();
        }
        false
    }

    /// The server wants a message although nobody is left to get it: there is
    /// doubt on this connection, and it is not used again.
    fn leave(&mut self) {
        if let Some(transaction) = self.transactions.current_mut() {
            transaction.warn("the server accepts DATA although nobody is left to send to; the connection is closed");
        }
        self.finish();
        if self.transactions.has_waiting() {
            self.transactions.stop(&Error::Closed { phase: Phase::Mail }, self.queue.sent());
            self.tell();
        }
    }

    fn finish(&mut self) {
        if let Some(transaction) = self.transactions.current_mut() {
            transaction.finish();
        }
        self.tell();
    }

    /// Tells of the messages that are over, in their order.
    fn tell(&mut self) {
        while let Some(id) = self.transactions.next_to_tell() {
            self.events.push_back(Event::Done(id));
        }
    }

    /// The session is over, for this reason.
    pub(super) fn fail(&mut self, error: Error) {
        if self.error.is_some() {
            return;
        }
        let error = match (error, self.closing.take()) {
            // The 421 explains what came of it.
            (Error::Closed { phase } | Error::TimedOut { phase } | Error::Unexpected { phase, .. }, Some(reply)) => {
                Error::Closing { phase, reply }
            }
            (error, _) => error,
        };
        self.transactions.stop(&error, self.queue.sent());
        self.queue.clear();
        self.in_flight.clear();
        self.error = Some(error);
    }

    fn note(&mut self, line: impl FnOnce() -> Line) {
        if self.config.transcript {
            self.events.push_back(Event::Line(line()));
        }
    }

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
            match self.reader.read(&mut self.input, &self.config.limits, phase) {
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

    /// What to do when nothing is left to think about; `None` if something is.
    fn next_transfer(&mut self) -> Option<Output<Event>> {
        if self.error.is_some() || !self.events.is_empty() {
            return None;
        }
        let queued = self.queue.len();
        if self.write_closed {
            return Some(Output::Receive);
        }
        if self.state == State::Content
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
        if self.write_closed {
            return Some(((phase, Unit::LastWords), patience.min(LAST_WORDS)));
        }
        match phase {
            Phase::Body => Some(((phase, Unit::Block(self.queue.sent().checked_div(BLOCK as u64)?)), patience)),
            _ if self.in_flight.is_empty() && self.queue.is_empty() => None,
            _ => Some(((phase, Unit::Reply(self.replies)), patience)),
        }
    }
}
