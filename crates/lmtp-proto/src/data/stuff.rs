//! The message as DATA sends it (RFC 5321 section 4.5.2).

use bytes::Bytes;

use super::walk::{Sink, Walker};
use super::{ContentClass, ContentError, ContentProblem, LineEndings};
use crate::SendQueue;

/// Turns a message into what follows DATA: a dot more before each line that
/// begins with one, and at the end a dot alone.
///
/// Nothing is copied but short runs: the queue shares the caller's `Bytes`.
#[derive(Debug, Clone)]
pub struct Stuffer {
    walker: Walker,
    /// Octets of the message, line ends put right, dots not doubled.
    size: u64,
}

impl Stuffer {
    /// A stuffer at the start of a message that may hold no more than `allowed`.
    pub fn new(endings: LineEndings, allowed: ContentClass) -> Self {
        Self { walker: Walker::new(endings, allowed), size: 0 }
    }

    /// A stuffer of a message that is known to be good: a [`Scan`](crate::Scan)
    /// went through it, or it came out of an [`Unstuffer`](crate::Unstuffer) that
    /// had no [`problem`](crate::Unstuffer::problem).
    ///
    /// It looks for dots only. A lone CR or LF would be sent as it is, and mail
    /// could be smuggled behind it: what may have changed since is not known to
    /// be good.
    pub fn trusting() -> Self {
        Self { walker: Walker::trusting(), size: 0 }
    }

    #[cfg(test)]
    pub(super) fn work(&self) -> super::look::Work {
        self.walker.work()
    }

    #[cfg(test)]
    pub(super) fn state(&self) -> impl Eq + core::hash::Hash + use<> {
        self.walker.state()
    }

    /// Appends one more chunk of the message.
    ///
    /// # Errors
    ///
    /// The message holds what must not be sent. Its end must not be sent then.
    pub fn push(&mut self, chunk: &Bytes, queue: &mut SendQueue) -> Result<(), ContentError> {
        self.walker.walk(chunk, &mut Onto { chunk, queue, size: &mut self.size, dots: true })
    }

    /// Completes the last line, and gives the place in the stream where the end
    /// of the data begins: all before it is message. Then appends that end.
    ///
    /// # Errors
    ///
    /// The message has failed before, ends in a lone CR, or is not of the size
    /// that was told of it, if one was. Its end is not appended.
    pub fn finish(&mut self, told: Option<u64>, queue: &mut SendQueue) -> Result<u64, ContentError> {
        finish(&mut self.walker, &mut self.size, told, queue)?;
        let end = queue.mark();
        queue.put(b".\r\n");
        Ok(end)
    }
}

/// Completes the last line and compares the size with what was told of it.
pub(super) fn finish(
    walker: &mut Walker,
    size: &mut u64,
    told: Option<u64>,
    queue: &mut SendQueue,
) -> Result<(), ContentError> {
    // Whoever tells a size may not count the line end that the last line lacks.
    let given = *size;
    walker.finish(&mut Onto { chunk: &Bytes::new(), queue, size, dots: false })?;
    match told.is_some_and(|told| told != given && told != *size) {
        true => Err(walker.error(ContentProblem::WrongSize, 0)),
        false => Ok(()),
    }
}

/// The walk, put onto a queue.
pub(super) struct Onto<'a> {
    pub(super) chunk: &'a Bytes,
    pub(super) queue: &'a mut SendQueue,
    /// Octets of the message.
    pub(super) size: &'a mut u64,
    /// Whether dots are doubled.
    pub(super) dots: bool,
}

impl Sink for Onto<'_> {
    fn run(&mut self, from: usize, to: usize) {
        *self.size = self.size.saturating_add(to.saturating_sub(from) as u64);
        self.queue.push_part(self.chunk, from..to);
    }

    fn put(&mut self, octets: &'static [u8]) {
        *self.size = self.size.saturating_add(octets.len() as u64);
        self.queue.put(octets);
    }

    fn dot(&mut self) {
        if self.dots {
            self.queue.put(b".");
        }
    }
}
