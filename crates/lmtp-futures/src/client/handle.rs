//! A client, seen from another task.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use lmtp_proto::{Fault, FaultKind, Phase};

/// A client, seen from another task: what it waits for, and the way to stop it.
/// Clones see the same client; one handle is for one client at a time.
#[derive(Debug, Clone, Default)]
pub struct Handle {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// An index into [`Phase::ALL`].
    phase: AtomicU8,
    cancelled: AtomicBool,
    /// A client has it.
    taken: AtomicBool,
    /// Who waits, and is to be told.
    waiting: Mutex<Option<Waker>>,
}

impl Handle {
    /// A handle for a client to be made with [`Builder::handle`](crate::Builder::handle).
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives up the session, or making it. Whatever the client waits for ends, and its
    /// report says what is known of each recipient.
    pub fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::SeqCst);
        let waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::SeqCst)
    }

    /// What the client waits for, or waited for last.
    pub fn phase(&self) -> Phase {
        let index = self.shared.phase.load(Ordering::Relaxed);
        Phase::ALL.get(usize::from(index)).copied().unwrap_or(Phase::Connect)
    }

    pub(super) fn enter(&self, phase: Phase) {
        let index = Phase::ALL.iter().position(|&one| one == phase).unwrap_or_default();
        self.shared.phase.store(u8::try_from(index).unwrap_or_default(), Ordering::Relaxed);
    }

    /// Whether to go on waiting: if so, a cancellation wakes this task.
    pub(super) fn waits(&self, context: &Context<'_>) -> bool {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waiting {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        !self.is_cancelled()
    }

    /// A client takes it, for as long as it lives.
    pub(super) fn take(&self) -> Result<Taken, Fault> {
        if self.shared.taken.swap(true, Ordering::SeqCst) {
            let message = "this handle belongs to a client that is still open";
            return Err(Fault::new(FaultKind::Usage, Phase::Connect, message));
        }
        self.enter(Phase::Connect);
        Ok(Taken(self.clone()))
    }
}

/// A handle in a client's hands.
#[derive(Debug)]
pub(super) struct Taken(pub(super) Handle);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.shared.taken.store(false, Ordering::SeqCst);
    }
}

pub(super) fn cancelled(phase: Phase) -> Fault {
    Fault::new(FaultKind::Closed, phase, "cancelled")
}
