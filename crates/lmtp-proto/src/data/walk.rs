//! One pass over a message, whatever it is made for.

use super::ContentClass;

/// What to do with a CR or LF that is not part of CRLF.
///
/// Sent as it is, it would end a line for some servers and not for others, and
/// a dot behind it the message: mail could be smuggled in mail. So it is never
/// sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LineEndings {
    /// The message is refused.
    #[default]
    Reject,
    /// Each becomes CRLF.
    Convert,
}

/// What a message holds and must not, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{problem} at octet {offset}, line {line}")]
pub struct ContentError {
    /// What it is.
    pub problem: ContentProblem,
    /// How many octets of the message stand before it.
    pub offset: u64,
    /// The line that it stands in, counted from one.
    pub line: u64,
}

/// What a message must not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ContentProblem {
    /// A CR without LF behind it (RFC 5321 section 2.3.8).
    #[error("CR without LF")]
    BareCr,
    /// An LF without CR before it (RFC 5321 section 2.3.8).
    #[error("LF without CR")]
    BareLf,
    /// A NUL (RFC 6152 section 3).
    #[error("NUL")]
    Nul,
    /// An octet above 127 in the body of a message sent as 7-bit.
    #[error("8-bit octet in the body of a message that is sent as 7-bit")]
    EightBit,
    /// An octet above 127 in the header of a message sent without SMTPUTF8.
    #[error("8-bit octet in the header of a message that is sent without SMTPUTF8")]
    EightBitHeader,
    /// The message ends before or behind the size that was told of it: it has
    /// changed since, or a part is missing.
    #[error("the message is not of the size that was told")]
    WrongSize,
}

/// Where the next octet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Behind CRLF, or at the very start.
    LineStart,
    /// Behind a CR. At the end of a chunk that CR has not been given out.
    Cr,
    Inside,
}

/// What a [`Walker`] gives its findings to.
pub(crate) trait Sink {
    /// This part of the chunk, as it is.
    fn run(&mut self, from: usize, to: usize);
    /// Octets of our own: a line end, a CR carried over.
    fn put(&mut self, octets: &'static [u8]);
    /// The dot that is doubled at the start of a line.
    fn dot(&mut self);
}

/// One pass over a message in chunks: finds its lines, doubles its dots
/// (RFC 5321 section 4.5.2), puts its line ends right and refuses what it must
/// not hold.
#[derive(Debug, Clone)]
pub(crate) struct Walker {
    endings: LineEndings,
    /// The highest class to let pass.
    allowed: ContentClass,
    at: At,
    /// Octets of the message in the chunks before this one.
    offset: u64,
    line: u64,
    /// Whether no empty line has been met.
    in_header: bool,
    /// Whether the line holds nothing yet.
    line_is_empty: bool,
    /// The highest class met.
    met: ContentClass,
    /// What ended it: nothing good can come after.
    failed: Option<ContentError>,
}

impl Walker {
    pub(crate) fn new(endings: LineEndings, allowed: ContentClass) -> Self {
        Self {
            endings,
            allowed,
            at: At::LineStart,
            offset: 0,
            line: 1,
            in_header: true,
            line_is_empty: true,
            met: ContentClass::SevenBit,
            failed: None,
        }
    }

    /// The highest class met so far.
    pub(crate) fn met(&self) -> ContentClass {
        self.met
    }

    /// Walks one more chunk.
    ///
    /// Octets are given out in order, a part of the chunk as soon as it is known
    /// to be good. An error repeats.
    pub(crate) fn walk(&mut self, chunk: &[u8], sink: &mut impl Sink) -> Result<(), ContentError> {
        self.failed.map_or(Ok(()), Err)?;
        self.walk_on(chunk, sink).inspect_err(|error| self.failed = Some(*error))
    }

