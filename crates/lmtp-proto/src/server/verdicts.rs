//! The answers that are due after the content: given in any order, released in
//! the order of the recipients.

use alloc::vec::Vec;

use crate::RecipientId;
use crate::value::{Reply, ReplyClass};

/// For so many recipients there is always room.
const KEPT: usize = 16;

/// One place for each accepted recipient of a transaction.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdicts {
    /// What was said of each recipient that has no reply yet on the wire, from
    /// `released` on.
    given: Vec<Option<Reply>>,
    /// How many have been released.
    released: usize,
}

impl Verdicts {
    /// One more recipient was accepted.
    pub(super) fn push(&mut self) {
        self.given.push(None);
    }

    /// How many recipients were accepted.
    pub(super) fn len(&self) -> usize {
        self.given.len()
    }

    /// Takes the verdict on one recipient; `false` if it has one already, or is
    /// none of ours. The first verdict stands.
    pub(super) fn give(&mut self, id: RecipientId, reply: Reply) -> bool {
        match self.given.get_mut(id.index()) {
            Some(place @ None) if id.index() >= self.released => {
                *place = Some(reply);
                true
            }
            _ => false,
        }
    }

    /// The same verdict for everybody who has none.
    pub(super) fn fill(&mut self, reply: &Reply) {
        for place in self.given.iter_mut().skip(self.released).filter(|place| place.is_none()) {
            *place = Some(reply.clone());
        }
    }

    /// The same verdict for everybody, whatever was given before: nothing has
    /// been released.
    pub(super) fn overrule(&mut self, reply: &Reply) {
        for place in self.given.iter_mut().skip(self.released) {
            *place = Some(reply.clone());
        }
    }

    /// The next verdict in the order of the recipients, as soon as it is known.
    pub(super) fn release(&mut self) -> Option<Reply> {
        let reply = self.given.get_mut(self.released)?.take()?;
        self.released = self.released.saturating_add(1);
        Some(reply)
    }

    /// How many have been released.
    pub(super) fn released(&self) -> usize {
        self.released
    }

    /// Whether everybody has been answered.
    pub(super) fn all_released(&self) -> bool {
        self.released >= self.given.len()
    }

    /// Forgets all, for the next transaction; with the room for many.
    pub(super) fn clear(&mut self) {
        self.given.clear();
        self.given.shrink_to(KEPT);
        self.released = 0;
    }
}

/// Whether a reply can stand for a recipient: 2yz, 4yz or 5yz, and not the 421
/// that closes the session, for behind it other recipients would go without.
pub(super) fn is_verdict(reply: &Reply) -> bool {
    reply.code().class() != ReplyClass::PositiveIntermediate && reply.code() != crate::value::ReplyCode::CLOSING
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reply(number: usize) -> Reply {
        Reply::new(250, None, &alloc::format!("{number}")).unwrap()
    }

    proptest! {
        /// Whatever the order in which verdicts are given, they leave in that of
        /// the recipients, each once, and none before all those ahead of it.
        #[test]
        fn any_order_in_one_order_out(count in 0_usize..12, order in prop::collection::vec(0_usize..14, 0..60)) {
            let mut verdicts = Verdicts::default();
            (0..count).for_each(|_| verdicts.push());
            let mut known = alloc::collections::BTreeSet::new();
            let mut out = 0;
            for place in order {
                let taken = verdicts.give(RecipientId(place as u32), reply(place));
                prop_assert_eq!(taken, place < count && known.insert(place));
                while let Some(released) = verdicts.release() {
                    prop_assert_eq!(released, reply(out));
                    out += 1;
                }
                prop_assert_eq!(out, (0..count).take_while(|place| known.contains(place)).count());
                prop_assert_eq!(verdicts.all_released(), known.len() == count);
            }
            verdicts.fill(&reply(99));
            while let Some(released) = verdicts.release() {
                let expected = if known.contains(&out) { reply(out) } else { reply(99) };
                prop_assert_eq!(released, expected);
                out += 1;
            }
            prop_assert_eq!(out, count);
        }
    }

    /// What is on the wire cannot be taken back; all that is not is overruled, and a
    /// new transaction knows of neither.
    #[test]
    fn one_verdict_for_everybody_who_has_no_reply() {
        let mut verdicts = Verdicts::default();
        (0..3).for_each(|_| verdicts.push());
        assert_eq!((verdicts.len(), verdicts.released()), (3, 0));
        assert!(verdicts.give(RecipientId(0), reply(0)) && verdicts.give(RecipientId(1), reply(1)));
        assert_eq!((verdicts.release(), verdicts.released()), (Some(reply(0)), 1));
        verdicts.overrule(&reply(9));
        assert_eq!([(); 3].map(|()| verdicts.release()), [Some(reply(9)), Some(reply(9)), None]);
        assert_eq!((verdicts.len(), verdicts.released()), (3, 3));
        verdicts.clear();
        assert_eq!(verdicts, Verdicts::default());
    }

    #[test]
    fn what_can_stand_for_a_recipient() {
        for (code, can) in [(250, true), (452, true), (550, true), (354, false), (421, false)] {
            assert_eq!(is_verdict(&Reply::new(code, None, "").unwrap()), can, "{code}");
        }
    }
}
