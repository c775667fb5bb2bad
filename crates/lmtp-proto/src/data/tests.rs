//! Stuffing against its definition.

use alloc::vec::Vec;

use bytes::{Buf, Bytes};
use proptest::prelude::*;

use super::*;
use crate::SendQueue;

/// What the definition says, one octet after the other: line ends put right,
/// last line completed, a dot more before each line that begins with one, a dot
/// alone. Without the last step it is the message whose size counts.
fn by_definition(message: &[u8], endings: LineEndings) -> Result<(Vec<u8>, Vec<u8>), ContentProblem> {
    let mut lines = Vec::new();
    let mut octets = message.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        match (octet, endings) {
            (b'\r', _) if octets.peek() == Some(&b'\n') => {
                octets.next();
                lines.extend(b"\r\n");
            }
            (b'\r', LineEndings::Reject) => return Err(ContentProblem::BareCr),
            (b'\n', LineEndings::Reject) => return Err(ContentProblem::BareLf),
            (b'\r' | b'\n', LineEndings::Convert) => lines.extend(b"\r\n"),
            (0, _) => return Err(ContentProblem::Nul),
            (octet, _) => lines.push(octet),
        }
    }
    if !lines.is_empty() && !lines.ends_with(b"\r\n") {
        lines.extend(b"\r\n");
    }
    let mut stuffed = Vec::new();
    for (index, &octet) in lines.iter().enumerate() {
        if octet == b'.' && (index == 0 || lines[..index].ends_with(b"\r\n")) {
            stuffed.push(b'.');
        }
        stuffed.push(octet);
    }
    stuffed.extend(b".\r\n");
    Ok((lines, stuffed))
}

/// What comes of the chunks, and where the message ends in it.
fn stuffed(chunks: &[&[u8]], endings: LineEndings) -> Result<(Vec<u8>, u64), ContentError> {
    let mut queue = SendQueue::new();
    let mut stuffer = Stuffer::new(endings, ContentClass::EightBitHeader);
    for chunk in chunks {
        stuffer.push(&Bytes::copy_from_slice(chunk), &mut queue)?;
    }
    let end = stuffer.finish(None, &mut queue)?;
    Ok((queue.copy_to_bytes(queue.remaining()).to_vec(), end))
}

/// Octets where the interesting ones are common.
fn octets(length: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![
        4 => Just(b'\r'), 5 => Just(b'\n'), 4 => Just(b'.'), 4 => Just(b'a'), 1 => Just(0), 1 => any::<u8>(),
    ];
    let piece = prop_oneof![2 => prop::collection::vec(octet, 1..3), 3 => Just(b"\r\n".to_vec())];
    prop::collection::vec(piece, length).prop_map(|pieces| pieces.concat())
}

fn endings() -> impl Strategy<Value = LineEndings> {
    prop_oneof![Just(LineEndings::Reject), Just(LineEndings::Convert)]
}

