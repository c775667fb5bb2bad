//! What is known of a message before it is sent.

use super::walk::{ContentError, LineEndings, Sink, Walker};

/// What a message may hold, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContentClass {
    /// Octets up to 127.
    SevenBit,
    /// Octets above 127 in the body (RFC 6152).
    EightBit,
    /// Octets above 127 in the header (RFC 6532).
    EightBitHeader,
    /// Anything, NUL and lone CR and LF too: not lines but octets, to be sent as
    /// they are, by BDAT alone (RFC 3030 section 3). No scan finds this out, for
    /// what is binary and what is broken look the same: who knows it tells it.
    Binary,
}

/// What is known of a message before it is sent. The more, the better: a size
/// lets the server refuse early, and a class lets us do so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Content {
    /// Its octets, line ends as CRLF, dots not doubled (RFC 1870 section 5). A
    /// message that turns out to have more or less is not ended: a part must not
    /// be taken for the whole.
    pub size: Option<u64>,
    /// What it holds. Not told, it is taken for [`ContentClass::EightBit`]
    /// where the server allows that, and anything more is refused as it is met.
    pub class: Option<ContentClass>,
}

impl Content {
    /// Nothing is known, as of a stream.
    pub const UNKNOWN: Self = Self { size: None, class: None };

    /// What a message in memory is, exactly, once its line ends have been put
    /// right.
    ///
    /// # Errors
    ///
    /// It holds what cannot be sent to any server.
    pub fn of(message: &[u8], endings: LineEndings) -> Result<Self, ContentError> {
        let mut scan = Scan::new(endings);
        scan.push(message)?;
        scan.finish()
    }
}

/// Finds out what a message is, chunk by chunk.
#[derive(Debug, Clone)]
pub struct Scan {
    walker: Walker,
    size: Size,
}

impl Scan {
    /// A scan at the start of a message.
    pub fn new(endings: LineEndings) -> Self {
        Self { walker: Walker::new(endings, ContentClass::EightBitHeader), size: Size(0) }
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    ///
    /// The message holds what cannot be sent to any server.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), ContentError> {
        self.walker.walk(chunk, &mut self.size)
    }

    /// What the message is.
    ///
    /// # Errors
    ///
    /// It ends in a lone CR.
    pub fn finish(mut self) -> Result<Content, ContentError> {
        self.walker.finish(&mut self.size)?;
        Ok(Content { size: Some(self.size.0), class: Some(self.walker.met()) })
    }
}

/// Counts octets.
#[derive(Debug, Clone)]
struct Size(u64);

impl Sink for Size {
    fn run(&mut self, from: usize, to: usize) {
        self.0 = self.0.saturating_add(to.saturating_sub(from) as u64);
    }

    fn put(&mut self, octets: &'static [u8]) {
        self.0 = self.0.saturating_add(octets.len() as u64);
    }

    /// A doubled dot is not part of the message.
    fn dot(&mut self) {}
}
