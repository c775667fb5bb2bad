//! Stuffing and unstuffing against their definitions, for all input.
//!
//! The definitions know nothing of lines: each octet is judged by a window on
//! what stands around it, as if CRLF stood before the message.

use alloc::vec::Vec;

use bytes::{Buf, Bytes, BytesMut};
use lmtp_testkit::effort::Effort;

use super::*;
use crate::SendQueue;
use crate::proof::{Explored, Lag, explore, pieces};

/// One octet of each kind that is told apart.
const OCTETS: [u8; 6] = [b'\r', b'\n', b'.', 0, 0x80, b'a'];

/// How many of them come at a time, at most.
fn at_a_time() -> usize {
    match Effort::current() {
        Effort::Quick => 2,
        Effort::Ci | Effort::Long => 3,
    }
}

/// What is known of content that has been given out, whoever made it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Seen {
    /// Its last octets as far as they may be those of an empty line; CRLF stands
    /// before all.
    tail: Vec<u8>,
    /// Whether there has been no empty line.
    in_header: bool,
    met: ContentClass,
}

impl Seen {
    fn nothing() -> Self {
        Self { tail: b"\r\n".to_vec(), in_header: true, met: ContentClass::SevenBit }
    }

    fn class(&self, octet: u8) -> ContentClass {
        match (octet, self.in_header) {
            (..=127, _) => ContentClass::SevenBit,
            (_, true) => ContentClass::EightBitHeader,
            (_, false) => ContentClass::EightBit,
        }
    }

    fn see(&mut self, octets: &[u8]) {
        for &octet in octets {
            self.met = self.met.max(self.class(octet));
            self.tail.push(octet);
            self.in_header &= self.tail != b"\r\n\r\n";
            while !b"\r\n\r".starts_with(&self.tail) {
                self.tail.remove(0);
            }
        }
    }
}

/// What stands wrong between these two, if anything does.
fn fault(before: u8, octet: u8, behind: Option<u8>) -> Option<ContentProblem> {
    match octet {
        b'\r' if behind != Some(b'\n') => Some(ContentProblem::BareCr),
        b'\n' if before != b'\r' => Some(ContentProblem::BareLf),
        0 => Some(ContentProblem::Nul),
        _ => None,
    }
}

/// What an unstuffer must do, by definition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Unstuffing {
    newlines: BareNewlines,
    /// The last octets on the wire, CRLF before them: two before the one that is
    /// judged, that one, and two behind it.
    window: Vec<u8>,
    problem: Option<ContentProblem>,
}

impl Unstuffing {
    fn of(newlines: BareNewlines) -> Self {
        Self { newlines, window: b"\r\n".to_vec(), problem: None }
    }

    /// What becomes certain with this octet; `None` with the last of the data.
    fn step(&mut self, octet: u8) -> Option<Vec<u8>> {
        self.window.push(octet);
        if self.window == b"\r\n.\r\n" {
            return None;
        }
        let [first, before, judged, behind, _] = self.window[..] else { return Some(Vec::new()) };
        self.window.remove(0);
        let mut content = Vec::new();
        if (first, before, judged) != (b'\r', b'\n', b'.') && self.problem.is_none() {
            match (self.newlines, fault(before, judged, Some(behind))) {
                (BareNewlines::Keep, _) | (_, None) => content.push(judged),
                (BareNewlines::Convert, Some(ContentProblem::BareCr | ContentProblem::BareLf)) => {
                    content.extend_from_slice(b"\r\n");
                }
                (_, problem) => self.problem = problem,
            }
        }
        Some(content)
    }
}

#[derive(Clone)]
struct Receiving {
    machine: Unstuffer,
    input: BytesMut,
    definition: Unstuffing,
    lag: Lag,
}

/// Every stream of octets there is: the end is where it must be, and the content
/// what it must be.
fn unstuffing(newlines: BareNewlines) -> Explored {
    let start = Receiving {
        machine: Unstuffer::new(newlines),
        input: BytesMut::new(),
        definition: Unstuffing::of(newlines),
        lag: Lag::default(),
    };
    let key = |at: &Receiving| (at.machine.state(), at.input.to_vec(), at.definition.clone(), at.lag.clone());
    explore(start, &pieces(&OCTETS, at_a_time()), key, |from, piece, path| {
        let mut at = from.clone();
        at.input.extend_from_slice(piece);
        let mut content = Vec::new();
        while let Some(Piece::Content(octets)) = at.machine.next(&mut at.input) {
            content.extend_from_slice(&octets);
        }
        let mut expected = Vec::new();
        let end =
            piece.iter().position(|&octet| at.definition.step(octet).map(|octets| expected.extend(octets)).is_none());
        at.lag.compare(&content, &expected, path);
        assert_eq!(at.machine.is_over(), end.is_some(), "{}", path.escape_ascii());
        let problem = at.machine.problem().map(|error| error.problem);
        let Some(end) = end else {
            // The machine is never behind, in what it gives out or in what it tells.
            assert!(at.input.len() <= 2 && at.lag.owed.is_empty(), "{}", path.escape_ascii());
            assert!(at.definition.problem.is_none() || problem == at.definition.problem, "{}", path.escape_ascii());
            return Some(at);
        };
        assert!(at.lag.is_none() && at.input == piece[end + 1..], "{}", path.escape_ascii());
        assert_eq!(problem, at.definition.problem, "{}", path.escape_ascii());
        None
    })
}

