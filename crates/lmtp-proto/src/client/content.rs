//! How the content of one message goes onto the wire: behind DATA, or in chunks.

use alloc::string::ToString;

use bytes::Bytes;

use super::inflight::Expected;
use super::table::{Input, State};
use super::{Client, Line};
use crate::codec::encode_command;
use crate::value::Command;
use crate::{Chunker, ContentClass, ContentError, Error, LineEndings, SendQueue, Stuffer};

/// What writes the content.
#[derive(Debug)]
pub(super) enum Writer {
    Data(Stuffer),
    Chunks {
        chunker: Chunker,
        /// Where a chunk is put together, for its size is said before it.
        chunk: SendQueue,
    },
}

/// A chunk that was queued.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) command: Command,
    /// Octets of the command.
    pub(super) octets: usize,
    /// Octets of the chunk itself.
    pub(super) size: u64,
}

/// The end of the content, queued.
#[derive(Debug)]
pub(super) struct End {
    /// The last octet in the stream that must be written before anybody could
    /// take the message for complete.
    pub(super) place: u64,
    /// The last chunk, if the content went out in chunks.
    pub(super) chunk: Option<Chunk>,
}

impl Writer {
    pub(super) fn new(chunked: bool, endings: LineEndings, allowed: ContentClass) -> Self {
        match chunked {
            false => Self::Data(Stuffer::new(endings, allowed)),
            true => Self::Chunks { chunker: Chunker::new(endings, allowed), chunk: SendQueue::new() },
        }
    }

    pub(super) fn is_chunked(&self) -> bool {
        matches!(self, Self::Chunks { .. })
    }

    /// Queues one more piece.
    pub(super) fn push(&mut self, piece: &Bytes, queue: &mut SendQueue) -> Result<Option<Chunk>, ContentError> {
        match self {
            Self::Data(stuffer) => stuffer.push(piece, queue).map(|()| None),
            Self::Chunks { chunker, chunk } => {
                chunker.push(piece, chunk)?;
                Ok((!chunk.is_empty()).then(|| flush(chunk, false, queue)))
            }
        }
    }

    /// Queues the last piece and the end.
    pub(super) fn end(&mut self, piece: &Bytes, told: Option<u64>, queue: &mut SendQueue) -> Result<End, ContentError> {
        match self {
            // From the first octet of the end on it is in the peer's hands: some
            // take less than the whole for it.
            Self::Data(stuffer) => {
                stuffer.push(piece, queue)?;
                Ok(End { place: stuffer.finish(told, queue)?, chunk: None })
            }
            // A chunk is counted: without its last octet it is no chunk.
            Self::Chunks { chunker, chunk } => {
                chunker.push(piece, chunk)?;
                chunker.finish(told, chunk)?;
                let begin = queue.mark();
                let last = flush(chunk, true, queue);
                let place = if last.size == 0 { begin } else { queue.mark().saturating_sub(1) };
                Ok(End { place, chunk: Some(last) })
            }
        }
    }
}

/// Moves a chunk behind its command.
fn flush(chunk: &mut SendQueue, last: bool, queue: &mut SendQueue) -> Chunk {
    let size = chunk.len() as u64;
    let command = Command::Bdat { size, last };
    let before = queue.len();
    encode_command(&command, queue);
    let octets = queue.len().saturating_sub(before);
    queue.append(chunk);
    Chunk { command, octets, size }
}

impl Client {
    /// A chunk that is not the last was queued.
    pub(super) fn chunk_left(&mut self, chunk: &Chunk) {
        self.in_flight.push(Expected::Chunk, self.queue.mark(), chunk.octets);
        self.note(|| Line::Command(chunk.command.to_string()));
        self.note(|| Line::Content { octets: chunk.size });
    }

    /// Whether a chunk may leave now.
    pub(super) fn has_room_for_chunk(&self) -> bool {
        let window = if self.pipelines() { self.config.limits.outstanding_chunks } else { 1 };
        self.in_flight.chunks() < window.max(1)
    }

    /// The content will not be complete. Between two chunks the session goes on.
    pub(super) fn fail_content(&mut self, error: Error) {
        if self.state != State::Chunks {
            return self.fail(error);
        }
        self.stop_current(error.into());
    }

    /// Sends the end of the data, or the last chunk.
    pub(super) fn end_content(&mut self) {
        self.content_ends = false;
        let Some(transaction) = self.transactions.current_mut() else { return };
        match transaction.end(&mut self.queue) {
            Ok((End { chunk: Some(last), .. }, _)) => {
                self.note(|| Line::Command(last.command.to_string()));
                self.note(|| Line::Content { octets: last.size });
            }
            Ok((_, octets)) => {
                self.note(|| Line::Content { octets });
                self.note(|| Line::EndOfData);
            }
            Err(error) => return self.fail_content(Error::Content(error)),
        }
        self.take_step(Input::ContentEnds);
    }
}
