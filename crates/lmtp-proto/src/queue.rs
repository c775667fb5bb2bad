//! Octets on their way out.

use alloc::collections::VecDeque;
use core::fmt;
use core::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

/// Shorter runs are copied together: a segment of their own would cost more.
const COALESCE: usize = 256;

/// A queue of octets to write: shared slices of the caller's message beside
/// small runs of our own, in order.
///
/// It is a [`Buf`]: write [`chunk`](Buf::chunk), or with the feature `std` all
/// of [`chunks_vectored`](Buf::chunks_vectored), and
/// [`advance`](Buf::advance) by what was taken.
#[derive(Default)]
pub struct SendQueue {
    /// What comes after what; none of them is empty.
    segments: VecDeque<Segment>,
    /// All octets of our own, those of one segment behind those of the other. One
    /// buffer for all is filled again and again, whoever still waits.
    own: BytesMut,
    /// Octets in all segments.
    length: usize,
    /// Octets ever written.
    sent: u64,
}

/// Octets that stand together.
enum Segment {
    /// So many of our own.
    Own(usize),
    Shared(Bytes),
}

impl SendQueue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends octets by sharing them; short ones are copied.
    pub fn push(&mut self, octets: Bytes) {
        if octets.len() < COALESCE {
            return self.put(&octets);
        }
        self.length = self.length.saturating_add(octets.len());
        self.segments.push_back(Segment::Shared(octets));
    }

    /// Appends a part of some octets, as [`push`](Self::push) does: what is short
    /// is not even shared for a moment.
    pub(crate) fn push_part(&mut self, octets: &Bytes, part: Range<usize>) {
        match octets.get(part.clone()) {
            Some(short) if short.len() < COALESCE => self.put(short),
            Some(_) => self.push(octets.slice(part)),
            None => {}
        }
    }

    /// Appends octets by copying them.
    pub fn put(&mut self, octets: &[u8]) {
        if octets.is_empty() {
            return;
        }
        match self.segments.back_mut() {
            Some(Segment::Own(length)) => *length = length.saturating_add(octets.len()),
            _ => self.segments.push_back(Segment::Own(octets.len())),
        }
        self.length = self.length.saturating_add(octets.len());
        self.own.extend_from_slice(octets);
    }

    /// Appends all of another queue that has not been written; it is empty then.
    pub(crate) fn append(&mut self, other: &mut Self) {
        for segment in other.segments.drain(..) {
            match segment {
                Segment::Shared(octets) => self.push(octets),
                Segment::Own(length) => {
                    self.put(other.own.get(..length).unwrap_or_default());
                    other.own.advance(length);
                }
            }
        }
        other.length = 0;
    }

    /// Forgets all that has not been written.
    pub fn clear(&mut self) {
        self.segments.clear();
        self.own.clear();
        self.length = 0;
    }

    /// Gives back the room that a lot of octets took, if it is empty and had room
    /// for more than `kept`.
    pub(crate) fn shrink(&mut self, kept: usize) {
        if self.is_empty() {
            if self.segments.capacity().saturating_mul(size_of::<Segment>()) > kept {
                self.segments = VecDeque::new();
            }
            // The room in front of what was written counts, too.
            if self.own.capacity() > kept || self.own.try_reclaim(kept.saturating_add(1)) {
                self.own = BytesMut::new();
            }
        }
    }

    /// Octets not yet written.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether all is written.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Octets written since the queue was made.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// The value that [`sent`](Self::sent) has when all that is queued now has
    /// been written: the mark of a place in the stream.
    pub fn mark(&self) -> u64 {
        self.sent.saturating_add(self.length as u64)
    }

    /// Octets that stand together, one run after the other.
    fn runs(&self) -> impl Iterator<Item = &[u8]> {
        let mut own = &self.own[..];
        self.segments.iter().map(move |segment| match segment {
            Segment::Own(length) => own.split_off(..*length).unwrap_or_default(),
            Segment::Shared(octets) => octets,
        })
    }
}

impl Buf for SendQueue {
    fn remaining(&self) -> usize {
        self.length
    }

    fn chunk(&self) -> &[u8] {
        self.runs().next().unwrap_or_default()
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        slices.iter_mut().zip(self.runs()).map(|(slice, run)| *slice = std::io::IoSlice::new(run)).count()
    }

    /// # Panics
    ///
    /// When told that more was written than there was: the driver is wrong.
    fn advance(&mut self, written: usize) {
        assert!(written <= self.length, "advanced by {written} of {} octets", self.length);
        self.length = self.length.saturating_sub(written);
        self.sent = self.sent.saturating_add(written as u64);
        let mut rest = written;
        while rest > 0 {
            let Some(segment) = self.segments.front_mut() else { return };
            let taken = rest.min(segment.len());
            match segment {
                Segment::Own(length) => {
                    *length = length.saturating_sub(taken);
                    self.own.advance(taken);
                }
                Segment::Shared(octets) => octets.advance(taken),
            }
            if segment.len() == 0 {
                self.segments.pop_front();
            }
            rest = rest.saturating_sub(taken);
        }
    }
}

impl Segment {
    fn len(&self) -> usize {
        match self {
            Self::Own(length) => *length,
            Self::Shared(octets) => octets.len(),
        }
    }
}

impl fmt::Write for SendQueue {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}

/// Sizes only: what is queued may be somebody's letter.
impl fmt::Debug for SendQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendQueue").field("length", &self.length).field("sent", &self.sent).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is put in comes out, in order, however it is taken.
        #[test]
        fn first_in_first_out(
            runs in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..600)), 0..20),
            takes in prop::collection::vec(1_usize..700, 1..40),
        ) {
            let mut queue = SendQueue::new();
            let mut all = Vec::new();
            for (shared, run) in &runs {
                if *shared { queue.push(Bytes::copy_from_slice(run)) } else { queue.put(run) }
                all.extend_from_slice(run);
            }
            prop_assert_eq!(queue.len(), all.len());
            let mut out = Vec::new();
            let mut takes = takes.iter().cycle();
            while !queue.is_empty() {
                let take = queue.chunk().len().min(*takes.next().unwrap());
                out.extend_from_slice(&queue.chunk()[..take]);
                queue.advance(take);
            }
            prop_assert_eq!(&out, &all);
            prop_assert_eq!(queue.sent(), all.len() as u64);
        }
    }

    #[test]
    fn long_runs_are_shared() {
        let message = Bytes::from(alloc::vec![b'x'; 4096]);
        let mut queue = SendQueue::new();
        queue.put(b"DATA\r\n");
        queue.push(message.clone());
        queue.advance(6);
        assert_eq!(queue.chunk().as_ptr(), message.as_ptr());
    }

    #[test]
    #[should_panic(expected = "advanced by 2 of 1 octets")]
    fn a_driver_cannot_write_more_than_there_is() {
        let mut queue = SendQueue::new();
        queue.put(b"x");
        queue.advance(2);
    }
}
