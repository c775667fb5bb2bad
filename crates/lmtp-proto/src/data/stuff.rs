//! The message as DATA sends it (RFC 5321 section 4.5.2).

use bytes::Bytes;

use super::walk::{Sink, Walker};
use super::{ContentClass, ContentError, LineEndings};
use crate::SendQueue;

/// Turns a message into what follows DATA: a dot more before each line that
/// begins with one, and at the end a dot alone.
///
/// Nothing is copied but short runs: the queue shares the caller's `Bytes`.
#[derive(Debug, Clone)]
pub struct Stuffer {
    walker: Walker,
}

impl Stuffer {
    /// A stuffer at the start of a message that may hold no more than `allowed`.
    pub fn new(endings: LineEndings, allowed: ContentClass) -> Self {
        Self { walker: Walker::new(endings, allowed) }
    }

    /// Appends one more chunk of the message.
    ///
    /// # Errors
    ///
    /// The message holds what must not be sent. Its end must not be sent then.
    pub fn push(&mut self, chunk: &Bytes, queue: &mut SendQueue) -> Result<(), ContentError> {
        self.walker.walk(chunk, &mut Onto { chunk, queue })
    }

    /// Completes the last line, and gives the place in the stream where the end
    /// of the data begins: all before it is message. Then appends that end.
    ///
    /// # Errors
    ///
    /// The message ends in a lone CR.
    pub fn finish(&mut self, queue: &mut SendQueue) -> Result<u64, ContentError> {
        self.walker.finish(&mut Onto { chunk: &Bytes::new(), queue })?;
        let end = queue.mark();
        queue.put(b".\r\n");
        Ok(end)
    }
}

/// The walk, put onto a queue.
struct Onto<'a> {
    chunk: &'a Bytes,
    queue: &'a mut SendQueue,
}

impl Sink for Onto<'_> {
    fn run(&mut self, from: usize, to: usize) {
        if from < to {
            self.queue.push(self.chunk.slice(from..to));
        }
    }

    fn put(&mut self, octets: &'static [u8]) {
        self.queue.put(octets);
    }

    fn dot(&mut self) {
        self.queue.put(b".");
    }
}
