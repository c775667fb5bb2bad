//! The message as it comes in behind DATA (RFC 5321 section 4.5.2).

use core::fmt;

use bytes::{Buf, Bytes, BytesMut};

use super::look::{Looker, Stop, stretch};
use super::{ContentError, ContentProblem};

/// Shorter runs are copied together: a piece of their own would cost more.
const SHORT: usize = 256;
/// When what is copied together is given out.
const ENOUGH: usize = 4096;

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

/// Where the next octet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    /// Behind CRLF, or at the very start. A line end that was converted does not
    /// count: to the sender it was none.
    LineStart,
    Inside,
    /// Behind the end of the data.
    Over,
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
/// Pieces are slices of the buffer that was read into; only runs between dots
/// that are short are copied together.
#[derive(Debug, Clone)]
pub struct Unstuffer {
    newlines: BareNewlines,
    at: At,
    received: u64,
    /// The line of the content that the next octet stands in.
    line: u64,
    problem: Option<ContentError>,
    discards: bool,
    /// Short runs, to be given out together.
    gathered: BytesMut,
    /// A long run that they must be given out before.
    next: Option<Bytes>,
    looker: Looker,
}

impl Unstuffer {
    /// An unstuffer behind the reply 354.
    pub fn new(newlines: BareNewlines) -> Self {
        Self {
            newlines,
            at: At::LineStart,
            received: 0,
            line: 1,
            problem: None,
            discards: false,
            gathered: BytesMut::new(),
            next: None,
            looker: Looker::new(),
        }
    }

    /// The next piece, taken off the front of `input`; `None` when more must be
    /// read first, and ever after [`Piece::End`].
    ///
    /// What lies behind the end stays in `input`. So do, until more is read, a CR
    /// that may be half a line end and a dot that may be the end: never more than
    /// two octets. Only append to it between calls.
    pub fn next(&mut self, input: &mut BytesMut) -> Option<Piece> {
        if let Some(run) = self.next.take() {
            return Some(Piece::Content(run));
        }
        while self.gathered.len() < ENOUGH {
            if self.at == At::LineStart && input.first() == Some(&b'.') {
                match input.get(1..3) {
                    Some(b"\r\n") if self.gathered.is_empty() => {
                        input.advance(3);
                        self.at = At::Over;
                        return Some(Piece::End);
                    }
                    Some(b"\r\n") => break,
                    None if matches!(input.get(1), None | Some(b'\r')) => break,
                    _ => {
                        input.advance(1);
                        self.at = At::Inside;
                    }
                }
            }
            match self.run(input) {
                (0, None) => break,
                (0, Some(problem)) => self.bare(problem, input),
                (run, _) => {
                    if let Some(run) = self.content(run, input) {
                        if self.gathered.is_empty() {
                            return Some(Piece::Content(run));
                        }
                        self.next = Some(run);
                        break;
                    }
                }
            }
        }
        (!self.gathered.is_empty()).then(|| Piece::Content(self.gathered.split().freeze()))
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
        self.gathered.clear();
        self.next = None;
    }

    /// Octets of content, what was not given out among them: the size of
    /// RFC 1870 section 5, when there is no problem.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether the end has come.
    pub fn is_over(&self) -> bool {
        self.at == At::Over
    }

    /// All that what comes next depends on: what only counts is left out.
    #[cfg(test)]
    pub(super) fn state(&self) -> impl Eq + core::hash::Hash + use<> {
        assert!(self.gathered.is_empty() && self.next.is_none(), "content is kept");
        let problem = self.problem.map(|error| error.problem);
        (self.newlines, self.at, problem, self.discards, self.looker.state())
    }

    #[cfg(test)]
    pub(super) fn work(&self) -> super::look::Work {
        self.looker.work()
    }

    /// How many octets from the front on are content, as it is: up to the next
    /// dot at the start of a line, up to the next fault, which is given, too, or
    /// all that there is but a CR at its end.
    fn run(&mut self, input: &[u8]) -> (usize, Option<ContentProblem>) {
        if self.at == At::Over {
            return (0, None);
        }
        let whole = input.strip_suffix(b"\r").unwrap_or(input);
        let checks = self.newlines != BareNewlines::Keep && !self.discards;
        let mut run = 0;
        while let Some(rest) = whole.get(run..).filter(|rest| !rest.is_empty()) {
            let part = stretch(rest);
            let look = if checks { self.looker.look(part) } else { self.looker.dots(part) };
            run = run.saturating_add(look.good);
            self.line = self.line.saturating_add(look.lines);
            match look.stop {
                Some(Stop::Fault(problem)) => return (run, Some(problem)),
                Some(Stop::Dot) => return (run, None),
                // Between two stretches may stand a line end and a dot, too.
                None if dot_follows(whole, run) => return (run, None),
                None => {}
            }
        }
        (run, None)
    }

    /// Takes a run of content off the front of `input`; gives it back if it is to
    /// be a piece of its own.
    fn content(&mut self, run: usize, input: &mut BytesMut) -> Option<Bytes> {
        let octets = input.get(..run).unwrap_or_default();
        self.at = if octets.ends_with(b"\r\n") { At::LineStart } else { At::Inside };
        self.received = self.received.saturating_add(run as u64);
        let is_alone = self.gathered.is_empty() && run == input.len();
        if !self.discards && (run >= SHORT || is_alone) {
            return Some(input.split_to(run).freeze());
        }
        if !self.discards {
            self.gather(octets);
        }
        input.advance(run);
        None
    }

    /// Copies a short run. Pieces share the room, for each may be held on to.
    fn gather(&mut self, octets: &[u8]) {
        if self.gathered.capacity().saturating_sub(self.gathered.len()) < octets.len() {
            self.gathered.reserve(octets.len().max(SHORT));
        }
        self.gathered.extend_from_slice(octets);
    }

    /// Converts the octet at the front of `input`, or takes it for a problem.
    fn bare(&mut self, problem: ContentProblem, input: &mut BytesMut) {
        if problem == ContentProblem::Nul || self.newlines == BareNewlines::Reject {
            self.problem = Some(ContentError { problem, offset: self.received, line: self.line });
            self.discards = true;
            return;
        }
        input.advance(1);
        self.gather(b"\r\n");
        self.at = At::Inside;
        self.line = self.line.saturating_add(1);
        self.received = self.received.saturating_add(2);
    }
}

/// Whether CRLF stands before `place`, and a dot there.
fn dot_follows(octets: &[u8], place: usize) -> bool {
    octets.split_at_checked(place).is_some_and(|(before, behind)| before.ends_with(b"\r\n") && behind.starts_with(b"."))
}
