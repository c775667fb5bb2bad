//! What a runtime lends to a machine: a stream, a clock, and the loop.

use std::io;
use std::task::{Context, Poll};

use lmtp_proto::{Instant, Machine};

/// A connected stream with a clock, and the loop that serves a machine with
/// both.
///
/// The five rules of [`Machine`] are kept here. A future that polls a transport
/// may be dropped at any time: what was read is in the machine, and what was not
/// written is still there.
pub trait Transport: Send + Unpin {
    /// Does what the machine asks, until it has an event; `None` when it has
    /// nothing more to say and the stream is to be closed.
    ///
    /// # Errors
    ///
    /// The peer or the line failed, for good.
    fn poll_next<M: Machine>(
        &mut self,
        context: &mut Context<'_>,
        machine: &mut M,
    ) -> Poll<Result<Option<M::Event>, M::Error>>;

    /// Waits for that moment.
    fn poll_sleep(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()>;

    /// The time that has passed on this stream.
    fn now(&self) -> Instant;

    /// What the stream said when it failed.
    fn lost(&self) -> Option<&io::Error>;

    /// Tells the peer that nothing more will be written, at once or never: a
    /// stream that is dropped closes anyway.
    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}
