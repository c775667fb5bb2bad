//! A clock that can be waited for.

use std::task::{Context, Poll};
use std::time::Instant;

/// A runtime's timer, set again and again on one connection.
pub trait Timer: Send + Unpin {
    /// Waits for that moment, whatever was waited for before.
    fn poll_until(&mut self, context: &mut Context<'_>, moment: Instant) -> Poll<()>;
}
