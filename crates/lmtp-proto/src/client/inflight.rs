//! Which reply answers what.

use alloc::collections::VecDeque;

use super::table::{Input, More, Next, Tone};
use crate::value::Verb;
use crate::{Limits, Phase, RecipientId};

/// What the next reply will answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Greeting,
    Reply(Verb),
    Recipient(RecipientId, Next),
    /// A chunk that is not the last.
    Chunk,
    Final(RecipientId, More),
}

impl Expected {
    /// The input to the table that a reply of this tone is. `behind` tells
    /// whether other replies are due behind it.
    pub(super) fn answered(self, tone: Tone, behind: bool) -> Input {
        match self {
            Self::Greeting => Input::Greeting(tone),
            Self::Reply(verb) => Input::Reply(verb, tone),
            Self::Recipient(_, next) => Input::Recipient(tone, next),
            Self::Chunk => Input::Chunk(tone, if behind { More::Follow } else { More::Last }),
            Self::Final(_, more) => Input::Final(tone, more),
        }
    }

    pub(super) fn phase(self) -> Phase {
        match self {
            Self::Greeting => Phase::Greeting,
            Self::Reply(Verb::Lhlo | Verb::Xclient | Verb::Xforward | Verb::Trace) => Phase::Lhlo,
            Self::Reply(Verb::StartTls) => Phase::StartTls,
            Self::Reply(Verb::Auth) => Phase::Auth,
            Self::Reply(Verb::Mail | Verb::Rset) => Phase::Mail,
            Self::Reply(Verb::Rcpt) | Self::Recipient(..) => Phase::Rcpt,
            Self::Reply(Verb::Data) => Phase::Data,
            Self::Chunk | Self::Reply(Verb::Bdat) => Phase::Body,
            Self::Final(..) => Phase::Final,
            // The client says nothing else.
            Self::Reply(_) => Phase::Quit,
        }
    }
}

/// For so many replies there is always room.
const KEPT: usize = 8;

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

    /// Takes the next if it is another recipient's final reply.
    pub(super) fn take_final(&mut self) -> Option<Expected> {
        let expected = self.first().filter(|expected| matches!(expected, Expected::Final(..)))?;
        self.due.pop_front();
        Some(expected)
    }

    /// How many chunks have no reply.
    pub(super) fn chunks(&self) -> usize {
        self.due.iter().filter(|due| due.expected == Expected::Chunk).count()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.due.clear();
        self.octets = 0;
    }

    /// Gives back the room that was needed for many.
    pub(super) fn shrink(&mut self) {
        self.due.shrink_to(KEPT);
    }

    /// Whether one more command may leave ahead of its reply.
    pub(super) fn has_room(&self, limits: &Limits) -> bool {
        self.due.len() < limits.pipelined_commands && self.octets < limits.pipelined_octets
    }
}
