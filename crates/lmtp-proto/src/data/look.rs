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
/// Octets in a stretch: it stays in the nearest cache. There are two more than
/// blocks hold, for the octets behind the last.
pub(super) const STRETCH: usize = 32 * BLOCK + 2;
/// Octets that are taken side by side.
const LANES: usize = 16;

/// Looks at one part after the other.
#[derive(Debug, Clone)]
pub(super) struct Looker {
    /// Finds a dot at the start of a line. Made when it is first needed, for that
    /// takes as long as a look at a short message.
    dots: Option<Finder<'static>>,
    /// Whether the last look ended soon. Dots and faults come in flocks: where
    /// the next is near, blocks are of no use.
    is_wary: bool,
    #[cfg(test)]
    work: Work,
}

/// How often there was a look, and at how many octets.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Work {
    pub(super) looks: usize,
    pub(super) octets: usize,
}

#[cfg(test)]
impl Work {
    fn count(&mut self, octets: &[u8]) {
        self.looks += 1;
        self.octets += octets.len();
    }
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

/// The front of `octets`, of a handy size, no CRLF cut in two.
pub(super) fn stretch(octets: &[u8]) -> &[u8] {
    match octets.split_at_checked(STRETCH) {
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
        Self {
            dots: None,
            is_wary: false,
            #[cfg(test)]
            work: Work::default(),
        }
    }

    /// Looks up to the first dot behind CRLF, or the first fault. No CRLF may be
    /// cut in two at either end of `octets`.
    pub(super) fn look(&mut self, octets: &[u8]) -> Look {
        #[cfg(test)]
        self.work.count(octets);
        let mut look = Look::default();
        if self.is_wary {
            look.closely(octets, BLOCK);
        }
        if look.stop.is_none() {
            look.blocks::<BLOCK>(octets);
            look.blocks::<SMALL_BLOCK>(octets);
            look.closely(octets, usize::MAX);
        }
        self.is_wary = look.stop.is_some() && look.good < BLOCK;
        look
    }

    #[cfg(test)]
    pub(super) fn state(&self) -> bool {
        self.is_wary
    }

    #[cfg(test)]
    pub(super) fn work(&self) -> Work {
        self.work
    }

    /// Looks for dots alone: nothing is a fault, and no lines are counted.
    pub(super) fn dots(&mut self, octets: &[u8]) -> Look {
        #[cfg(test)]
        self.work.count(octets);
        match self.dots.get_or_insert_with(|| Finder::new(b"\r\n.")).find(octets) {
            Some(line_end) => Look { good: line_end.saturating_add(2), stop: Some(Stop::Dot), ..Look::default() },
            None => Look { good: octets.len(), ..Look::default() },
        }
    }
}

impl Look {
    /// Goes on in blocks, up to the first that holds something.
    fn blocks<const N: usize>(&mut self, octets: &[u8]) {
        let from = |place: usize| octets.get(self.good.saturating_add(place)..).unwrap_or_default().as_chunks::<N>().0;
        // A block does not tell whether its first octet is an LF, and bare.
        if self.next_is_lf(octets) == Some(Lf::Bare) {
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

    /// Whether the next octet is an LF, and of which kind.
    fn next_is_lf(&self, octets: &[u8]) -> Option<Lf> {
        let (before, rest) = octets.split_at_checked(self.good)?;
        rest.starts_with(b"\n").then(|| if before.ends_with(b"\r") { Lf::BehindCr } else { Lf::Bare })
    }

    /// Goes on from one CR, LF or NUL to the next, for so many octets or a few more.
    fn closely(&mut self, octets: &[u8], most: usize) {
        let from = self.good;
        let end = from.saturating_add(most).min(octets.len());
        if self.next_is_lf(octets) == Some(Lf::BehindCr) {
            self.good = self.good.saturating_add(1);
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

/// An LF at the border between two blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lf {
    /// Its line has been counted with the CR.
    BehindCr,
    Bare,
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use lmtp_testkit::model;

    /// What a look must tell, by definition.
    fn by_definition(octets: &[u8]) -> Look {
        let fault = model::first_fault(octets);
        let dot = octets.windows(3).position(|three| three == b"\r\n.").map(|line_end| line_end + 2);
        let good = fault.into_iter().chain(dot).min().unwrap_or(octets.len());
        let stop = octets.get(good).map(|octet| match octet {
            b'.' => Stop::Dot,
            b'\r' => Stop::Fault(ContentProblem::BareCr),
            b'\n' => Stop::Fault(ContentProblem::BareLf),
            _ => Stop::Fault(ContentProblem::Nul),
        });
        let lines = octets[..good].windows(2).filter(|pair| pair == b"\r\n").count() as u64;
        Look { good, stop, lines, eight_bit: !octets[..good].is_ascii() }
    }

    /// Whatever of three octets stands wherever in some blocks is seen.
    #[test]
    fn a_look_equals_its_definition_at_every_place() {
        const OCTETS: [u8; 6] = [b'\r', b'\n', b'.', 0, 0x80, b'a'];
        let three = (0..216).map(|number| [number / 36, number / 6 % 6, number % 6].map(|place| OCTETS[place]));
        for three in three {
            for line in ["a", "ab\r\n"] {
                let mut octets = line.repeat((2 * BLOCK + 2 * SMALL_BLOCK) / line.len()).into_bytes();
                // All places at the borders, some of those between them.
                for place in (0..octets.len() - 3)
                    .filter(|place| place % BLOCK < 5 || place % 61 < 4 || BLOCK - place % BLOCK < 5)
                {
                    let before: Vec<u8> = octets[place..place + 3].to_vec();
                    octets[place..place + 3].copy_from_slice(&three);
                    // Not what no caller does: cut a CRLF in two.
                    let octets_here = if octets.ends_with(b"\r") { &octets[..octets.len() - 1] } else { &octets[..] };
                    let expected = by_definition(octets_here);
                    for is_wary in [false, true] {
                        let mut looker = Looker { is_wary, ..Looker::new() };
                        assert_eq!(looker.look(octets_here), expected, "{} at {place}", three.escape_ascii());
                    }
                    octets[place..place + 3].copy_from_slice(&before);
                }
            }
        }
    }

    /// As many lines as there can be in a block, and as few other octets.
    #[test]
    fn lines_are_counted_to_the_last() {
        for lines in 0..600 {
            let octets = b"\r\n".repeat(lines);
            assert_eq!(Looker::new().look(&octets), by_definition(&octets));
        }
    }

    /// In a block of nothing but faults none may pass for the other half of a good line end.
    #[test]
    fn a_flood_of_one_kind_is_what_it_is() {
        for flood in [&b"\n"[..], b"\r", b"\0", b"\x7f", b"\x80", b"\r\n", b"\r\n."] {
            for before in ["", "a", "a\r\n"] {
                let octets = [before.as_bytes(), &flood.repeat(2 * BLOCK)].concat();
                assert_eq!(Looker::new().look(&octets), by_definition(&octets), "{}", flood.escape_ascii());
            }
        }
    }

    /// Faults are nothing to this look, and a dot is one only behind CRLF.
    #[test]
    fn a_look_for_dots_finds_the_first_at_the_start_of_a_line() {
        let dots = |octets: &[u8]| Looker::new().dots(octets);
        assert_eq!(dots(b".\n.\0\r\n.\r\n."), Look { good: 6, stop: Some(Stop::Dot), ..Look::default() });
        assert_eq!(dots(b".\n.\0\r\n"), Look { good: 6, ..Look::default() });
    }

    /// One octet above 127, or two that could hide each other, wherever they stand.
    #[test]
    fn ascii_is_what_the_standard_library_tells() {
        let mut octets = [b'a'; 2 * 1024 + 10];
        assert!(is_ascii(&octets));
        for place in 0..octets.len() - 1 {
            octets[place..place + 2].fill(0x80);
            assert!(!is_ascii(&octets), "two at {place}");
            octets[place] = b'a';
            assert!(!is_ascii(&octets), "one behind {place}");
            octets[place + 1] = b'a';
        }
    }

    #[test]
    fn a_stretch_cuts_no_line_end() {
        let octets = b"\r\n".repeat(STRETCH);
        for start in 0..2 {
            let front = stretch(&octets[start..]);
            assert!(front.len() >= STRETCH - 1 && octets[start + front.len()] == b'\r');
        }
    }
}
