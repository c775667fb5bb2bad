//! The content, as it comes in behind DATA and BDAT.

use super::say::{Canned, Said};
use super::table::{Action, Answer, Input, State};
use super::transaction::Body;
use super::{Error, Event, Server};
use crate::Piece;

/// A chunk whose octets are being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Octets still to come.
    pub(super) left: u64,
    /// Whether BDAT said LAST.
    pub(super) last: bool,
    /// What is said instead of taking it.
    pub(super) dropped: Option<Canned>,
}

impl Server {
    /// Takes the next piece of what follows DATA; `false` if more must be read.
    pub(super) fn take_content(&mut self) -> bool {
        let Some(transaction) = &mut self.transaction else { return false };
        let Body::Stuffed(unstuffer) = &mut transaction.body else { return false };
        let there = self.input.len();
        let piece = unstuffer.next(&mut self.input);
        transaction.read = transaction.read.saturating_add(there.saturating_sub(self.input.len()) as u64);
        let limit = self.config.limits.message_size;
        let too_large = unstuffer.received() > limit;
        // What is wrong behind the limit is not what is wrong first.
        let problem = unstuffer.problem().is_some_and(|problem| problem.offset <= limit);
        let ends = piece == Some(Piece::End);
        let more = piece.is_some();
        if let Some(Piece::Content(octets)) = piece
            && transaction.refused.is_none()
            && !too_large
        {
            self.events.push_back(Event::Content(transaction.id, octets));
        }
        if problem {
            self.refuse_message(Canned::BARE_NEWLINE.reply());
        } else if too_large {
            self.refuse_message(Canned::TOO_LARGE.reply());
        }
        if self.is_too_much() {
            return true;
        }
        if ends {
            self.take_step(Input::EndOfData);
            self.conclude();
        }
        more
    }

    /// Begins to read a chunk that was refused before it came, or that answers
    /// nothing.
    pub(super) fn drop_chunk(&mut self, left: u64, last: bool, words: Canned) {
        self.chunk = Some(Chunk { left, last, dropped: Some(words) });
    }

    /// Begins to read a chunk of the message.
    pub(super) fn begin_chunk(&mut self, left: u64, last: bool) {
        let limit = self.config.limits.message_size;
        let read = self.content_read();
        if read.saturating_add(left) > limit {
            self.refuse_message(Canned::TOO_LARGE.reply());
        }
        self.chunk = Some(Chunk { left, last, dropped: None });
    }

    /// Takes what is there of a chunk; `false` if more must be read.
    pub(super) fn take_chunk(&mut self) -> bool {
        let Some(chunk) = &mut self.chunk else { return false };
        if chunk.left == 0 {
            let chunk = *chunk;
            self.chunk = None;
            self.end_chunk(chunk);
            return true;
        }
        let length = usize::try_from(chunk.left).unwrap_or(usize::MAX).min(self.input.len());
        if length == 0 {
            return false;
        }
        let octets = self.input.split_to(length).freeze();
        chunk.left = chunk.left.saturating_sub(length as u64);
        let kept = chunk.dropped.is_none();
        let mut good = true;
        let Some(transaction) = &mut self.transaction else {
            self.drained = self.drained.saturating_add(length as u64);
            self.is_too_much();
            return true;
        };
        transaction.read = transaction.read.saturating_add(length as u64);
        if kept
            && transaction.refused.is_none()
            && let Body::Chunked(text) = &mut transaction.body
        {
            let id = transaction.id;
            good = text.push(octets, |octets| self.events.push_back(Event::Content(id, octets)));
        }
        if !good {
            self.refuse_message(Canned::BARE_NEWLINE.reply());
        }
        self.is_too_much();
        true
    }

    /// All octets of a chunk have been read.
    fn end_chunk(&mut self, chunk: Chunk) {
        match chunk.dropped {
            // Of a transaction: its last chunk is answered for each recipient,
            // of whom there may be none (RFC 2033 section 4.3).
            Some(_) if chunk.last && self.state == State::BrokenChunks => self.end_last_chunk(),
            Some(words) => self.say(&Said::Canned(words)),
            None if chunk.last => self.end_last_chunk(),
            None => {
                let refused = self.transaction.as_ref().and_then(|transaction| transaction.refused.clone());
                let answer = if refused.is_some() { Answer::No } else { Answer::Yes };
                self.take_step(Input::Chunk(answer));
                self.say(&refused.map_or(Said::Canned(Canned::CHUNK), Said::Reply));
            }
        }
    }

    fn end_last_chunk(&mut self) {
        if let Some(transaction) = &mut self.transaction
            && transaction.refused.is_none()
            && let Body::Chunked(text) = &mut transaction.body
        {
            let id = transaction.id;
            if !text.finish(|octets| self.events.push_back(Event::Content(id, octets))) {
                self.refuse_message(Canned::BARE_NEWLINE.reply());
            }
        }
        self.take_step(Input::LastChunk);
        self.conclude();
    }

    /// The end of the message was read: each accepted recipient is due a reply.
    fn conclude(&mut self) {
        let Some(transaction) = &self.transaction else { return };
        match &transaction.refused {
            Some(reply) => self.verdicts.overrule(reply),
            None => self.events.push_back(Event::End(transaction.id)),
        }
        self.release();
    }

    /// Gives up on a client that sends more than can be read for nothing.
    fn is_too_much(&mut self) -> bool {
        let limits = &self.config.limits;
        let for_nothing = self.chunk.is_some_and(|chunk| chunk.dropped.is_some())
            || self.transaction.as_ref().is_none_or(|transaction| transaction.refused.is_some());
        let much = for_nothing && self.content_read() > limits.message_size.saturating_add(limits.drained);
        if much {
            self.close(Canned::TOO_MUCH, Some(Error::TooMuch));
        }
        much
    }

    /// Octets of content read so far in this transaction, or outside any.
    pub(super) fn content_read(&self) -> u64 {
        self.transaction.as_ref().map_or(self.drained, |transaction| transaction.read)
    }

    /// What the table says of a BDAT.
    pub(super) fn hear_chunk(&mut self, action: Action, size: u64, last: bool) {
        if action == Action::TakeChunk {
            return self.begin_chunk(size, last);
        }
        self.refuse_message(Canned::CHUNK_LOST.reply());
        self.drop_chunk(size, last, Canned::CHUNK_LOST);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Ending};
    use super::*;
    use crate::{Instant, Machine, Output};
    use bytes::Buf;

    /// A session in the middle of its content, of which a lone LF is the next octet.
    #[test]
    fn a_refusal_is_told_before_more_is_read() {
        let mut server = Server::new(Config::default());
        let group = b"LHLO client.example\r\nMAIL FROM:<ann@x>\r\nRCPT TO:<bob@x>\r\nDATA\r\n";
        server.input().extend_from_slice(group);
        loop {
            match server.poll_output(Instant::ORIGIN).unwrap() {
                Output::Event(Event::Question(question)) => server.accept(question).unwrap(),
                Output::Transmit => {
                    let length = server.transmit().remaining();
                    server.transmit().advance(length);
                }
                Output::Receive => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(server.state(), State::Content);
        server.input().extend_from_slice(b"\n");
        let told = server.poll_output(Instant::ORIGIN).unwrap();
        assert!(matches!(told, Output::Event(Event::Over(_, Ending::Refused(_)))), "{told:?}");
        assert_eq!(server.poll_output(Instant::ORIGIN), Ok(Output::Receive));
    }
}
