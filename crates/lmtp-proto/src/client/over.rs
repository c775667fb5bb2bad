//! How messages and sessions end.

use bytes::BytesMut;

use super::limits::exhausted;
use super::table::State;
use super::{Client, Event, Glance, INPUT_ROOM, KEPT, SingleFinal};
use crate::{Error, Phase};

impl Client {
    /// The messages that wait are too many for the server.
    pub(super) fn turn_away(&mut self) {
        while let Some(transaction) = self.transactions.waiting() {
            transaction.stop(exhausted(), 0);
        }
        self.tell();
    }

    /// There is doubt on this connection, and it is not used again: this message
    /// has its answers, those behind it are unsent.
    pub(super) fn leave(&mut self, why: &str) {
        if let Some(transaction) = self.transactions.current_mut() {
            transaction.warn(why);
        }
        self.finish();
        if self.transactions.current().is_some() {
            self.transactions.stop(&Error::Closed { phase: Phase::Mail }, self.queue.sent());
            self.tell();
        }
    }

    pub(super) fn finish(&mut self) {
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
    pub(super) fn tell(&mut self) {
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
        let silent = matches!(error, Error::Closed { .. } | Error::TimedOut { .. });
        if silent
            && self.state == State::Finals
            && self.config.quirks.single_final == SingleFinal::RefusesAll
            && let Some(transaction) = self.transactions.current_mut()
        {
            transaction.spread_refusal();
        }
        self.transactions.stop(&error, self.queue.sent());
        self.queue.clear();
        self.in_flight.clear();
        self.error = Some(error);
    }
}
