//! What makes the client go: replies in, commands out.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::extensions::Usable;
use super::inflight::Expected;
use super::table::{Action, Input, More, State, Tone, following, step};
use super::{Client, Event, Line, Pipelining, SingleFinal};
use crate::Error;
use crate::codec::encode_command;
use crate::value::{Capabilities, Command, Reply, ReplyCode, Verb};

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
            Action::Decide => return self.decide(),
            Action::WrapStream => self.wrap_stream(),
            Action::Respond => self.respond(),
            Action::Send(verb) => {
                // With something in flight it was sent ahead, or is about to be.
                if self.in_flight.is_empty() && self.closing.is_none() {
                    self.send(verb);
                }
            }
            Action::Open => self.events.push_back(Event::Open),
            Action::Cleared => self.events.push_back(Event::Reset),
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

    pub(super) fn pipelines(&self) -> bool {
        let offered = self.capabilities.as_ref().is_some_and(Capabilities::pipelining);
        match self.config.pipelining {
            Pipelining::Auto => offered,
            Pipelining::Off => false,
            Pipelining::Force => self.capabilities.is_some(),
        }
    }

    /// Sends what may leave in the same group, ahead of the replies.
    pub(super) fn run_ahead(&mut self) {
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

    /// Prepares the next message for which there is something to ask; those for
    /// which nobody is left to ask for are over. `false` if there is none.
    pub(super) fn begin_next(&mut self) -> bool {
        while let (Some(transaction), Some(usable)) = (self.transactions.waiting(), &self.usable) {
            if self.used.is_exhausted(&usable.limits) {
                self.turn_away();
                return false;
            }
            if transaction.prepare(usable, &self.config, self.opening.secured, &mut self.used) {
                self.used.begin();
                return true;
            }
            transaction.finish();
            self.tell();
        }
        false
    }

    /// Sends a command and expects its reply; `false` if there is none to send.
    fn send(&mut self, verb: Verb) -> bool {
        let (command, expected) = match (verb, self.transactions.speaker()) {
            (Verb::Mail, Some(transaction)) => (transaction.mail(), Expected::Reply(verb)),
            (Verb::Rcpt, Some(transaction)) => match transaction.next_rcpt() {
                Some((command, id, next)) => (command, Expected::Recipient(id, next)),
                None => return false,
            },
            (Verb::Lhlo, _) => {
                (self.capabilities, self.usable) = (None, None);
                (Command::Lhlo(self.config.lhlo_name.clone()), Expected::Reply(verb))
            }
            (Verb::StartTls, _) => (Command::StartTls, Expected::Reply(verb)),
            (Verb::Trace, _) => match self.config.trace_id.clone() {
                Some(id) => (Command::Trace(id), Expected::Reply(verb)),
                None => return false,
            },
            (Verb::Auth | Verb::Xclient | Verb::Xforward, _) => match self.opening.command(verb) {
                Some(command) => (command, Expected::Reply(verb)),
                None => return false,
            },
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
    pub(super) fn hear(&mut self, reply: &Reply) {
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
        let (expected, others) = self.answered_with(expected);
        let tone = reply.code().class().into();
        let (next, action) = step(self.state, expected.answered(tone, !self.in_flight.is_empty()));
        match action {
            Action::Violation => return self.fail(Error::Unexpected { phase, reply: reply.clone() }),
            Action::TurnedAway if expected == Expected::Reply(Verb::Xclient) => {
                return self.fail(Error::XclientRefused { reply: reply.clone() });
            }
            Action::TurnedAway => return self.fail(Error::Refused { phase, reply: reply.clone() }),
            _ => {}
        }
        match (expected, self.transactions.current_mut()) {
            (Expected::Greeting, _) => self.greeting = Some(reply.clone()),
            (Expected::Reply(Verb::Lhlo), _) => {
                let offered = Capabilities::from(reply);
                self.usable = Some(Usable::of(&offered, &self.config.extensions));
                self.capabilities = Some(offered);
            }
            (Expected::Reply(verb @ (Verb::StartTls | Verb::Auth)), _) => {
                self.hear_opening(verb, tone, reply);
                if self.error.is_some() {
                    return;
                }
            }
            (Expected::Reply(Verb::Xclient | Verb::Xforward | Verb::Trace), _) => {}
            (_, Some(transaction)) => {
                for expected in [expected].into_iter().chain(others) {
                    match transaction.record(expected, reply, &self.config.limits) {
                        Ok(event) => self.events.extend(event),
                        Err(limit) => return self.fail(Error::Limit { phase, limit }),
                    }
                }
            }
            (_, None) => {}
        }
        self.go(next, action);
        // What was not sent ahead will not be sent any more.
        if self.closing.is_some() && self.in_flight.is_empty() && self.state != State::Over {
            self.fail(Error::Closing { phase, reply: reply.clone() });
        }
    }

    /// Which other finals are answered with this one, by a server that is known to
    /// give one for all; this is the last then.
    fn answered_with(&mut self, expected: Expected) -> (Expected, Vec<Expected>) {
        match expected {
            Expected::Final(id, More::Follow) if self.config.quirks.single_final == SingleFinal::AnswersAll => {
                (Expected::Final(id, More::Last), core::iter::from_fn(|| self.in_flight.take_final()).collect())
            }
            expected => (expected, Vec::new()),
        }
    }

    pub(super) fn note(&mut self, line: impl FnOnce() -> Line) {
        if self.config.transcript {
            self.events.push_back(Event::Line(line()));
        }
    }
}
