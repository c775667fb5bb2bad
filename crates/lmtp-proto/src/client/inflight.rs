//! Which reply answers what.

use alloc::collections::VecDeque;

use super::table::{Input, More, Tone};
use crate::value::Verb;
use crate::{Limits, Phase, RecipientId};

/// What the next reply will answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Greeting,
    Reply(Verb),
    Recipient(RecipientId, More),
    Final(RecipientId, More),
}

impl Expected {
    /// The input to the table that a reply of this tone is.
    pub(super) fn answered(self, tone: Tone) -> Input {
        match self {
            Self::Greeting => Input::Greeting(tone),
            Self::Reply(verb) => Input::Reply(verb, tone),
            Self::Recipient(_, more) => Input::Recipient(tone, more),
            Self::Final(_, more) => Input::Final(tone, more),
        }
    }

    pub(super) fn phase(self) -> Phase {
        match self {
            Self::Greeting => Phase::Greeting,
            Self::Reply(Verb::Lhlo) => Phase::Lhlo,
            Self::Reply(Verb::Mail | Verb::Rset) => Phase::Mail,
            Self::Reply(Verb::Rcpt) | Self::Recipient(..) => Phase::Rcpt,
            Self::Reply(Verb::Data) => Phase::Data,
            Self::Final(..) => Phase::Final,
            // The client says nothing else.
            Self::Reply(_) => Phase::Quit,
        }
    }
}

/// The queue of replies that are due, first in, first out.
///
/// Replies are paired with commands by counting and by nothing else (RFC 2920
/// section 3.1). Each entry knows the place in the stream where its command
/// ends: a reply that is read before that place was written answers nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct InFlight {
    due: VecDeque<(Expected, u64)>,
    /// Where the last answered command ended.
    answered: u64,
}

impl InFlight {
    /// A reply is due to what ends at `mark`.
    pub(super) fn push(&mut self, expected: Expected, mark: u64) {
        self.due.push_back((expected, mark));
    }

    /// What the next reply answers, once `sent` octets were written.
    pub(super) fn answer(&mut self, sent: u64) -> Option<Expected> {
        let &(expected, mark) = self.due.front().filter(|(_, mark)| *mark <= sent)?;
        self.due.pop_front();
        self.answered = mark;
        Some(expected)
    }

    pub(super) fn first(&self) -> Option<Expected> {
        self.due.front().map(|(expected, _)| *expected)
    }

    /// Whether the next reply may come, `sent` octets having been written.
    pub(super) fn is_owed(&self, sent: u64) -> bool {
        self.due.front().is_some_and(|(_, mark)| *mark <= sent)
    }

    pub(super) fn last(&self) -> Option<Expected> {
        self.due.back().map(|(expected, _)| *expected)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.due.clear();
    }

    /// Whether one more command may leave ahead of its reply, `mark` being
    /// where it would begin.
    pub(super) fn has_room(&self, mark: u64, limits: &Limits) -> bool {
        let octets = mark.saturating_sub(self.answered);
        self.due.len() < limits.pipelined_commands && octets < limits.pipelined_octets as u64
    }
}
