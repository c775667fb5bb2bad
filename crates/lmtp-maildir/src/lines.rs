//! Line ends, from the wire to the disk.

use memchr::{memchr, memchr_iter};

/// How lines end on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LineEnds {
    /// LF, as other programs leave them in Maildirs: each CRLF becomes LF, and
    /// nothing else is changed. Whoever takes messages with a lone CR or LF in them
    /// cannot tell these from line ends afterwards.
    #[default]
    Lf,
    /// CRLF: the octets on disk are those of the wire, whatever they are.
    Crlf,
}

/// Octets of one message on their way, cut anywhere.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    ends: LineEnds,
    /// A CR is held back: its LF may follow.
    held: bool,
    /// The last octet that was given out.
    last: u8,
    disk: u64,
    /// Line ends of one octet.
    short: u64,
}

impl Lines {
    pub(crate) fn new(ends: LineEnds) -> Self {
        Self { ends, held: false, last: 0, disk: 0, short: 0 }
    }

    /// Appends to `out` what `octets` are on disk.
    pub(crate) fn push(&mut self, mut octets: &[u8], out: &mut Vec<u8>) {
        if self.ends == LineEnds::Crlf {
            return self.give(octets, out);
        }
        if octets.is_empty() {
            return;
        }
        if std::mem::take(&mut self.held) && octets.first() != Some(&b'\n') {
            self.give(b"\r", out);
        }
        while let Some(at) = memchr(b'\r', octets) {
            let (before, rest) = octets.split_at(at);
            self.give(before, out);
            match rest.get(1) {
                None => {
                    self.held = true;
                    return;
                }
                Some(b'\n') => {}
                Some(_) => self.give(b"\r", out),
            }
            octets = rest.get(1..).unwrap_or_default();
        }
        self.give(octets, out);
    }

    /// Appends what was held back.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.held) {
            self.give(b"\r", out);
        }
    }

    fn give(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let before = |at: usize| at.checked_sub(1).and_then(|at| octets.get(at)).unwrap_or(&self.last);
        self.short += memchr_iter(b'\n', octets).filter(|&at| *before(at) != b'\r').count() as u64;
        self.disk += octets.len() as u64;
        self.last = octets.last().copied().unwrap_or(self.last);
        out.extend_from_slice(octets);
    }

    /// Octets on disk so far: `S=`.
    pub(crate) fn disk(&self) -> u64 {
        self.disk
    }

    /// What they would be if all lines ended in CRLF: `W=`.
    pub(crate) fn wire(&self) -> u64 {
        self.disk + self.short
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn on_disk(ends: LineEnds, pieces: &[&[u8]]) -> (Vec<u8>, u64, u64) {
        let (mut lines, mut out) = (Lines::new(ends), Vec::new());
        for piece in pieces {
            lines.push(piece, &mut out);
        }
        lines.finish(&mut out);
        (out, lines.disk(), lines.wire())
    }

    /// One octet after the other: slow and obvious.
    fn expected(octets: &[u8]) -> Vec<u8> {
        let skip = |at: usize| octets[at] == b'\r' && octets.get(at + 1) == Some(&b'\n');
        (0..octets.len()).filter(|&at| !skip(at)).map(|at| octets[at]).collect()
    }

    proptest! {
        #![proptest_config(lmtp_testkit::effort::cases(2000))]

        /// Wherever the octets are cut.
        #[test]
        fn each_crlf_becomes_lf_and_nothing_else_changes(
            octets in "(\r\n|\r|\n|a){0,12}".prop_map(String::into_bytes), cuts: [prop::sample::Index; 3],
        ) {
            let mut cuts = cuts.map(|cut| cut.index(octets.len() + 1));
            cuts.sort_unstable();
            let pieces = [&octets[..cuts[0]], &octets[cuts[0]..cuts[1]], &octets[cuts[1]..cuts[2]], &octets[cuts[2]..]];
            let (disk, size, wire) = on_disk(LineEnds::Lf, &pieces);
            prop_assert_eq!(&disk, &expected(&octets));
            prop_assert_eq!(size, disk.len() as u64);
            let text = String::from_utf8(disk).unwrap();
            prop_assert_eq!(wire, text.replace("\r\n", "\n").replace('\n', "\r\n").len() as u64);

            let (disk, size, _) = on_disk(LineEnds::Crlf, &pieces);
            prop_assert_eq!(&disk, &octets);
            prop_assert_eq!(size, octets.len() as u64);
        }

        /// Invariant 28: where lines end in CRLF and nowhere else, nothing is lost.
        #[test]
        fn what_is_on_disk_tells_the_wire(lines in prop::collection::vec("[a.\0é]{0,5}", 0..5)) {
            let octets = lines.iter().flat_map(|line| [line, "\r\n"]).collect::<String>();
            let (disk, _, wire) = on_disk(LineEnds::Lf, &[octets.as_bytes()]);
            prop_assert_eq!(String::from_utf8(disk).unwrap().replace('\n', "\r\n"), &octets[..]);
            prop_assert_eq!(wire, octets.len() as u64);
        }
    }
}
