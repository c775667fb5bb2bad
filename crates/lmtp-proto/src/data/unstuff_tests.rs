//! Unstuffing against its definition.

use alloc::vec::Vec;

use bytes::{Buf, Bytes, BytesMut};
use proptest::prelude::*;

use super::look::STRETCH;
use super::*;
use crate::SendQueue;

/// What was given out, what was told, and what was left in the buffer.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    content: Vec<u8>,
    problem: Option<ContentError>,
    is_over: bool,
    left: Vec<u8>,
    received: u64,
}

fn unstuffed(pieces: &[&[u8]], newlines: BareNewlines) -> Told {
    let (mut unstuffer, mut input, mut content) = (Unstuffer::new(newlines), BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        while let Some(piece) = unstuffer.next(&mut input) {
            match piece {
                Piece::Content(octets) => {
                    assert!(!octets.is_empty() && !unstuffer.is_over());
                    content.extend_from_slice(&octets);
                }
                Piece::End => assert!(unstuffer.is_over()),
            }
        }
        assert!(unstuffer.is_over() || input.len() <= 2, "keeps {input:?}");
    }
    Told {
        content,
        problem: unstuffer.problem(),
        is_over: unstuffer.is_over(),
        left: input.to_vec(),
        received: unstuffer.received(),
    }
}

/// The definition: the end is the first dot alone between line ends, the start
/// being one; a dot behind a line end goes; then what is bare is dealt with.
/// `None` when there is no end.
fn by_definition(wire: &[u8], newlines: BareNewlines) -> Option<(Vec<u8>, Option<ContentProblem>, usize)> {
    let padded = [b"\r\n", wire].concat();
    let end = padded.windows(5).position(|octets| octets == b"\r\n.\r\n")?;
    let mut content: Vec<(u8, bool)> = Vec::new(); // with whether it is part of CRLF
    for (place, &octet) in padded.iter().enumerate().take(end + 2).skip(2) {
        let in_crlf = padded[place..].starts_with(b"\r\n") || padded[..=place].ends_with(b"\r\n");
        if !(octet == b'.' && padded[..place].ends_with(b"\r\n")) {
            content.push((octet, in_crlf));
        }
    }
    let mut out = Vec::new();
    for (octet, in_crlf) in content {
        let problem = match octet {
            b'\r' if !in_crlf => Some(ContentProblem::BareCr),
            b'\n' if !in_crlf => Some(ContentProblem::BareLf),
            0 => Some(ContentProblem::Nul),
            _ => None,
        };
        match (newlines, problem) {
            (BareNewlines::Keep, _) | (_, None) => out.push(octet),
            (BareNewlines::Convert, Some(ContentProblem::BareCr | ContentProblem::BareLf)) => out.extend(b"\r\n"),
            (_, Some(problem)) => return Some((out, Some(problem), end + 3)),
        }
    }
    Some((out, None, end + 3))
}

fn octets(length: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => Just(b"\r\n".to_vec()), 2 => Just(b"\r\n.".to_vec()), 1 => Just(b".\r\n".to_vec()), 1 => Just(b"\r".to_vec()),
        1 => Just(b"\n".to_vec()), 3 => Just(b".".to_vec()), 3 => Just(b"a".to_vec()), 1 => any::<u8>().prop_map(|octet| [octet].to_vec()),
    ];
    prop::collection::vec(piece, length).prop_map(|pieces| pieces.concat())
}

fn newlines() -> impl Strategy<Value = BareNewlines> {
    prop_oneof![Just(BareNewlines::Reject), Just(BareNewlines::Convert), Just(BareNewlines::Keep)]
}

