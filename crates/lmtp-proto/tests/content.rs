//! Content both ways: every short one with every cut, and long ones around the
//! borders of the blocks that they are looked at in.

use lmtp_proto::bytes::{Buf, Bytes, BytesMut};
use lmtp_proto::{BareNewlines, Content, ContentClass, LineEndings, Piece, SendQueue, Stuffer, Unstuffer};
use lmtp_testkit::effort::{Effort, cases};
use lmtp_testkit::{fuzz, model};
use proptest::prelude::*;

/// One octet of each kind that the end of the data, line ends and faults know.
const OCTETS: [u8; 5] = *b"\r\n.\0a";

/// The longest string of these that is tried.
const LENGTH: usize = 8;

/// Every string of up to so many octets.
fn every_string(mut tell: impl FnMut(&[u8])) {
    for length in 0..=LENGTH {
        let mut places = vec![0; length];
        loop {
            tell(&places.iter().map(|&place| OCTETS[place]).collect::<Vec<_>>());
            // Counts up, the last place first.
            let Some(place) = places.iter().rposition(|&place| place + 1 < OCTETS.len()) else { break };
            places[place] += 1;
            places[place + 1..].fill(0);
        }
    }
}

/// In which ways to cut a string: bits that are set where one piece ends. All of
/// them when there is time; else at no place, at each one, at all; in a hurry the
/// longest are only taken whole and octet by octet.
fn cuts(length: usize) -> Vec<u32> {
    let places = u32::try_from(length.saturating_sub(1)).unwrap();
    let all = (1 << places) - 1;
    match Effort::current() {
        Effort::Long => (0..=all).collect(),
        Effort::Quick if length >= LENGTH => vec![0, u32::MAX],
        Effort::Quick | Effort::Ci => (0..places).map(|place| 1 << place).chain([0, u32::MAX]).collect(),
    }
}

/// The pieces of `octets`, cut behind each place whose bit is set.
fn pieces(octets: &[u8], cuts: u32) -> impl Iterator<Item = &[u8]> {
    let mut rest = octets;
    let mut place = 0;
    std::iter::from_fn(move || {
        let start = place;
        place += 1;
        while place < octets.len() && cuts >> (place - 1) & 1 == 0 {
            place += 1;
        }
        let (piece, behind) = rest.split_at_checked(place - start)?;
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

#[test]
fn cuts_are_where_they_are_told() {
    let cut = |cuts| pieces(b"abcd", cuts).collect::<Vec<_>>();
    assert_eq!(cut(0), [b"abcd"]);
    assert_eq!(cut(0b010), [b"ab", b"cd"]);
    assert_eq!(cut(0b111), [b"a", b"b", b"c", b"d"]);
    assert_eq!(pieces(b"", 0).count(), 0);
}

/// The content up to its end or the first fault; whether that is met; what is left.
fn unstuffed(wire: &[u8], cuts: u32, newlines: BareNewlines) -> (Vec<u8>, bool, Option<Vec<u8>>) {
    let (mut unstuffer, mut input, mut content) = (Unstuffer::new(newlines), BytesMut::with_capacity(16), Vec::new());
    for piece in pieces(wire, cuts) {
        input.extend_from_slice(piece);
        while let Some(Piece::Content(octets)) = unstuffer.next(&mut input) {
            content.extend_from_slice(&octets);
        }
    }
    (content, unstuffer.problem().is_some(), unstuffer.is_over().then(|| input.to_vec()))
}

/// Each is played with an end behind it, so that all come to one: theirs or this.
#[test]
fn every_short_stream_is_unstuffed_as_defined() {
    let (mut own_end, mut faults) = (0, 0);
    every_string(|octets| {
        let wire = [octets, b"\r\n.\r\n"].concat();
        let (message, left) = model::unstuffed(&wire).unwrap();
        own_end += usize::from(left.len() >= 5);
        for newlines in [BareNewlines::Reject, BareNewlines::Convert, BareNewlines::Keep] {
            let mut message = match newlines {
                BareNewlines::Convert => model::converted(&message),
                BareNewlines::Reject | BareNewlines::Keep => message.clone(),
            };
            let fault = model::first_fault(&message).filter(|_| newlines != BareNewlines::Keep);
            message.truncate(fault.unwrap_or(message.len()));
            faults += usize::from(fault.is_some());
            let expected = (message, fault.is_some(), Some(left.to_vec()));
            for cuts in cuts(octets.len()) {
                assert_eq!(unstuffed(&wire, cuts, newlines), expected, "{} cut {cuts:b}", wire.escape_ascii());
            }
        }
    });
    assert!(own_end > 4_000 && faults > 500_000, "{own_end} end themselves, {faults} have a fault");
}

/// R5321-4.5.2-a, -c, -d.
#[test]
fn every_short_message_is_stuffed_as_defined_and_comes_back() {
    let mut good = 0;
    every_string(|message| {
        for endings in [LineEndings::Reject, LineEndings::Convert] {
            let lines = match endings {
                LineEndings::Convert => model::converted(message),
                LineEndings::Reject => message.to_vec(),
            };
            if model::first_fault(&lines).is_some() {
                assert!(Content::of(message, endings).is_err());
                continue;
            }
            good += 1;
            let expected = [&model::stuffed(&lines)[..], b".\r\n"].concat();
            for cuts in cuts(message.len()) {
                let mut queue = SendQueue::new();
                let mut stuffer = Stuffer::new(endings, ContentClass::SevenBit);
                for piece in pieces(message, cuts) {
                    stuffer.push(&Bytes::copy_from_slice(piece), &mut queue).unwrap();
                }
                stuffer.finish(None, &mut queue).unwrap();
                let wire = queue.copy_to_bytes(queue.remaining());
                assert_eq!(wire, expected, "{} cut {cuts:b}", message.escape_ascii());
            }
            let (mut back, problem, left) = unstuffed(&expected, 0, BareNewlines::Reject);
            assert_eq!((problem, left), (false, Some(Vec::new())));
            if back != lines {
                back.truncate(back.len() - 2); // the line end that the last line lacked
            }
            assert_eq!(back, lines);
        }
    });
    assert!(good > 50_000, "only {good} messages are good");
}

/// Octets as they come in behind DATA, with runs that are longer than a block.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => Just(b"\r\n".to_vec()), 4 => Just(b"\r\n.".to_vec()), 1 => Just(b".\r\n".to_vec()), 1 => Just(b"\r".to_vec()),
        1 => Just(b"\n".to_vec()), 4 => Just(b".".to_vec()), 1 => any::<u8>().prop_map(|octet| vec![octet]),
        6 => (0_usize..90).prop_map(|length| vec![b'a'; length]), 1 => (0_usize..1100).prop_map(|length| b"ab\r\n".repeat(length)),
        1 => (0_usize..3000).prop_map(|length| vec![b'c'; length]), 1 => (0_usize..40_000).prop_map(|length| vec![b'd'; length]),
    ];
    (any::<u8>(), prop::collection::vec(piece, 0..30))
        .prop_map(|(first, pieces)| [vec![first], pieces.concat()].concat())
}

proptest! {
    #![proptest_config(cases(200))]

    /// What the fuzz target does.
    #[test]
    fn streams_of_every_kind(data in octets(), ends in any::<bool>()) {
        fuzz::unstuff(&if ends { [&data[..], b"\r\n.\r\nQUIT\r\n"].concat() } else { data });
    }
}
