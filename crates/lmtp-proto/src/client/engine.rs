//! What makes the client go: replies in, commands out.

use alloc::string::ToString;

use super::deadline::Wait;
use super::inflight::Expected;
use super::table::{Action, Input, State, Tone, following, step};
use super::{BLOCK, Client, Event, Line, Pipelining};
use crate::codec::encode_command;
use crate::value::{Capabilities, Command, Reply, ReplyCode, Verb};
use crate::{Error, Fault, Output, Phase};

impl Client {
    /// Goes on with what a reply or the application asks for.
    pub(super) fn take_step(&mut self, input: Input, heard: Option<(&Reply, Phase)>) {
        let (next, action) = step(self.state, input);
        self.state = next;
        match (action, heard) {
            (Action::Wait | Action::AskForContent, _) => {}
            (Action::Send(verb), _) => {
                // With something in flight it was sent ahead, or is about to be.
                if self.in_flight.is_empty() && self.closing.is_none() {
                    self.send(verb);
                }
            }
            (Action::Open, heard) => {
                self.capabilities = heard.map(|(reply, _)| Capabilities::from(reply));
                self.events.push_back(Event::Open);
            }
            (Action::SendEnd, _) => self.send_end(),
            (Action::SendLoneDot, _) => {
                self.queue.put(b".\r\n");
                self.note(|| Line::EndOfData);
                self.finish();
            }
            (Action::Finish | Action::Close, _) => self.finish(),
            (Action::TurnedAway, Some((reply, phase))) => self.fail(Error::Refused { phase, reply: reply.clone() }),
            (Action::Violation, Some((reply, phase))) => self.fail(Error::Unexpected { phase, reply: reply.clone() }),
            // The methods that give other inputs have looked at the state.
            (Action::TurnedAway | Action::Violation, None) => debug_assert!(false, "{input:?} in {:?}", self.state),
        }
        self.run_ahead();
        if self.in_flight.is_empty() && matches!(self.state, State::Refused | State::NoRecipients) {
            self.take_step(Input::Drained, None);
        }
    }

    /// Sends what may leave in the same group, ahead of the replies.
    fn run_ahead(&mut self) {
        let offered = self.capabilities.as_ref().is_some_and(Capabilities::pipelining);
        if !offered || self.config.pipelining == Pipelining::Off || self.closing.is_some() {
            return;
        }
        while !matches!(self.state, State::Refused | State::NoRecipients | State::Over)
            && self.in_flight.has_room(self.queue.mark(), &self.config.limits)
            && let Some(next) = self.in_flight.last().and_then(|last| following(last.answered(Tone::Yes)))
        {
            self.send(next);
        }
    }

    /// Sends a command and expects its reply.
    fn send(&mut self, verb: Verb) {
        let (command, expected) = match (verb, &mut self.transaction) {
            (Verb::Mail, Some(transaction)) => (transaction.mail(), Expected::Reply(verb)),
            (Verb::Rcpt, Some(transaction)) => match transaction.next_rcpt() {
                Some((command, id, more)) => (command, Expected::Recipient(id, more)),
                None => return,
            },
            (Verb::Lhlo, _) => (Command::Lhlo(self.config.lhlo_name.clone()), Expected::Reply(verb)),
            (Verb::Data, _) => (Command::Data, Expected::Reply(verb)),
            (Verb::Rset, _) => (Command::Rset, Expected::Reply(verb)),
            (Verb::Quit, _) => (Command::Quit, Expected::Reply(verb)),
            (Verb::Mail | Verb::Rcpt, None) => return,
        };
        encode_command(&command, &mut self.queue);
        self.in_flight.push(expected, self.queue.mark());
        self.note(|| Line::Command(command.to_string()));
    }

    /// Sends the end of the data and expects a reply for each accepted
    /// recipient, duplicates included, in the order of their RCPTs.
    fn send_end(&mut self) {
        let Some(transaction) = &mut self.transaction else { return };
        let octets = match transaction.end(&mut self.queue) {
            Ok(octets) => octets,
            Err(error) => return self.fail(Error::Content(error)),
        };
        let mark = self.queue.mark();
        for (id, more) in transaction.accepted() {
            self.in_flight.push(Expected::Final(id, more), mark);
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
        let input = expected.answered(reply.code().class().into());
        if expected == Expected::Greeting {
            self.greeting = Some(reply.clone());
        }
        if step(self.state, input).1 != Action::Violation
            && let Some(transaction) = &mut self.transaction
        {
            self.events.extend(transaction.record(expected, reply));
        }
        self.take_step(input, Some((reply, phase)));
        // What was not sent ahead will not be sent any more.
        if self.closing.is_some() && self.in_flight.is_empty() && self.state != State::Over {
            self.fail(Error::Closing { phase, reply: reply.clone() });
        }
    }

    /// Begins the transaction that waits, if the session is open.
    fn begin(&mut self) {
        let stray = self.has_stray_input();
        let (State::Ready | State::Unclean, Some(capabilities)) = (self.state, &self.capabilities) else { return };
        let Some(transaction) = self.transaction.as_mut().filter(|transaction| transaction.is_waiting()) else {
            return;
        };
        if stray {
            return self.fail(Error::StrayOctets { phase: Phase::Mail });
        }
        if transaction.prepare(capabilities, &self.config) {
            self.take_step(Input::Begin, None);
        } else {
            self.finish(); // nobody is left to ask for
        }
    }

    fn finish(&mut self) {
        if let Some(transaction) = self.transaction.as_mut().filter(|transaction| !transaction.is_over()) {
            self.events.push_back(Event::Done(transaction.finish()));
        }
    }

    /// The session is over, for this reason.
    pub(super) fn fail(&mut self, error: Error) {
        if self.error.is_some() {
            return;
        }
        let error = match (error, self.closing.take()) {
            (Error::Closed { phase }, Some(reply)) => Error::Closing { phase, reply },
            (error, _) => error,
        };
        if let Some(transaction) = &mut self.transaction {
            transaction.stop(Fault::from(error.clone()), self.queue.sent());
        }
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
                let more = !self.eof && !self.queue.is_empty();
                return Ok(if more { Output::Transmit } else { Output::Closed });
            }
            let phase = self.phase();
            match self.reader.read(&mut self.input, &self.config.limits, phase) {
                Ok(Some(reply)) => self.hear(&reply),
                Err(error) => self.fail(error),
                Ok(None) if self.eof => self.fail(Error::Closed { phase }),
                Ok(None) => {
                    self.begin();
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
        if self.state == State::Content
            && queued < BLOCK
            && let Some(transaction) = &mut self.transaction
            && (transaction.asks() || queued == 0)
        {
            return Some(Output::Event(Event::BodyWanted(transaction.id())));
        }
        Some(if queued > 0 { Output::Transmit } else { Output::Receive })
    }

    /// The wait that a transfer is part of.
    pub(super) fn wait(&self) -> Option<Wait> {
        match self.phase() {
            Phase::Body => Some((Phase::Body, self.queue.sent().checked_div(BLOCK as u64).unwrap_or_default())),
            _ if self.in_flight.is_empty() && self.queue.is_empty() => None,
            phase => Some((phase, self.replies)),
        }
    }
}
