//! A clock that can be waited for.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Instant;

/// A runtime's clock, set again and again on one connection.
pub trait Timer: Send + Unpin {
    /// A clock that nobody waits for.
    fn new() -> Self;

    /// The time by this clock.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Waits for that moment, whatever was waited for before.
    fn poll_until(&mut self, context: &mut Context<'_>, moment: Instant) -> Poll<()>;

    /// The same as a future.
    fn until(&mut self, moment: Instant) -> impl Future<Output = ()> + Send
    where
        Self: Sized,
    {
        poll_fn(move |context| self.poll_until(context, moment))
    }
}
