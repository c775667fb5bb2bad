//! What comes in chunks, held to the same rules as what comes behind DATA.

use bytes::{Buf, Bytes};

use super::BareNewlines;

/// Looks through a message in chunks for what it must not hold, piece by piece.
#[derive(Debug, Clone)]
pub(super) struct ChunkText {
    newlines: BareNewlines,
    /// The last octet was a CR. It has not been given out.
    after_cr: bool,
}

impl ChunkText {
    pub(super) fn new(newlines: BareNewlines) -> Self {
        Self { newlines, after_cr: false }
    }

    /// Gives out what is good of the next octets; `false` at the first that must
    /// not be, and nothing good can come after.
    pub(super) fn push(&mut self, mut octets: Bytes, mut out: impl FnMut(Bytes)) -> bool {
        if octets.is_empty() || self.newlines == BareNewlines::Keep {
            give(octets, &mut out);
            return true;
        }
        if self.after_cr {
            match octets.first() {
                Some(b'\n') => octets.advance(1),
                _ if self.newlines == BareNewlines::Reject => return false,
                _ => {}
            }
            self.after_cr = false;
            out(CRLF);
        }
        let mut seen = 0;
        while let Some(found) = memchr::memchr3(b'\r', b'\n', 0, octets.get(seen..).unwrap_or_default()) {
            let place = seen.saturating_add(found);
            match (octets.get(place), octets.get(place.saturating_add(1))) {
                (Some(b'\r'), Some(b'\n')) => seen = place.saturating_add(2),
                (Some(b'\r'), None) => {
                    self.after_cr = true;
                    octets.truncate(place);
                    break;
                }
                (Some(0), _) => return false,
                _ if self.newlines == BareNewlines::Reject => return false,
                _ => {
                    give(octets.split_to(place), &mut out);
                    octets.advance(1);
                    out(CRLF);
                    seen = 0;
                }
            }
        }
        give(octets, &mut out);
        true
    }

    /// The message is over: a CR at its end is alone.
    pub(super) fn finish(&mut self, mut out: impl FnMut(Bytes)) -> bool {
        let alone = core::mem::take(&mut self.after_cr);
        if alone && self.newlines == BareNewlines::Convert {
            out(CRLF);
        }
        !alone || self.newlines != BareNewlines::Reject
    }
}

const CRLF: Bytes = Bytes::from_static(b"\r\n");

fn give(octets: Bytes, out: &mut impl FnMut(Bytes)) {
    if !octets.is_empty() {
        out(octets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn taken(newlines: BareNewlines, pieces: &[&[u8]]) -> Option<Vec<u8>> {
        let (mut text, mut all) = (ChunkText::new(newlines), Vec::new());
        for piece in pieces {
            if !text.push(Bytes::copy_from_slice(piece), |octets| all.extend_from_slice(&octets)) {
                return None;
            }
        }
        text.finish(|octets| all.extend_from_slice(&octets)).then_some(all)
    }

    /// Octet by octet, slow and obvious.
    fn expected(newlines: BareNewlines, octets: &[u8]) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        let mut rest = octets;
        while let Some((&first, behind)) = rest.split_first() {
            rest = behind;
            match (newlines, first, rest.first()) {
                (BareNewlines::Keep, ..) => all.push(first),
                (_, b'\r', Some(b'\n')) => {
                    all.extend_from_slice(b"\r\n");
                    rest = &rest[1..];
                }
                (_, 0, _) | (BareNewlines::Reject, b'\r' | b'\n', _) => return None,
                (_, b'\r' | b'\n', _) => all.extend_from_slice(b"\r\n"),
                _ => all.push(first),
            }
        }
        Some(all)
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference(octets in "[ab\r\n]{0,20}\0{0,1}[a\r\n]{0,4}", cut in 0_usize..26) {
            let octets = octets.as_bytes();
            let (left, right) = octets.split_at(cut.min(octets.len()));
            for newlines in [BareNewlines::Reject, BareNewlines::Convert, BareNewlines::Keep] {
                let single: Vec<&[u8]> = octets.chunks(1).collect();
                let expected = expected(newlines, octets);
                prop_assert_eq!(&taken(newlines, &[octets]), &expected);
                prop_assert_eq!(&taken(newlines, &[left, right]), &expected);
                prop_assert_eq!(&taken(newlines, &single), &expected);
            }
        }
    }
}