/// R5321-2.3.8-b.
#[test]
fn unstuffing_equals_its_definition_for_all_input() {
    for newlines in [BareNewlines::Reject, BareNewlines::Convert, BareNewlines::Keep] {
        let explored = unstuffing(newlines);
        std::println!("{newlines:?}: {explored:?}");
        assert!(explored.states > 1_000);
    }
}

/// What a stuffer must do, by definition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Stuffing {
    endings: LineEndings,
    /// Whether the message is taken for good.
    trusting: bool,
    allowed: ContentClass,
    /// The octet before the one that is judged, and that one.
    window: Vec<u8>,
    seen: Seen,
    failed: Option<ContentProblem>,
}

impl Stuffing {
    /// What becomes certain with this octet, or with the end of the message.
    fn step(&mut self, octet: Option<u8>) -> Vec<u8> {
        let mut out = Vec::new();
        if let ([before, judged], None) = (&self.window[..], self.failed) {
            let fault = fault(*before, *judged, octet).filter(|_| !self.trusting);
            let content: &[u8] = match (self.endings, fault) {
                (_, None) => &[*judged],
                (LineEndings::Convert, Some(ContentProblem::BareCr | ContentProblem::BareLf)) => b"\r\n",
                (_, problem) => {
                    self.failed = problem;
                    &[]
                }
            };
            match self.seen.class(*judged) {
                class if class <= self.allowed => {}
                ContentClass::EightBitHeader => self.failed = Some(ContentProblem::EightBitHeader),
                _ => self.failed = Some(ContentProblem::EightBit),
            }
            if self.failed.is_none() {
                if content == b"." && self.seen.tail.ends_with(b"\r\n") {
                    out.push(b'.');
                }
                out.extend_from_slice(content);
                self.seen.see(content);
            }
        }
        self.window.extend(octet);
        self.window.drain(..self.window.len().saturating_sub(2));
        out
    }

    /// What follows the last octet.
    fn finish(mut self) -> Result<Vec<u8>, ContentProblem> {
        let mut out = self.step(None);
        if !self.seen.tail.ends_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
        self.failed.map_or(Ok(out), Err)
    }
}

#[derive(Clone)]
struct Sending {
    machine: Stuffer,
    definition: Stuffing,
    lag: Lag,
}

impl Sending {
    /// Ends the message here, on both sides.
    fn finish(&self, path: &[u8]) {
        let mut queue = SendQueue::new();
        let mut lag = self.lag.clone();
        let machine = self.machine.clone().finish(None, &mut queue).map_err(|error| error.problem);
        match (machine, self.definition.clone().finish()) {
            (Ok(_), Ok(rest)) => {
                lag.compare(&queue.copy_to_bytes(queue.remaining()), &rest, path);
                assert!(lag.is_none(), "{}", path.escape_ascii());
            }
            (machine, definition) => assert_eq!(machine.err(), definition.err(), "{}", path.escape_ascii()),
        }
    }
}

/// Every message there is, ended at any octet.
fn stuffing(machine: Stuffer, endings: LineEndings, trusting: bool, allowed: ContentClass) -> Explored {
    let window = b"\n".to_vec();
    let definition = Stuffing { endings, trusting, allowed, window, seen: Seen::nothing(), failed: None };
    let start = Sending { machine, definition, lag: Lag::default() };
    start.finish(b"");
    let key = |at: &Sending| (at.machine.state(), at.definition.clone(), at.lag.clone());
    explore(start, &pieces(&OCTETS, at_a_time()), key, |from, piece, path| {
        let mut at = from.clone();
        let mut queue = SendQueue::new();
        let result = at.machine.push(&Bytes::copy_from_slice(piece), &mut queue);
        let expected: Vec<u8> = piece.iter().flat_map(|&octet| at.definition.step(Some(octet))).collect();
        if result.is_err() {
            // Nothing good comes after, whatever comes.
            assert!(at.machine.clone().finish(None, &mut queue).is_err());
            assert_eq!(at.definition.clone().finish().err(), result.err().map(|error| error.problem));
            return None;
        }
        at.lag.compare(&queue.copy_to_bytes(queue.remaining()), &expected, path);
        at.finish(path);
        Some(at)
    })
}

/// R5321-4.5.2-a, -c, -d; R5321-2.3.8-b; R5321-4.1.1.4-d.
#[test]
fn stuffing_equals_its_definition_for_all_input() {
    for endings in [LineEndings::Reject, LineEndings::Convert] {
        for allowed in [ContentClass::SevenBit, ContentClass::EightBit, ContentClass::EightBitHeader] {
            let explored = stuffing(Stuffer::new(endings, allowed), endings, false, allowed);
            std::println!("{endings:?}, {allowed:?}: {explored:?}");
            assert!(explored.states > 20);
        }
    }
    let trusting = stuffing(Stuffer::trusting(), LineEndings::Reject, true, ContentClass::EightBitHeader);
    std::println!("trusting: {trusting:?}");
    assert!(trusting.states > 20);
}
