//! What makes the client go: replies in, commands out.

use alloc::string::ToString;
use core::time::Duration;

use bytes::BytesMut;

use super::content::{Chunk, End};
use super::deadline::{Unit, Wait};
use super::inflight::Expected;
use super::table::{Action, Input, More, State, Tone, following, step};
use super::{BLOCK, Client, INPUT_ROOM, KEPT, Event, Glance, LAST_WORDS, Line, Pipelining};
use crate::codec::encode_command;
use crate::value::{Capabilities, Command, Reply, ReplyCode, Verb};
use crate::{Error, Output, Phase};

/// A server that wants a message although nobody is left to get it.
const FOR_NOBODY: &str = "the server accepts DATA although nobody is left to send to; the connection is closed";

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
            Action::ExpectFinals => self.expect_finals(),
            Action::SendLoneDot => {
                self.queue.put(b".\r\n");
                self.note(|| Line::EndOfData);
                self.leave(FOR_NOBODY);
            }
            Action::Leave => self.leave(FOR_NOBODY),
            Action::GoAway => {
                self.queue.clear();
                self.in_flight.clear();
                self.leave("a chunk was refused and others were sent behind it; the connection is closed");
            }
            Action::Finish | Action::Close => self.finish(),
        }
        match (self.state, self.in_flight.first()) {
            // What comes next was sent ahead.
            (State::Ready, Some(Expected::Reply(Verb::Mail))) => return self.take_step(Input::Begin),
            (State::Ready, Some(Expected::Reply(Verb::Quit))) => return self.take_step(Input::Quit),
            _ => self.run_ahead(),
        }
        if self.in_flight.is_empty() && matches!(self.state, State::Refused | State::NoRecipients | State::GivenUp) {
            self.take_step(Input::Drained);
        }
    }

    fn pipelines(&self) -> bool {
        let offered = self.capabilities.as_ref().is_some_and(Capabilities::pipelining);
        offered && self.config.pipelining == Pipelining::Auto
    }

    /// Sends what may leave in the same group, ahead of the replies.
    fn run_ahead(&mut self) {
        if !self.pipelines() || self.closing.is_some() {
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
        let last = self.in_flight.last()?.answered(Tone::Yes, false);
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
                Some((command, id, next)) => (command, Expected::Recipient(id, next)),
                None => return false,
            },
            (Verb::Lhlo, _) => (Command::Lhlo(self.config.lhlo_name.clone()), Expected::Reply(verb)),
            (Verb::Data, _) => (Command::Data, Expected::Reply(verb)),
            (Verb::Rset, _) => (Command::Rset, Expected::Reply(verb)),
            (Verb::Quit, _) => (Command::Quit, Expected::Reply(verb)),
            // Chunks leave with their octets, in `chunk_left`.
            (_, _) => return false,
        };
        let before = self.queue.len();
        encode_command(&command, &mut self.queue);
        self.in_flight.push(expected, self.queue.mark(), self.queue.len().saturating_sub(before));
        self.note(|| Line::Command(command.to_string()));
        true
    }

    /// A chunk that is not the last was queued.
    pub(super) fn chunk_left(&mut self, chunk: &Chunk) {
        self.in_flight.push(Expected::Chunk, self.queue.mark(), chunk.octets);
        self.note(|| Line::Command(chunk.command.to_string()));
        self.note(|| Line::Content { octets: chunk.size });
    }

    /// Whether a chunk may leave now.
    fn has_room_for_chunk(&self) -> bool {
        let window = if self.pipelines() { self.config.limits.outstanding_chunks } else { 1 };
        self.in_flight.chunks() < window.max(1)
    }

    /// The content will not be complete. Between two chunks the session goes on.
    pub(super) fn give_up(&mut self, error: Error) {
        if self.state != State::Chunks {
            return self.fail(error);
        }
        if let Some(transaction) = self.transactions.current_mut() {
            transaction.give_up(error.into());
        }
        self.take_step(Input::ContentFails);
    }

    /// Sends the end of the data, or the last chunk.
    fn end_content(&mut self) {
        self.content_ends = false;
        let Some(transaction) = self.transactions.current_mut() else { return };
        match transaction.end(&mut self.queue) {
            Ok((End { chunk: Some(last), .. }, _)) => {
                self.note(|| Line::Command(last.command.to_string()));
                self.note(|| Line::Content { octets: last.size });
            }
            Ok((_, octets)) => {
                self.note(|| Line::Content { octets });
                self.note(|| Line::EndOfData);
            }
            Err(error) => return self.give_up(Error::Content(error)),
        }
        self.take_step(Input::ContentEnds);
    }

    /// Expects a reply for each accepted recipient, duplicates included, in the
    /// order of their RCPTs.
    fn expect_finals(&mut self) {
        let Some(transaction) = self.transactions.current_mut() else { return };
        let mark = self.queue.mark();
        for (id, more) in transaction.accepted() {
            self.in_flight.push(Expected::Final(id, more), mark, 0);
        }
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
        let tone = reply.code().class().into();
        let (next, action) = step(self.state, expected.answered(tone, !self.in_flight.is_empty()));
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
        let ends = match self.state {
            State::Content => self.content_ends,
            State::Chunks => self.content_ends && self.has_room_for_chunk(),
            _ => false,
        };
        if idle && self.leaving {
            self.take_step(Input::Quit);
            return true;
        }
        if !(begins || ends) {
            return true;
        }
        if self.has_stray_input() && !self.in_flight.is_owed(self.queue.sent()) {
            self.fail(Error::StrayOctets { phase: self.phase() });
        } else if self.glance != Glance::Taken {
            self.glance = Glance::Asked;
            return false;
        } else {
            self.glance = Glance::Due;
            if ends {
                self.end_content();
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

    /// There is doubt on this connection, and it is not used again: this message
    /// has its answers, those behind it are unsent.
    fn leave(&mut self, why: &str) {
        if let Some(transaction) = self.transactions.current_mut() {
            transaction.warn(why);
        }
        self.finish();
        if self.transactions.current().is_some() {
            self.transactions.stop(&Error::Closed { phase: Phase::Mail }, self.queue.sent());
            self.tell();
        }
    }

    fn finish(&mut self) {
        if let Some(transaction) = self.transactions.current_mut() {
            transaction.finish();
        }
        (self.content_ends, self.glance) = (false, Glance::Due);
        self.in_flight.shrink();
        self.queue.shrink(KEPT);
        if self.input.is_empty() && self.input.try_reclaim(2 * INPUT_ROOM) {
            self.input = BytesMut::new();
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
        if self.write_closed {
            return Some(((phase, Unit::LastWords), patience.min(LAST_WORDS)));
        }
        match phase {
            Phase::Body if self.queue.is_empty() && self.in_flight.first() == Some(Expected::Chunk) => {
                Some(((phase, Unit::Reply(self.replies)), patience))
            }
            Phase::Body => Some(((phase, Unit::Block(self.queue.sent().checked_div(BLOCK as u64)?)), patience)),
            _ if self.in_flight.is_empty() && self.queue.is_empty() => None,
            _ => Some(((phase, Unit::Reply(self.replies)), patience)),
        }
    }
}
