//! Proofs for all input: a machine and its definition, side by side, through
//! every state that they can reach together.
//!
//! Both are fed octet by octet, or in pieces of a few. What one remembers of the past is finite once
//! counters are left out, so there are finitely many pairs of states; when each
//! piece has been tried in each pair, every input there is has been tried, cut in
//! every way into such pieces. Octets that neither tells apart have one that
//! stands for them all.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;
use std::vec::Vec;

/// How far a search went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Explored {
    pub(crate) states: usize,
    pub(crate) transitions: usize,
}

/// All strings of these octets, of one octet to so many.
pub(crate) fn pieces(octets: &[u8], length: usize) -> Vec<Vec<u8>> {
    let mut longest = Vec::from([Vec::new()]);
    let mut all = Vec::new();
    for _ in 0..length {
        longest = longest
            .iter()
            .flat_map(|before| octets.iter().map(move |&octet| [before, &[octet][..]].concat()))
            .collect();
        all.extend_from_slice(&longest);
    }
    all
}

/// Takes `step` from `start`, and from all that it leads to, with each of the
/// pieces, until nothing new is reached. States of equal `key` are one.
///
/// A step is told the piece and the whole path to it, that piece last, and
/// compares; it leads nowhere where all is over.
pub(crate) fn explore<S, K: Eq + Hash>(
    start: S,
    pieces: &[Vec<u8>],
    key: impl Fn(&S) -> K,
    mut step: impl FnMut(&S, &[u8], &[u8]) -> Option<S>,
) -> Explored {
    let mut known = HashSet::from([key(&start)]);
    let mut to_try = VecDeque::from([(start, Vec::new())]);
    let mut transitions = 0;
    while let Some((state, path)) = to_try.pop_front() {
        for piece in pieces {
            transitions += 1;
            let path = [&path[..], piece].concat();
            let reached = step(&state, piece, &path);
            if let Some(reached) = reached.filter(|reached| known.insert(key(reached))) {
                assert!(known.len() < 1_000_000, "there is no end to this machine's states");
                to_try.push_back((reached, path));
            }
        }
    }
    Explored { states: known.len(), transitions }
}

/// Two streams of octets that must be one: what one side is ahead of the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Lag {
    /// What the machine has not given out yet.
    pub(crate) owed: Vec<u8>,
    /// What it has given out before the definition could tell.
    pub(crate) early: Vec<u8>,
}

impl Lag {
    /// Each side gives something out.
    pub(crate) fn compare(&mut self, machine: &[u8], definition: &[u8], path: &[u8]) {
        self.early.extend_from_slice(machine);
        self.owed.extend_from_slice(definition);
        let common = self.early.len().min(self.owed.len());
        let (machine, definition) = (self.early.drain(..common), self.owed.drain(..common));
        assert!(machine.eq(definition), "after {}", path.escape_ascii());
    }

    pub(crate) fn is_none(&self) -> bool {
        self.owed.is_empty() && self.early.is_empty()
    }
}
