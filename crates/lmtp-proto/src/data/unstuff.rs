//! The message as it comes in behind DATA (RFC 5321 section 4.5.2).

use core::fmt;

use bytes::{Buf, Bytes, BytesMut};

use super::class::Class;
use super::fault::{first_fault, line_feeds};
use super::{ContentClass, ContentError, ContentProblem};

/// How much is looked through at a time: it stays in the nearest cache.
const BLOCK: usize = 16 * 1024;

/// What to do with a CR or LF that comes in and is not part of CRLF.
///
/// None of them moves the end of the data: that is a dot between two CRLF, or
/// between the start and one, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BareNewlines {
    /// It is a [`problem`](Unstuffer::problem), and so is a NUL.
    #[default]
    Reject,
    /// Each becomes CRLF; a NUL is a problem. The line that then begins is the
    /// content's, not the wire's: a dot at its start was not doubled, and stays.
    Convert,
    /// It is content like any other octet, and so is a NUL. Whoever passes such
    /// content on by DATA smuggles for others.
    Keep,
}

/// What an [`Unstuffer`] has found next.
#[derive(Clone, PartialEq, Eq)]
pub enum Piece {
    /// Octets of the message, never none.
    Content(Bytes),
    /// The message is complete.
    End,
}

/// Sizes only: it may be somebody's letter.
impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(octets) => write!(f, "Content({} octets)", octets.len()),
            Self::End => f.write_str("End"),
        }
    }
}

/// Takes a message out of what follows DATA: finds its end, drops the dot that
/// was put before each line that begins with one.
///
/// ```
/// use lmtp_proto::bytes::BytesMut;
/// use lmtp_proto::{BareNewlines, Piece, Unstuffer};
///
/// let mut unstuffer = Unstuffer::new(BareNewlines::Reject);
/// let mut input = BytesMut::from("Hi\r\n.\r\nQUIT\r\n");
/// assert_eq!(unstuffer.next(&mut input), Some(Piece::Content("Hi\r\n".into())));
/// assert_eq!(unstuffer.next(&mut input), Some(Piece::End));
/// assert_eq!(input, "QUIT\r\n");
/// ```
///
/// Nothing is copied: pieces are slices of the buffer that was read into.
#[derive(Debug, Clone)]
pub struct Unstuffer {
    newlines: BareNewlines,
    /// Whether the next octet stands behind CRLF, or at the very start. A line
    /// end that was converted does not count: to the sender it was none.
    at_line_start: bool,
    class: Class,
    received: u64,
    /// The line of the content that the next octet stands in.
    line: u64,
    problem: Option<ContentError>,
    discards: bool,
    is_over: bool,
}

impl Unstuffer {
    /// An unstuffer behind the reply 354.
    pub fn new(newlines: BareNewlines) -> Self {
        Self {
            newlines,
            at_line_start: true,
            class: Class::new(),
            received: 0,
            line: 1,
            problem: None,
            discards: false,
            is_over: false,
        }
    }

    /// The next piece, taken off the front of `input`; `None` when more must be
    /// read first, and ever after [`Piece::End`].
    ///
    /// What lies behind the end stays in `input`. So do, until more is read, a CR
    /// that may be half a line end and a dot that may be the end: never more than
    /// two octets. Only append to it between calls.
    pub fn next(&mut self, input: &mut BytesMut) -> Option<Piece> {
        while !self.is_over {
            if self.at_line_start && input.first() == Some(&b'.') {
                match input.get(1..3) {
                    Some(b"\r\n") => {
                        input.advance(3);
                        self.is_over = true;
                        return Some(Piece::End);
                    }
                    None if matches!(input.get(1), None | Some(b'\r')) => return None,
                    _ => {
                        input.advance(1);
                        self.at_line_start = false;
                    }
                }
            }
            let (run, fault) = self.run(input);
            if run == 0 && fault.is_none() {
                return None;
            }
            if run > 0 {
                let run = input.split_to(run);
                self.at_line_start = run.ends_with(b"\r\n");
                self.received = self.received.saturating_add(run.len() as u64);
                if !self.discards {
                    self.meet(fault);
                    return Some(Piece::Content(run.freeze()));
                }
            } else if !self.meet(fault) {
                input.advance(1);
                self.at_line_start = false;
                self.class.line_end();
                self.line = self.line.saturating_add(1);
                self.received = self.received.saturating_add(2);
                return Some(Piece::Content(Bytes::from_static(b"\r\n")));
            }
        }
        None
    }

    /// The first octet that must not be in a message, if one has come. Content
    /// behind it is not given out; the end of the data is where it would have
    /// been. Its place is told in octets and lines of the content.
    pub fn problem(&self) -> Option<ContentError> {
        self.problem
    }

    /// Gives out no more content, only the end: for a message that is refused,
    /// and must be read nonetheless.
    pub fn discard(&mut self) {
        self.discards = true;
    }

    /// The most that was met in the content given out.
    pub fn met(&self) -> ContentClass {
        self.class.met()
    }

    /// Octets of content, what was not given out among them: the size of
    /// RFC 1870 section 5, when there is no problem.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether the end has come.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// How many octets from the front on are content, as it is: up to the next
    /// dot at the start of a line, up to the next fault, which is given, too, or
    /// all that there is but a CR at its end.
    fn run(&mut self, input: &[u8]) -> (usize, Option<ContentProblem>) {
        let whole = input.strip_suffix(b"\r").unwrap_or(input);
        let mut rest = whole;
        while !rest.is_empty() {
            let mut block = rest.get(..BLOCK).unwrap_or(rest);
            if let (Some(b'\r'), Some(b'\n')) = (block.last(), rest.get(block.len())) {
                block = block.split_last().map_or(block, |(_, before)| before);
            }
            let dot = memchr::memmem::find(block, b"\r\n.");
            if let Some(dot) = dot {
                block = block.get(..dot.saturating_add(2)).unwrap_or(block);
            }
            let fault = self.look(block);
            let good = fault.map_or(block.len(), |(place, _)| place);
            rest = rest.get(good..).unwrap_or_default();
            if dot.is_some() || fault.is_some() {
                return (whole.len().saturating_sub(rest.len()), fault.map(|(_, problem)| problem));
            }
            // At the end of a block a dot may follow as well.
            if block.ends_with(b"\r\n") && rest.first() == Some(&b'.') {
                break;
            }
        }
        (whole.len().saturating_sub(rest.len()), None)
    }

    /// Looks for what must not be, and for lines and classes in what stands
    /// before.
    fn look(&mut self, block: &[u8]) -> Option<(usize, ContentProblem)> {
        if self.discards {
            return None;
        }
        let fault = if self.newlines == BareNewlines::Keep { None } else { first_fault(block) };
        let good = fault.and_then(|(place, _)| block.get(..place)).unwrap_or(block);
        self.class.look(good);
        self.line = self.line.saturating_add(line_feeds(good));
        fault
    }

    /// Takes a fault for a problem, unless it is to be converted.
    fn meet(&mut self, fault: Option<ContentProblem>) -> bool {
        let bad = fault.filter(|&problem| self.newlines == BareNewlines::Reject || problem == ContentProblem::Nul);
        if let Some(problem) = bad {
            self.problem = Some(ContentError { problem, offset: self.received, line: self.line });
            self.discards = true;
        }
        bad.is_some()
    }
}
