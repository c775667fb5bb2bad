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
            Self::Reply(Verb::Quit) => Phase::Quit,
            Self::Final(..) => Phase::Final,
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
    due: VecDeque<Due>,
    /// Octets of all commands whose replies are due.
    octets: usize,
}

#[derive(Debug, Clone, Copy)]
struct Due {
    expected: Expected,
    /// Where its command ends.
    mark: u64,
    /// How long its command is; content is not counted.
    octets: usize,
}

impl InFlight {
    /// A reply is due to what ends at `mark`, a command of so many octets.
    pub(super) fn push(&mut self, expected: Expected, mark: u64, octets: usize) {
        self.due.push_back(Due { expected, mark, octets });
        self.octets = self.octets.saturating_add(octets);
    }

    /// What the next reply answers, once `sent` octets were written.
    pub(super) fn answer(&mut self, sent: u64) -> Option<Expected> {
        let &due = self.due.front().filter(|due| due.mark <= sent)?;
        self.due.pop_front();
        self.octets = self.octets.saturating_sub(due.octets);
        Some(due.expected)
    }

    pub(super) fn first(&self) -> Option<Expected> {
        self.due.front().map(|due| due.expected)
    }

    /// Whether the next reply may come, `sent` octets having been written.
    pub(super) fn is_owed(&self, sent: u64) -> bool {
        self.due.front().is_some_and(|due| due.mark <= sent)
    }

    pub(super) fn last(&self) -> Option<Expected> {
        self.due.back().map(|due| due.expected)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.due.clear();
        self.octets = 0;
    }

    /// Whether one more command may leave ahead of its reply.
    pub(super) fn has_room(&self, limits: &Limits) -> bool {
        self.due.len() < limits.pipelined_commands && self.octets < limits.pipelined_octets
    }
}
