//! The message as BDAT sends it (RFC 3030 section 2).

use bytes::Bytes;

use super::stuff::{Onto, finish};
use super::walk::Walker;
use super::{ContentClass, ContentError, ContentProblem, LineEndings};
use crate::SendQueue;

/// Turns a message into the octets of BDAT chunks. Dots are not doubled: a chunk
/// is counted, not looked through for its end.
///
/// A [`ContentClass::Binary`] message goes out as it comes in. Any other is made
/// of lines and is held to what DATA holds it to: its line ends are CRLF (RFC 3030
/// section 2), so that whoever passes it on by DATA passes on the same message.
///
/// Nothing is copied but short runs: the queue shares the caller's `Bytes`.
#[derive(Debug, Clone)]
pub struct Chunker {
    walker: Walker,
    binary: bool,
    /// Octets of the message, line ends put right.
    size: u64,
}

impl Chunker {
    /// A chunker at the start of a message that may hold no more than `allowed`.
    pub fn new(endings: LineEndings, allowed: ContentClass) -> Self {
        Self { walker: Walker::new(endings, allowed), binary: allowed == ContentClass::Binary, size: 0 }
    }

    /// Appends one more piece of the message.
    ///
    /// # Errors
    ///
    /// The message holds what must not be sent. Its last chunk must not be sent
    /// then.
    pub fn push(&mut self, piece: &Bytes, queue: &mut SendQueue) -> Result<(), ContentError> {
        let mut onto = Onto { chunk: piece, queue, size: &mut self.size, dots: false };
        if self.binary {
            super::walk::Sink::run(&mut onto, 0, piece.len());
            return Ok(());
        }
        self.walker.walk(piece, &mut onto)
    }

    /// Completes the last line, if the message is made of lines.
    ///
    /// # Errors
    ///
    /// The message has failed before, ends in a lone CR, or is not of the size
    /// that was told of it, if one was.
    pub fn finish(&mut self, told: Option<u64>, queue: &mut SendQueue) -> Result<(), ContentError> {
        match (self.binary, told) {
            (false, told) => finish(&mut self.walker, &mut self.size, told, queue),
            (true, Some(told)) if told != self.size => Err(self.walker.error(ContentProblem::WrongSize, self.size)),
            (true, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use bytes::Buf;
    use proptest::prelude::*;

    fn chunked(pieces: &[&[u8]], class: ContentClass, told: Option<u64>) -> Result<Vec<u8>, ContentProblem> {
        let mut queue = SendQueue::new();
        let mut chunker = Chunker::new(LineEndings::Reject, class);
        for piece in pieces {
            chunker.push(&Bytes::copy_from_slice(piece), &mut queue).map_err(|error| error.problem)?;
        }
        chunker.finish(told, &mut queue).map_err(|error| error.problem)?;
        Ok(queue.copy_to_bytes(queue.remaining()).to_vec())
    }

    proptest! {
        /// A binary message is what comes out, octet by octet.
        #[test]
        fn binary_goes_out_as_it_comes_in(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..5)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let all = pieces.concat();
            prop_assert_eq!(chunked(&pieces, ContentClass::Binary, Some(all.len() as u64)), Ok(all));
        }
    }

    #[test]
    fn lines_are_held_to_what_data_holds_them_to() {
        let class = ContentClass::SevenBit;
        assert_eq!(chunked(&[b".a\r", b"\n.\r\nb"], class, None), Ok(b".a\r\n.\r\nb\r\n".to_vec()));
        assert_eq!(chunked(&[b"a\nb"], class, None), Err(ContentProblem::BareLf));
        assert_eq!(chunked(&[b"a\r", b"b"], class, None), Err(ContentProblem::BareCr));
        assert_eq!(chunked(&[b"\r\n\xe9"], class, None), Err(ContentProblem::EightBit));
        assert_eq!(chunked(&[b"a\0"], class, None), Err(ContentProblem::Nul));
    }

    #[test]
    fn the_told_size_is_kept() {
        assert_eq!(chunked(&[b"\0\n"], ContentClass::Binary, Some(3)), Err(ContentProblem::WrongSize));
        assert_eq!(chunked(&[b"ab"], ContentClass::SevenBit, Some(3)), Err(ContentProblem::WrongSize));
        assert_eq!(chunked(&[b"ab"], ContentClass::SevenBit, Some(4)), Ok(b"ab\r\n".to_vec()));
    }
}
