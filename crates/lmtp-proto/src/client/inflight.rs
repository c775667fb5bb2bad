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

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: Expected = Expected::Reply(Verb::Mail);
    const LAST: Expected = Expected::Final(RecipientId(1), More::Last);

    /// The queue with these in it; each is three octets long and ends that much
    /// later.
    fn queue(expected: &[Expected]) -> InFlight {
        let mut queue = InFlight::default();
        for (mark, expected) in (3..).step_by(3).zip(expected) {
            queue.push(*expected, mark, 3);
        }
        queue
    }

    #[test]
    fn first_in_first_out_and_nothing_before_it_was_written() {
        let mut queue = queue(&[MAIL, Expected::Chunk, LAST]);
        assert_eq!((queue.first(), queue.last()), (Some(MAIL), Some(LAST)));
        assert_eq!((queue.is_owed(2), queue.answer(2)), (false, None));
        assert!(!queue.is_empty());
        assert_eq!((queue.is_owed(3), queue.answer(3)), (true, Some(MAIL)));
        assert_eq!((queue.is_owed(5), queue.answer(5)), (false, None));
        assert_eq!((queue.answer(9), queue.answer(9), queue.answer(9)), (Some(Expected::Chunk), Some(LAST), None));
        assert!(queue.is_empty() && !queue.is_owed(9) && queue.first().is_none() && queue.last().is_none());
    }

    #[test]
    fn only_a_final_reply_is_taken_as_one() {
        let mut queue = queue(&[MAIL, LAST]);
        assert_eq!(queue.take_final(), None);
        assert_eq!(queue.answer(3), Some(MAIL));
        assert_eq!((queue.take_final(), queue.take_final()), (Some(LAST), None));
    }

    #[test]
    fn chunks_are_counted_among_others() {
        assert_eq!(queue(&[MAIL, LAST]).chunks(), 0);
        assert_eq!(queue(&[MAIL, Expected::Chunk, LAST, Expected::Chunk]).chunks(), 2);
    }

    /// The window (RFC 2920 section 3.1) counts commands and their octets, and opens
    /// with each answer.
    #[test]
    fn the_window_has_two_sides() {
        let limits =
            |pipelined_commands, pipelined_octets| Limits { pipelined_commands, pipelined_octets, ..Limits::default() };
        let mut queue = queue(&[MAIL, LAST]);
        for (commands, octets, room) in [(3, 7, true), (2, 7, false), (3, 6, false), (2, 6, false)] {
            assert_eq!(queue.has_room(&limits(commands, octets)), room, "{commands} commands, {octets} octets");
        }
        queue.answer(3);
        assert!(queue.has_room(&limits(2, 4)) && !queue.has_room(&limits(2, 3)) && !queue.has_room(&limits(1, 4)));
        queue.clear();
        assert!(queue.is_empty() && queue.has_room(&limits(1, 1)));
    }

    #[test]
    fn the_room_for_many_is_given_back() {
        let mut queue = queue(&[LAST; 1000]);
        while queue.answer(u64::MAX).is_some() {}
        queue.shrink();
        let room = queue.due.capacity();
        assert!((KEPT..100).contains(&room), "room for {room}");
    }

    #[test]
    fn a_report_names_the_phase_of_what_was_due() {
        let recipient = Expected::Recipient(RecipientId(0), Next::Rcpt);
        for (expected, phase) in [
            (Expected::Greeting, Phase::Greeting),
            (Expected::Reply(Verb::Trace), Phase::Lhlo),
            (Expected::Reply(Verb::StartTls), Phase::StartTls),
            (Expected::Reply(Verb::Auth), Phase::Auth),
            (Expected::Reply(Verb::Rset), Phase::Mail),
            (recipient, Phase::Rcpt),
            (Expected::Reply(Verb::Data), Phase::Data),
            (Expected::Chunk, Phase::Body),
            (LAST, Phase::Final),
            (Expected::Reply(Verb::Quit), Phase::Quit),
        ] {
            assert_eq!(expected.phase(), phase, "{expected:?}");
        }
    }
}