proptest! {
    #[test]
    fn stuffing_equals_its_definition_under_every_cut(message in octets(0..40), endings in endings()) {
        lmtp_testkit::proves!("R5321-4.5.2-a", "R5321-4.5.2-c", "R5321-4.5.2-d", "R5321-4.1.1.4-d");
        lmtp_testkit::proves!("R5321-2.3.8-b", "SMUG-practice-c", "R1870-5-a");
        let expected = by_definition(&message, endings);
        for cut in 0..=message.len() {
            let (left, right) = message.split_at(cut);
            let got = stuffed(&[left, right], endings);
            match &expected {
                Ok((lines, wire)) => {
                    let (octets, end) = got.unwrap();
                    prop_assert_eq!(&octets, wire, "cut at {}", cut);
                    prop_assert_eq!(end as usize, wire.len() - 3);
                    let content = Content::of(&message, endings).unwrap();
                    prop_assert_eq!(content.size, Some(lines.len() as u64));
                }
                Err(problem) => prop_assert_eq!(&got.unwrap_err().problem, problem, "cut at {}", cut),
            }
        }
        let single: Vec<&[u8]> = message.chunks(1).collect();
        prop_assert_eq!(stuffed(&single, endings).map_err(|e| e.problem).map(|(wire, _)| wire), expected.map(|(_, wire)| wire));
    }

    /// An error names the first bad octet and its line, however the message is cut.
    #[test]
    fn errors_name_the_place(message in octets(0..40), cut in 0_usize..80) {
        let whole = stuffed(&[&message], LineEndings::Reject);
        let (left, right) = message.split_at(cut.min(message.len()));
        let halves = stuffed(&[left, right], LineEndings::Reject);
        prop_assert_eq!(whole.as_ref().err(), halves.as_ref().err());
        if let Err(error) = whole {
            let place = error.offset as usize;
            let octet = message[place];
            prop_assert!(matches!(octet, b'\r' | b'\n' | 0), "{octet:#x} at {place}");
            let lines = message[..place].windows(2).filter(|pair| pair == b"\r\n").count() as u64;
            prop_assert_eq!(error.line, lines + 1);
        }
    }

    /// Content class: the header ends at the first empty line.
    #[test]
    fn the_class_is_where_the_octet_stands(header in "[a-é]{0,9}(\r\n[a-é]{1,9}){0,3}", body in "[a-é\r\n]{0,30}", cut in 0_usize..90) {
        let body = body.replace('\r', "").replace('\n', "\r\n");
        prop_assume!(!header.starts_with("\r\n"));
        let message = [header.as_bytes(), b"\r\n\r\n", body.as_bytes()].concat();
        let expected = match (header.is_ascii(), body.is_ascii()) {
            (false, _) => ContentClass::EightBitHeader,
            (true, false) => ContentClass::EightBit,
            (true, true) => ContentClass::SevenBit,
        };
        let mut scan = Scan::new(LineEndings::Reject);
        let (left, right) = message.split_at(cut.min(message.len()));
        scan.push(left).unwrap();
        scan.push(right).unwrap();
        // A header that is empty leaves the empty line to end it at once.
        prop_assert_eq!(scan.finish().unwrap().class, Some(expected));

        // What is met beyond the class that was promised is refused.
        for allowed in [ContentClass::SevenBit, ContentClass::EightBit, ContentClass::EightBitHeader] {
            let mut queue = SendQueue::new();
            let result = Stuffer::new(LineEndings::Reject, allowed).push(&Bytes::copy_from_slice(&message), &mut queue);
            prop_assert_eq!(result.is_ok(), expected <= allowed);
        }
    }
}

#[test]
fn an_empty_message_is_a_dot() {
    assert_eq!(stuffed(&[], LineEndings::Reject).unwrap(), (b".\r\n".to_vec(), 0));
    assert_eq!(stuffed(&[b""], LineEndings::Reject).unwrap(), (b".\r\n".to_vec(), 0));
}

#[test]
fn ordinary_mail_is_not_copied() {
    let message = Bytes::from("x".repeat(4000) + "\r\n");
    let mut queue = SendQueue::new();
    Stuffer::new(LineEndings::Reject, ContentClass::SevenBit).push(&message, &mut queue).unwrap();
    assert_eq!(queue.chunk().as_ptr(), message.as_ptr());
    assert_eq!(queue.chunk().len(), message.len());
}

/// Whoever goes on after an error gets no end of the data, either.
#[test]
fn an_error_repeats() {
    let mut queue = SendQueue::new();
    let mut stuffer = Stuffer::new(LineEndings::Reject, ContentClass::SevenBit);
    let error = stuffer.push(&Bytes::from_static(b"a\n"), &mut queue).unwrap_err();
    assert_eq!(stuffer.push(&Bytes::from_static(b"b\r\n"), &mut queue), Err(error));
    assert_eq!(stuffer.finish(None, &mut queue), Err(error));
    assert!(!queue.copy_to_bytes(queue.remaining()).ends_with(b".\r\n"));
}

#[test]
fn a_message_that_is_not_of_its_size_has_no_end() {
    for (message, told) in [("a\r\n", 4), ("a\r\n", 2), ("a", 2), (".a", 5), ("", 1), ("", 2)] {
        let mut queue = SendQueue::new();
        let mut stuffer = Stuffer::new(LineEndings::Reject, ContentClass::SevenBit);
        stuffer.push(&Bytes::from_static(message.as_bytes()), &mut queue).unwrap();
        assert_eq!(stuffer.finish(Some(told), &mut queue).unwrap_err().problem, ContentProblem::WrongSize);
    }
    let mut queue = SendQueue::new();
    let mut stuffer = Stuffer::new(LineEndings::Reject, ContentClass::SevenBit);
    stuffer.push(&Bytes::from_static(b".a"), &mut queue).unwrap();
    // With the line end that is added, and without it.
    assert_eq!(stuffer.clone().finish(Some(2), &mut SendQueue::new()), Ok(2));
    assert_eq!(stuffer.finish(Some(4), &mut queue), Ok(5));
}