proptest! {
    #[test]
    fn unstuffing_equals_its_definition_under_every_cut(wire in octets(0..40), newlines in newlines()) {
        let whole = unstuffed(&[&wire], newlines);
        if let Some((content, problem, end)) = by_definition(&wire, newlines) {
            prop_assert!(whole.is_over);
            prop_assert_eq!(&whole.content, &content);
            prop_assert_eq!(whole.problem.map(|error| error.problem), problem);
            prop_assert_eq!(&whole.left, &wire[end..]);
            if problem.is_none() {
                prop_assert_eq!(whole.received, content.len() as u64);
            }
        } else {
            prop_assert!(!whole.is_over);
        }
        for cut in 0..=wire.len() {
            let (left, right) = wire.split_at(cut);
            prop_assert_eq!(&unstuffed(&[left, right], newlines), &whole, "cut at {}", cut);
        }
        let octets: Vec<&[u8]> = wire.chunks(1).collect();
        prop_assert_eq!(&unstuffed(&octets, newlines), &whole);
    }

    /// A problem tells the place in the content, which is all that was given out.
    #[test]
    fn problems_name_the_place(wire in octets(0..40)) {
        let told = unstuffed(&[&wire], BareNewlines::Reject);
        if let Some(problem) = told.problem {
            prop_assert_eq!(problem.offset, told.content.len() as u64);
            let lines = told.content.windows(2).filter(|pair| pair == b"\r\n").count() as u64;
            prop_assert_eq!(problem.line, lines + 1);
        }
    }

    /// What the stuffer makes of any message is that message again.
    #[test]
    fn stuffing_and_unstuffing_are_inverse(message in octets(0..40), cut in 0_usize..90) {
        let mut queue = SendQueue::new();
        let mut stuffer = Stuffer::new(LineEndings::Convert, ContentClass::EightBitHeader);
        let message: Vec<u8> = message.into_iter().filter(|&octet| octet != 0).collect();
        stuffer.push(&Bytes::from(message.clone()), &mut queue).unwrap();
        stuffer.finish(None, &mut queue).unwrap();
        let wire = queue.copy_to_bytes(queue.remaining());
        let (left, right) = wire.split_at(cut.min(wire.len()));
        let told = unstuffed(&[left, right], BareNewlines::Reject);
        let content = Content::of(&message, LineEndings::Convert).unwrap();
        prop_assert_eq!(Some(told.content.len() as u64), content.size);
        prop_assert_eq!((told.problem, told.is_over, told.left), (None, true, Vec::new()));
        if Content::of(&message, LineEndings::Reject).is_ok() && (message.is_empty() || message.ends_with(b"\r\n")) {
            prop_assert_eq!(told.content, message);
        }
    }
}

#[test]
fn the_end_is_a_dot_between_line_ends() {
    let over = |wire: &str| unstuffed(&[wire.as_bytes()], BareNewlines::Convert).is_over;
    for end in [".\r\n", "a\r\n.\r\n", "\r\n.\r\n", "..\r\n.\r\n", ".\r\r\n.\r\n", "a\n.\r\n\r\n.\r\n"] {
        assert!(over(end), "{end:?}");
    }
    for smuggled in
        ["\n.\n", "\r.\r", "a\n.\r\n", "a\r\n.\n", "a\r.\r\n", "a\r\n.\r", "a\r\n.\r\r\n", "a\r\n..\r\n", "\n\n.\r\n"]
    {
        assert!(!over(smuggled), "{smuggled:?}");
    }
}

#[test]
fn what_was_read_is_not_copied() {
    let mut input = BytesMut::from(("x".repeat(40_000) + "\r\n..y\r\n..z" + &"z".repeat(300) + "\r\n.\r\n").as_bytes());
    let start = input.as_ptr();
    let mut unstuffer = Unstuffer::new(BareNewlines::Reject);
    let mut next = || match unstuffer.next(&mut input) {
        Some(Piece::Content(octets)) => octets,
        other => panic!("{other:?} instead of content"),
    };
    let first = next();
    assert_eq!((first.as_ptr(), first.len()), (start, 40_002));
    assert_eq!(next(), &b".y\r\n"[..]); // too short for a piece of its own
    let third = next();
    assert_eq!((third.as_ptr(), third.len()), (start.wrapping_add(40_002 + 6), 304));
    assert_eq!(unstuffer.next(&mut input), Some(Piece::End));
    assert_eq!(unstuffer.next(&mut input), None);
}

/// Dots that stand near the border between two stretches are dots.
#[test]
fn a_dot_is_seen_wherever_a_stretch_ends() {
    for before in STRETCH - 8..STRETCH + 3 {
        for middle in ["\r\n..b", ".", "\r\n"] {
            let wire = ["a".repeat(before), middle.into(), "c".repeat(300), "\r\n.\r\n".into()].concat();
            let (content, _, _) = by_definition(wire.as_bytes(), BareNewlines::Reject).unwrap();
            for newlines in [BareNewlines::Reject, BareNewlines::Keep] {
                let (mut unstuffer, mut input) = (Unstuffer::new(newlines), BytesMut::from(wire.as_bytes()));
                let mut pieces = Vec::new();
                while let Some(Piece::Content(octets)) = unstuffer.next(&mut input) {
                    pieces.push(octets);
                }
                assert!(unstuffer.is_over() && pieces.concat() == content, "{middle:?} behind {before}");
                // And only they cut what was read.
                assert_eq!(pieces.len(), 1 + usize::from(middle.ends_with('b')), "{middle:?} behind {before}");
            }
        }
    }
}

