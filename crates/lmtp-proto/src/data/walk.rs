//! One pass over a message, whatever it is made for.

use super::ContentClass;
use super::class::Class;
use super::look::{Look, Looker, Stop, stretch};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// Whether anything is looked for but dots.
    checks: bool,
    /// The highest class to let pass.
    allowed: ContentClass,
    at: At,
    /// Octets of the message in the chunks before this one.
    offset: u64,
    line: u64,
    class: Class,
    looker: Looker,
    /// What ended it: nothing good can come after.
    failed: Option<ContentError>,
}

impl Walker {
    pub(crate) fn new(endings: LineEndings, allowed: ContentClass) -> Self {
        Self {
            endings,
            checks: true,
            allowed,
            at: At::LineStart,
            offset: 0,
            line: 1,
            class: Class::new(),
            looker: Looker::new(),
            failed: None,
        }
    }

    /// A walker that takes its message for good and looks for dots only.
    pub(crate) fn trusting() -> Self {
        Self { checks: false, ..Self::new(LineEndings::Reject, ContentClass::EightBitHeader) }
    }

    /// All that what comes next depends on: what only counts is left out.
    #[cfg(test)]
    pub(super) fn state(&self) -> impl Eq + core::hash::Hash + use<> {
        let failed = self.failed.map(|error| error.problem);
        (self.endings, self.checks, self.allowed, self.at, self.class.clone(), self.looker.state(), failed)
    }

    #[cfg(test)]
    pub(super) fn work(&self) -> super::look::Work {
        self.looker.work()
    }

    /// The highest class met so far.
    pub(crate) fn met(&self) -> ContentClass {
        self.class.met()
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
        // The part of the chunk from here on has not been given out.
        let mut kept = 0;
        let mut here = 0;
        if self.at == At::Cr && !chunk.is_empty() {
            if chunk.first() == Some(&b'\n') {
                (kept, here) = (1, 1);
                self.line_end();
                sink.put(b"\r\n");
            } else {
                self.held_cr(sink)?;
            }
        }
        // A CR at the very end is judged by the chunk that follows.
        let holds_cr = chunk.get(here..).is_some_and(|rest| rest.ends_with(b"\r"));
        let end = chunk.len().saturating_sub(usize::from(holds_cr));
        while let Some(rest) = chunk.get(here..end).filter(|rest| !rest.is_empty()) {
            if self.at == At::LineStart && rest.first() == Some(&b'.') {
                sink.run(kept, here);
                sink.dot();
                kept = here;
            }
            let octets = stretch(rest);
            let look = if self.checks { self.looker.look(octets) } else { self.looker.dots(octets) };
            let good = octets.get(..look.good).unwrap_or(octets);
            if !good.is_empty() {
                self.take(good, &look, here)?;
            }
            here = here.saturating_add(good.len());
            if let Some(Stop::Fault(problem)) = look.stop {
                self.bare(problem, here as u64)?;
                sink.run(kept, here);
                sink.put(b"\r\n");
                here = here.saturating_add(1);
                kept = here;
            }
        }
        sink.run(kept, end);
        if holds_cr {
            self.at = At::Cr;
        }
        self.offset = self.offset.saturating_add(chunk.len() as u64);
        Ok(())
    }

    /// Completes the last line (RFC 5321 section 4.1.1.4).
    pub(crate) fn finish(&mut self, sink: &mut impl Sink) -> Result<(), ContentError> {
        self.failed.map_or(Ok(()), Err)?;
        if self.at == At::Cr {
            self.held_cr(sink)?;
        }
        if self.at == At::Inside {
            self.line_end();
            sink.put(b"\r\n");
        }
        Ok(())
    }

    /// Gives out the CR held back, for no LF has followed.
    fn held_cr(&mut self, sink: &mut impl Sink) -> Result<(), ContentError> {
        if self.checks {
            self.bare(ContentProblem::BareCr, 0_u64.wrapping_sub(1))?;
            sink.put(b"\r\n");
        } else {
            self.at = At::Inside;
            sink.put(b"\r");
        }
        Ok(())
    }

    fn line_end(&mut self) {
        self.class.line_end();
        self.line = self.line.saturating_add(1);
        self.at = At::LineStart;
    }

    /// What must not be there, as it is: an error, or a line end after all.
    /// `place` is relative to the chunk, and may lie just before it.
    fn bare(&mut self, problem: ContentProblem, place: u64) -> Result<(), ContentError> {
        if problem == ContentProblem::Nul || self.endings == LineEndings::Reject {
            return Err(self.error(problem, place));
        }
        self.line_end();
        Ok(())
    }

    /// Takes what the look has told of these octets, which stand at `place` in
    /// the chunk.
    fn take(&mut self, octets: &[u8], look: &Look, place: usize) -> Result<(), ContentError> {
        self.at = if octets.ends_with(b"\r\n") { At::LineStart } else { At::Inside };
        if !self.checks {
            return Ok(());
        }
        if let Some((inside, class)) = self.class.look(octets, look.eight_bit, self.allowed) {
            let problem = match class {
                ContentClass::EightBitHeader => ContentProblem::EightBitHeader,
                _ => ContentProblem::EightBit,
            };
            let before = octets.get(..inside).unwrap_or_default();
            self.line = self.line.saturating_add(memchr::memchr_iter(b'\n', before).count() as u64);
            return Err(self.error(problem, place.saturating_add(inside) as u64));
        }
        self.line = self.line.saturating_add(look.lines);
        Ok(())
    }

    /// An error `place` octets behind the chunks before this one.
    pub(crate) fn error(&self, problem: ContentProblem, place: u64) -> ContentError {
        ContentError { problem, offset: self.offset.wrapping_add(place), line: self.line }
    }
}
