//! The contract between a machine and the driver that does its I/O.

use bytes::BytesMut;

use crate::{Instant, SendQueue};

/// A protocol machine: it decides, a driver moves the bytes.
///
/// # The five rules of a driver
///
/// 1. Do what [`poll_output`](Self::poll_output) says, then ask again.
/// 2. One read *or* one write at a time, and nothing else awaited with it: then
///    a dropped future has lost nothing, for all state is in the machine.
/// 3. [`poll_timeout`](Self::poll_timeout) bounds reads *and* writes. A read
///    whose time is up is still tried once, without waiting; only when there is
///    nothing to read, call [`handle_timeout`](Self::handle_timeout).
/// 4. A failed write is [`handle_write_closed`](Self::handle_write_closed), and
///    not the end: the machine goes on reading, for what the peer said before it
///    went away still counts, and explains why it went.
/// 5. An `Err` is final and repeats: close the stream.
///
/// A whole driver, here with a `Vec` for a socket:
///
/// ```
/// use lmtp_proto::{Instant, Machine, Output, bytes::Buf};
///
/// fn drive<M: Machine>(machine: &mut M, peer: &mut impl FnMut(&[u8]) -> Vec<u8>) -> Result<Option<M::Event>, M::Error> {
///     let now = Instant::ORIGIN; // a real driver reads its clock here
///     let mut answer = Vec::new();
///     loop {
///         match machine.poll_output(now)? {
///             Output::Event(event) => return Ok(Some(event)),
///             Output::Transmit => {
///                 let queue = machine.transmit();
///                 let written = queue.chunk().len();
///                 answer.extend(peer(queue.chunk()));
///                 queue.advance(written);
///             }
///             // Rule 3: the time is up, and there is nothing to read.
///             Output::Receive if answer.is_empty() && machine.poll_timeout() == Some(now) => machine.handle_timeout(now),
///             Output::Receive if answer.is_empty() => machine.handle_eof(),
///             Output::Receive => machine.input().extend(answer.drain(..)),
///             Output::StartTls => machine.handle_tls(), // after wrapping the stream
///             Output::Closed | Output::Wait => return Ok(None),
///         }
///     }
/// }
/// ```
///
/// Time is handed to [`poll_output`](Self::poll_output) because that is where
/// the machine learns that a write made progress; see decision 0002.
pub trait Machine {
    /// What the application hears.
    type Event;
    /// What ends the connection for good.
    type Error: core::error::Error + Clone + Send + Sync + 'static;

    /// What to do next. Ask again after having done it.
    ///
    /// # Errors
    ///
    /// The peer or the line failed. The same error is returned ever after.
    fn poll_output(&mut self, now: Instant) -> Result<Output<Self::Event>, Self::Error>;

    /// The octets to write: a [`Buf`](bytes::Buf) to be
    /// [`advance`](bytes::Buf::advance)d by what the stream took.
    fn transmit(&mut self) -> &mut SendQueue;

    /// The buffer to append what was read to. It comes with room reserved; a
    /// driver reads no further than that room.
    fn input(&mut self) -> &mut BytesMut;

    /// The peer will send no more, or nothing more can be read.
    fn handle_eof(&mut self);

    /// The peer can be sent no more.
    fn handle_write_closed(&mut self);

    /// Time has passed. Does nothing before [`poll_timeout`](Self::poll_timeout).
    fn handle_timeout(&mut self, now: Instant);

    /// The stream is encrypted from here on.
    fn handle_tls(&mut self);

    /// The moment to give up the read or write in hand.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// What a driver is to do next.
///
/// Not `non_exhaustive`: a driver must handle every output, and a new one is
/// meant to break it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Output<E> {
    /// Tell the application.
    Event(E),
    /// Write some of [`transmit`](Machine::transmit).
    Transmit,
    /// Read into [`input`](Machine::input).
    Receive,
    /// Every clear octet is out: encrypt the stream, then
    /// [`handle_tls`](Machine::handle_tls).
    StartTls,
    /// Close the stream; there is nothing left to say.
    Closed,
    /// Wait until the application has done its part, or for
    /// [`poll_timeout`](Machine::poll_timeout): there is no room to read more.
    /// Only a server says so.
    Wait,
}