/// A line of a dot and another octet is content at once: nothing is held back but
/// what may be the end.
#[test]
fn only_what_may_be_the_end_is_held_back() {
    let mut unstuffer = Unstuffer::new(BareNewlines::Reject);
    let mut input = BytesMut::from(".");
    assert_eq!(unstuffer.next(&mut input), None);
    input.extend_from_slice(b"a");
    assert_eq!(unstuffer.next(&mut input), Some(Piece::Content("a".into())));
}

#[test]
fn short_runs_are_given_out_together_until_they_are_enough() {
    let line = [b"..", &[b'a'; 61][..], b"\r\n"].concat();
    let mut input = BytesMut::from(&[&line.repeat(65)[..], b".\r\n"].concat()[..]);
    let mut unstuffer = Unstuffer::new(BareNewlines::Reject);
    let mut pieces = Vec::new();
    while let Some(Piece::Content(octets)) = unstuffer.next(&mut input) {
        pieces.push(octets.len());
    }
    assert_eq!(pieces, [4096, 64]);
}

/// It may be somebody's letter.
#[test]
fn a_piece_shows_its_size_alone() {
    assert_eq!(alloc::format!("{:?}", Piece::Content("Dear".into())), "Content(4 octets)");
    assert_eq!(alloc::format!("{:?}", Piece::End), "End");
}

#[test]
fn what_is_discarded_still_ends() {
    let mut unstuffer = Unstuffer::new(BareNewlines::Reject);
    let mut input = BytesMut::from("too\r\n");
    assert_eq!(unstuffer.next(&mut input), Some(Piece::Content("too\r\n".into())));
    unstuffer.discard();
    input.extend_from_slice(b"long\n.\n\0\r\n..\r\n.\r\nNOOP\r\n");
    assert_eq!(unstuffer.next(&mut input), Some(Piece::End));
    assert_eq!((unstuffer.problem(), unstuffer.received()), (None, 5 + 13));
    assert_eq!(input, "NOOP\r\n");
}

/// What is worst to look at: nothing but what stops a look, or never does.
fn floods() -> Vec<Vec<u8>> {
    let of = |octets: &[u8]| octets.repeat(20_000 / octets.len());
    [
        &b"a"[..],
        b".",
        b"\r",
        b"\n",
        b"\0",
        b"\r\n",
        b"\r\n..",
        b"..\r\n",
        b".\r\r\n",
        b".\n",
        b"a\r",
        b"a long line\r\n",
    ]
    .map(of)
    .to_vec()
}

/// No octet is looked at over and over, however few come at a time: one that is
/// held back is looked at once more when it is let go.
#[test]
fn work_grows_with_the_content_and_no_faster() {
    for flood in floods() {
        for size in [1, 2, 100, 20_000] {
            let looks = 2 * (flood.len() / size + flood.iter().filter(|octet| b"\r\n.\0".contains(octet)).count()) + 8;
            for newlines in [BareNewlines::Reject, BareNewlines::Convert, BareNewlines::Keep] {
                let (mut unstuffer, mut input) = (Unstuffer::new(newlines), BytesMut::new());
                for piece in flood.chunks(size) {
                    input.extend_from_slice(piece);
                    while unstuffer.next(&mut input).is_some() {}
                }
                let work = unstuffer.work();
                assert!(work.looks <= looks, "{work:?} at {:?} in pieces of {size}", flood[..4].escape_ascii());
                assert!(size > 2 || work.octets <= 3 * flood.len(), "{work:?} at {:?}", flood[..4].escape_ascii());
            }
            for endings in [LineEndings::Reject, LineEndings::Convert] {
                let (mut stuffer, mut queue) = (Stuffer::new(endings, ContentClass::SevenBit), SendQueue::new());
                let all =
                    flood.chunks(size).try_for_each(|piece| stuffer.push(&Bytes::copy_from_slice(piece), &mut queue));
                assert!(all.is_ok() || flood.iter().any(|octet| b"\r\n\0".contains(octet)));
                let work = stuffer.work();
                assert!(work.looks <= looks, "{work:?} at {:?} in pieces of {size}", flood[..4].escape_ascii());
                assert!(size > 2 || work.octets <= 3 * flood.len(), "{work:?} at {:?}", flood[..4].escape_ascii());
            }
        }
    }
}
