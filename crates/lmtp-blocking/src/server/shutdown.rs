//! The end of a server, and who is still at it.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Ends a server, from wherever it is wanted.
#[derive(Clone, Default)]
pub struct Shutdown(Arc<Shared>);

#[derive(Default)]
struct Shared {
    down: AtomicBool,
    /// How many connections there are, with those that are turned away.
    connections: AtomicUsize,
    /// Wakes the thread that accepts.
    wake: OnceLock<UnixStream>,
}

impl Shutdown {
    /// Ends the server: it takes no new connection, messages whose content is on its
    /// way are taken and answered, and each session ends with 421 at its next safe
    /// place (RFC 5321 section 3.8), within about a second if nobody says anything. Its
    /// `serve` returns when all have ended.
    pub fn shut_down(&self) {
        self.0.down.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Whether it was ended.
    pub fn is_shut_down(&self) -> bool {
        self.0.down.load(Ordering::SeqCst)
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::SeqCst)
    }

    /// What becomes readable when there is something new.
    pub(super) fn alarm(&self) -> io::Result<Alarm> {
        let (wake, alarm) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        alarm.set_nonblocking(true)?;
        // A server serves once.
        let _ = self.0.wake.set(wake);
        Ok(Alarm(alarm))
    }

    /// A place for a connection, to be given back when it is over.
    pub(super) fn enter(&self) -> Place {
        self.0.connections.fetch_add(1, Ordering::SeqCst);
        Place(self.clone())
    }

    fn wake(&self) {
        if let Some(mut wake) = self.0.wake.get() {
            // Full, it is awake already.
            let _ = wake.write(&[0]);
        }
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Shutdown");
        shown.field("is_shut_down", &self.is_shut_down()).field("connections", &self.connections()).finish()
    }
}

/// The other end of what wakes the thread that accepts.
pub(super) struct Alarm(pub(super) UnixStream);

impl Alarm {
    /// It is heard, and silent again.
    pub(super) fn reset(&mut self) {
        while matches!(self.0.read(&mut [0; 64]), Ok(1..)) {}
    }
}

/// A connection's place among the others, given back when it is dropped.
pub(super) struct Place(Shutdown);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.connections.fetch_sub(1, Ordering::SeqCst);
        self.0.wake();
    }
}
