//! One look at a part of a message: where the next dot begins a line, what must
//! not be in it, how many lines, whether it is ASCII.
//!
//! Nearly all mail is good and most is ASCII. So whole blocks are asked first
//! whether there is anything at all to be found, in plain arithmetic that a
//! compiler makes vectors of; only a block that says yes is looked at closely.

use memchr::memmem::Finder;

use super::ContentProblem;

/// Octets in a block, and in the smaller ones that are tried on what is left. The
/// CRs of a good block are counted in an octet: there is one in two at most.
const BLOCK: usize = 496;
const SMALL_BLOCK: usize = 64;
/// Octets that are taken side by side.
const LANES: usize = 16;

/// Looks at one part after the other.
#[derive(Debug, Clone)]
pub(super) struct Looker {
    /// Finds a dot at the start of a line.
    dots: Finder<'static>,
    /// Whether the last look ended soon. Dots and faults come in flocks: where
    /// the next is near, blocks are of no use.
    is_wary: bool,
}

/// What a look at some octets has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Look {
    /// How many octets are good, from the front on.
    pub(super) good: usize,
    /// What is behind them, if not all are.
    pub(super) stop: Option<Stop>,
    /// How many lines end in the good ones.
    pub(super) lines: u64,
    /// Whether there is an octet above 127 in the good ones.
    pub(super) eight_bit: bool,
}

/// Why a look goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// A dot behind CRLF.
    Dot,
    /// A NUL, CR without LF, LF without CR.
    Fault(ContentProblem),
}

/// The front of `octets`, of a size that stays in the nearest cache, no CRLF cut
/// in two.
pub(super) fn stretch(octets: &[u8]) -> &[u8] {
    // Two more than blocks, for the octets behind the last.
    match octets.split_at_checked(32 * BLOCK + 2) {
        Some(([front @ .., b'\r'], [b'\n', ..])) => front,
        Some((front, _)) => front,
        None => octets,
    }
}

/// Whether no octet is above 127: what the standard library tells, in larger
/// steps.
pub(super) fn is_ascii(octets: &[u8]) -> bool {
    let (blocks, rest) = octets.as_chunks::<1024>();
    blocks.iter().all(|block| block.iter().fold(0, |all, octet| all | octet).is_ascii()) && rest.is_ascii()
}

impl Looker {
    pub(super) fn new() -> Self {
        Self { dots: Finder::new(b"\r\n."), is_wary: false }
    }

    /// Looks up to the first dot behind CRLF, or the first fault. No CRLF may be
    /// cut in two at either end of `octets`.
    pub(super) fn look(&mut self, octets: &[u8]) -> Look {
        let mut look = Look::default();
        if self.is_wary {
            look.closely(octets, BLOCK);
        }
        look.blocks::<BLOCK>(octets);
        look.blocks::<SMALL_BLOCK>(octets);
        look.closely(octets, usize::MAX);
        self.is_wary = look.stop.is_some() && look.good < BLOCK;
        look
    }

    /// Looks for dots alone: nothing is a fault, and no lines are counted.
    pub(super) fn dots(&self, octets: &[u8]) -> Look {
        match self.dots.find(octets) {
            Some(line_end) => Look { good: line_end.saturating_add(2), stop: Some(Stop::Dot), ..Look::default() },
            None => Look { good: octets.len(), ..Look::default() },
        }
    }
}

impl Look {
    /// Goes on in blocks, up to the first that holds something.
    fn blocks<const N: usize>(&mut self, octets: &[u8]) {
        let from = |place: usize| octets.get(self.good.saturating_add(place)..).unwrap_or_default().as_chunks::<N>().0;
        // An octet is judged beside the one before it: the very first has none.
        if self.stop.is_some() || (self.good == 0 && octets.first() == Some(&b'\n')) {
            return;
        }
        for ((block, next), second) in from(0).iter().zip(from(1)).zip(from(2)) {
            let signs = Signs::of(block, next, second);
            if signs.stop {
                return;
            }
            self.good = self.good.saturating_add(N);
            self.lines = self.lines.saturating_add(signs.lines);
            self.eight_bit |= signs.eight_bit;
        }
    }

    /// Goes on from one CR, LF or NUL to the next, for so many octets or a few more.
    fn closely(&mut self, octets: &[u8], most: usize) {
        if self.stop.is_some() {
            return;
        }
        let from = self.good;
        let end = from.saturating_add(most).min(octets.len());
        // A block may have ended between a CR and its LF.
        if from > 0 && octets.get(from) == Some(&b'\n') {
            self.good = from.saturating_add(1);
        }
        while self.stop.is_none() && self.good < end {
            let rest = octets.get(self.good..).unwrap_or_default();
            let found = memchr::memchr3(b'\r', b'\n', 0, rest).unwrap_or(rest.len());
            self.good = self.good.saturating_add(found);
            self.stop = match rest.get(found..).unwrap_or_default() {
                [b'\r', b'\n', behind @ ..] => {
                    self.good = self.good.saturating_add(2);
                    self.lines = self.lines.saturating_add(1);
                    behind.starts_with(b".").then_some(Stop::Dot)
                }
                [b'\r', ..] => Some(Stop::Fault(ContentProblem::BareCr)),
                [b'\n', ..] => Some(Stop::Fault(ContentProblem::BareLf)),
                [_, ..] => Some(Stop::Fault(ContentProblem::Nul)),
                [] => None,
            };
        }
        self.eight_bit |= !is_ascii(octets.get(from..self.good).unwrap_or_default());
    }
}

/// What is to be found in a block, without where.
struct Signs {
    /// Whether there is a fault, or a CRLF before a dot.
    stop: bool,
    eight_bit: bool,
    /// How many CR. Without a fault there are as many lines.
    lines: u64,
}

impl Signs {
    /// Beside each octet of the block stand the `next` one and the `second` next.
    fn of<const N: usize>(block: &[u8; N], next: &[u8; N], second: &[u8; N]) -> Self {
        let (mut stop, mut least, mut all, mut returns) = ([0; LANES], [u8::MAX; LANES], [0; LANES], [0_u8; LANES]);
        let octets = block.as_chunks::<LANES>().0.iter().zip(next.as_chunks::<LANES>().0);
        for ((block, next), second) in octets.zip(second.as_chunks::<LANES>().0) {
            let octets = block.iter().zip(next).zip(second);
            let lanes = stop.iter_mut().zip(&mut least).zip(&mut all).zip(&mut returns);
            for (((octet, next), second), (((stop, least), all), returns)) in octets.zip(lanes) {
                let (is_cr, is_lf, is_dot) = (mask(*octet == b'\r'), mask(*next == b'\n'), mask(*second == b'.'));
                // CR if and only if LF is next, and then no dot.
                *stop |= (is_cr ^ is_lf) | (is_lf & is_dot);
                *least = (*least).min(*octet);
                *all |= octet;
                *returns = returns.wrapping_sub(is_cr);
            }
        }
        for (stop, least) in stop.iter_mut().zip(least) {
            *stop |= mask(least == 0);
        }
        Self {
            stop: stop != [0; LANES],
            eight_bit: all.iter().fold(0, |all, octet| all | octet) > 127,
            lines: u64::from(returns.iter().fold(0, |sum: u8, returns| sum.wrapping_add(*returns))),
        }
    }
}

/// All bits or none: what a comparison of vectors gives.
fn mask(is: bool) -> u8 {
    if is { u8::MAX } else { 0 }
}
