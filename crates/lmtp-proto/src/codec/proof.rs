//! Lines and replies against their definitions, for all input.

use alloc::vec::Vec;

use bytes::BytesMut;

use super::ReplyReader;
use crate::error::SyntaxError;
use crate::lines::{LineError, LineFinder};
use crate::proof::{explore, pieces};
use crate::{Error, Limit, Limits, Phase};

/// What a line is, by definition: all up to the first LF, if CR stands before it
/// and nowhere else, and all of it within the limit.
fn line(buffer: &[u8], limit: usize) -> Result<Option<usize>, LineError> {
    match buffer.iter().position(|&octet| octet == b'\n') {
        Some(lf) if lf >= limit => Err(LineError::TooLong),
        None if buffer.len() >= limit => Err(LineError::TooLong),
        None => Ok(None),
        Some(lf) => match buffer[..lf].iter().position(|&octet| octet == b'\r') {
            None => Err(LineError::Syntax(SyntaxError::BareLf)),
            Some(cr) if cr + 1 == lf => Ok(Some(cr)),
            Some(_) if buffer[lf - 1] != b'\r' => Err(LineError::Syntax(SyntaxError::BareLf)),
            Some(_) => Err(LineError::Syntax(SyntaxError::BareCr)),
        },
    }
}

/// R5321-2.3.8-b.
#[test]
fn lines_equal_their_definition_for_all_input() {
    for limit in 1..=8 {
        let start = (LineFinder::default(), BytesMut::new());
        let key = |(finder, buffer): &(LineFinder, BytesMut)| (finder.state(), buffer.to_vec());
        let explored = explore(start, &pieces(b"\r\na", 1), key, |(finder, buffer), octet, path| {
            let (mut finder, mut buffer) = (finder.clone(), buffer.clone());
            buffer.extend_from_slice(octet);
            let found = finder.find(&buffer, limit);
            assert_eq!(found, line(&buffer, limit), "{}", path.escape_ascii());
            // Nothing else is known of what comes after a line.
            assert!(found != Ok(None) || finder.state() == buffer.len());
            assert!(!matches!(found, Ok(Some(_))) || finder.state() == 0);
            (found == Ok(None)).then_some((finder, buffer))
        });
        // Strings of CR and `a` that are shorter than the limit: nothing is left out.
        assert_eq!(explored.states, (1 << limit) - 1);
    }
}

/// A digit that a code may begin with, one that it may not, and one of each kind
/// that a reply knows.
const OCTETS: [u8; 8] = *b"27- a\0\r\n";

/// What frames replies, by definition: an automaton that knows no buffer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Framing {
    /// The code that all lines of the reply must have, once there is a line.
    first: Option<[u8; 3]>,
    /// The line so far, up to what follows its code.
    line: Vec<u8>,
    /// Whether the octet before was CR.
    after_cr: bool,
    /// Whether a CR was followed by something else than LF.
    bare_cr: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framed {
    Amid,
    Line,
    /// With its code.
    Reply([u8; 3]),
    Bad(SyntaxError),
}

impl Framing {
    fn step(&mut self, octet: u8) -> Framed {
        if octet == b'\n' {
            return self.end_of_line();
        }
        self.bare_cr |= self.after_cr;
        self.after_cr = octet == b'\r';
        if self.line.len() < 4 && octet != b'\r' {
            self.line.push(octet);
        }
        Framed::Amid
    }

    fn end_of_line(&mut self) -> Framed {
        if !self.after_cr {
            return Framed::Bad(SyntaxError::BareLf);
        }
        if self.bare_cr {
            return Framed::Bad(SyntaxError::BareCr);
        }
        let (code, more) = match self.line[..] {
            [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9'] => ([a, b, c], false),
            [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', b' '] => ([a, b, c], false),
            [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', b'-'] => ([a, b, c], true),
            _ => return Framed::Bad(SyntaxError::NoCode),
        };
        if self.first.is_some_and(|first| first != code) {
            return Framed::Bad(SyntaxError::MixedCodes);
        }
        *self = Self { first: more.then_some(code), ..Self::default() };
        if more { Framed::Line } else { Framed::Reply(code) }
    }
}

/// What of a line the reader's future depends on: its start, and where CRs are.
/// Its text and its length decide nothing below the limit.
fn outline(line: &[u8]) -> (Vec<u8>, bool, bool) {
    let begin = line.iter().copied().take(4).collect();
    let within = line.split_last().is_some_and(|(_, before)| before.contains(&b'\r'));
    (begin, within, line.ends_with(b"\r"))
}

fn digits(code: u16) -> [u8; 3] {
    [code / 100, code / 10 % 10, code % 10].map(|digit| b'0' + u8::try_from(digit).unwrap())
}

/// R5321-4.2-c; R5321-4.2.1-c.
#[test]
fn replies_are_framed_as_defined_for_all_input() {
    let start = (ReplyReader::new(), BytesMut::new(), Framing::default());
    let key =
        |(reader, input, framing): &(ReplyReader, BytesMut, Framing)| (reader.state(), outline(input), framing.clone());
    let explored = explore(start, &pieces(&OCTETS, 1), key, |(reader, input, framing), octet, path| {
        let (mut reader, mut input, mut framing) = (reader.clone(), input.clone(), framing.clone());
        input.extend_from_slice(octet);
        let read = reader.read(&mut input, &Limits::default(), Phase::Mail);
        let expected = framing.step(octet[0]);
        let told = match &read {
            Ok(Some(reply)) => Framed::Reply(digits(reply.code().get())),
            Ok(None) if input.is_empty() => Framed::Line,
            Ok(None) => Framed::Amid,
            Err(Error::Syntax { problem, .. }) => Framed::Bad(*problem),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(told, expected, "{}", path.escape_ascii());
        assert!(matches!(told, Framed::Bad(_)) || reader.is_amid_reply() == framing.first.is_some());
        (!matches!(told, Framed::Bad(_))).then_some((reader, input, framing))
    });
    std::println!("replies: {explored:?}");
    assert!(explored.states > 2_000, "{explored:?}");
}

/// A line of a reply is refused with the octet that goes past the limit, never
/// before, whatever stands in it.
#[test]
fn a_reply_line_ends_at_its_limit() {
    for limit in 5..40 {
        let limits = Limits { reply_line: limit, ..Limits::default() };
        for length in 0..60 {
            let line = [b"250 ", &b"x".repeat(length)[..], b"\r\n"].concat();
            let read = ReplyReader::new().read(&mut BytesMut::from(&line[..]), &limits, Phase::Mail);
            match line.len() <= limit {
                true => assert!(matches!(read, Ok(Some(_)))),
                false => assert_eq!(read, Err(Error::Limit { phase: Phase::Mail, limit: Limit::ReplyLine })),
            }
        }
    }
}
