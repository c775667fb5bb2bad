//! How much a check delivers where the server does as it should.

use crate::check::Check;
use crate::run::{Addresses, octets};
use crate::script::Step;

impl Check {
    /// How many messages it delivers at most, one for each recipient.
    pub fn messages(&self) -> usize {
        self.steps.iter().filter(|step| is_final(step)).count()
    }

    /// How many octets its largest message has at most.
    pub fn largest_message(&self, addresses: &Addresses) -> usize {
        let (mut largest, mut so_far) = (0, 0);
        for step in &self.steps {
            match step {
                // Commands among it: one that is too large is no harm.
                Step::Send(text) => so_far += octets(text, addresses).len(),
                step if is_final(step) => largest = largest.max(std::mem::take(&mut so_far)),
                _ => {}
            }
        }
        largest
    }
}

/// Whether a reply may say that a message was delivered: such are written `2yz` or `yyy`, and no others are.
fn is_final(step: &Step) -> bool {
    let (Step::Expect(pattern) | Step::ExpectOrEnd(pattern)) = step else { return false };
    pattern.trim_end_matches('+').split('|').any(|one| matches!(one, "2yz" | "yyy"))
}