    fn walk_on(&mut self, chunk: &[u8], sink: &mut impl Sink) -> Result<(), ContentError> {
        // Most mail is ASCII; then there is nothing to look for.
        let eight_bit = (!chunk.is_ascii()).then(|| chunk.iter().position(|octet| !octet.is_ascii())).flatten();
        // The part of the chunk from here on has not been given out.
        let mut kept = 0;
        let mut here = 0;
        if self.at == At::Cr && !chunk.is_empty() {
            if chunk.first() == Some(&b'\n') {
                sink.put(b"\r\n");
                (kept, here) = (1, 1);
                self.line_end();
            } else {
                self.bare(ContentProblem::BareCr, 0_u64.wrapping_sub(1))?;
                sink.put(b"\r\n");
            }
        }
        let mut look_for = eight_bit;
        while let Some(rest) = chunk.get(here..).filter(|rest| !rest.is_empty()) {
            if self.at == At::LineStart && rest.first() == Some(&b'.') {
                sink.run(kept, here);
                sink.dot();
                kept = here;
            }
            let found = memchr::memchr3(b'\r', b'\n', 0, rest).map(|found| here.saturating_add(found));
            let end = found.unwrap_or(chunk.len());
            if end > here {
                self.at = At::Inside;
                self.line_is_empty = false;
                look_for = self.classify(chunk, look_for, end)?;
            }
            let Some(found) = found else { break };
            let next = found.saturating_add(1);
            match (chunk.get(found), chunk.get(next)) {
                (Some(b'\r'), Some(b'\n')) => {
                    here = next.saturating_add(1);
                    self.line_end();
                }
                (Some(b'\r'), None) => {
                    sink.run(kept, found);
                    self.at = At::Cr;
                    kept = next;
                    here = next;
                }
                (Some(0), _) => return Err(self.error(ContentProblem::Nul, found as u64)),
                (Some(&octet), _) => {
                    let problem = if octet == b'\r' { ContentProblem::BareCr } else { ContentProblem::BareLf };
                    self.bare(problem, found as u64)?;
                    sink.run(kept, found);
                    sink.put(b"\r\n");
                    kept = next;
                    here = next;
                }
                (None, _) => break,
            }
        }
        sink.run(kept, chunk.len());
        self.offset = self.offset.saturating_add(chunk.len() as u64);
        Ok(())
    }

    /// Completes the last line (RFC 5321 section 4.1.1.4).
    pub(crate) fn finish(&mut self, sink: &mut impl Sink) -> Result<(), ContentError> {
        self.failed.map_or(Ok(()), Err)?;
        match self.at {
            At::LineStart => return Ok(()),
            At::Cr => self.bare(ContentProblem::BareCr, 0_u64.wrapping_sub(1))?,
            At::Inside => self.line_end(),
        }
        sink.put(b"\r\n");
        Ok(())
    }

    fn line_end(&mut self) {
        self.in_header &= !self.line_is_empty;
        self.line_is_empty = true;
        self.line = self.line.saturating_add(1);
        self.at = At::LineStart;
    }

    /// A lone CR or LF: an error, or a line end. `place` is relative to the
    /// chunk, and may lie just before it.
    fn bare(&mut self, problem: ContentProblem, place: u64) -> Result<(), ContentError> {
        if self.endings == LineEndings::Reject {
            return Err(self.error(problem, place));
        }
        self.line_end();
        Ok(())
    }

    /// Looks at the 8-bit octets of this line, which ends at `end`. `next` is
    /// the place of the first that has not been looked at; gives the one after.
    fn classify(&mut self, chunk: &[u8], next: Option<usize>, end: usize) -> Result<Option<usize>, ContentError> {
        let Some(place) = next.filter(|&place| place < end) else { return Ok(next) };
        let (class, problem) = match self.in_header {
            true => (ContentClass::EightBitHeader, ContentProblem::EightBitHeader),
            false => (ContentClass::EightBit, ContentProblem::EightBit),
        };
        if class > self.allowed {
            return Err(self.error(problem, place as u64));
        }
        self.met = self.met.max(class);
        if !self.in_header {
            return Ok(None); // one is as good as many, and the header is over
        }
        let rest = chunk.get(end..).unwrap_or_default();
        Ok(rest.iter().position(|octet| !octet.is_ascii()).map(|found| end.saturating_add(found)))
    }

    /// An error `place` octets behind the chunks before this one.
    pub(crate) fn error(&self, problem: ContentProblem, place: u64) -> ContentError {
        ContentError { problem, offset: self.offset.wrapping_add(place), line: self.line }
    }
}
