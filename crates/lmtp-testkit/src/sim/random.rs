//! Where a session's choices come from: a seed, or the octets of a fuzzer.

use std::ops::RangeInclusive;

/// A source of choices: the same one gives the same choices for ever.
#[derive(Debug, Clone)]
pub struct Random<'a> {
    /// Octets that decide before the state does.
    octets: &'a [u8],
    state: u64,
}

impl Random<'static> {
    /// Choices from a seed.
    pub fn from_seed(seed: u64) -> Self {
        Self { octets: &[], state: seed }
    }
}

impl<'a> Random<'a> {
    /// Choices from octets; once they are used up, always the same.
    pub fn from_octets(octets: &'a [u8]) -> Self {
        Self { octets, state: 0 }
    }

    /// The next number: SplitMix64 (Steele, Lea and Flood 2014), or octets while
    /// there are some.
    fn next(&mut self, most: u64) -> u64 {
        if let Some((&first, rest)) = self.octets.split_first() {
            self.octets = rest;
            return match (most, rest.split_first()) {
                (256.., Some((&second, rest))) => {
                    self.octets = rest;
                    u64::from(first) << 8 | u64::from(second)
                }
                _ => u64::from(first),
            };
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next(bound) % bound.max(1)
    }

    /// A number in a range.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// A count from one to `most`, of whatever lies in memory.
    pub fn up_to(&mut self, most: usize) -> usize {
        1 + usize::try_from(self.below(most as u64)).expect("it is below a usize")
    }

    /// Whether something happens that happens so many times in a hundred.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.up_to(from.len()) - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_source_gives_the_same_choices() {
        let draw = |mut random: Random<'_>| (0..100).map(|_| random.below(1000)).collect::<Vec<_>>();
        assert_eq!(draw(Random::from_seed(7)), draw(Random::from_seed(7)));
        assert_ne!(draw(Random::from_seed(7)), draw(Random::from_seed(8)));
        assert_eq!(draw(Random::from_octets(b"abc")), draw(Random::from_octets(b"abc")));
        assert!(draw(Random::from_octets(b"abc")).iter().any(|&number| number > 255), "it goes on without octets");
    }
}
