//! A client, seen from another thread.

use std::net::Shutdown;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard};

use lmtp_proto::{Fault, FaultKind, Phase};
use socket2::Socket;

use crate::connect::Dialled;

/// A client, seen from another thread: what it waits for, and the way to stop
/// it. Clones see the same client; one handle is for one client at a time.
#[derive(Debug, Clone, Default)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// A handle for a client to be made with
    /// [`Builder::handle`](crate::Builder::handle).
    pub fn new() -> Self {
        Self::default()
    }

    /// Closes the connection, or gives up making one. Whatever the client waits
    /// for from the server ends, and its report says what is known of each
    /// recipient. A reader of the caller's that blocks goes on blocking.
    pub fn cancel(&self) {
        let link = std::mem::replace(&mut *self.shared.link(), Link::Cancelled);
        match link {
            Link::None | Link::Cancelled => {}
            Link::Dialling(report) => {
                let _ = report.send(Err(cancelled(Phase::Connect)));
            }
            Link::Open(socket) => {
                let _ = socket.shutdown(Shutdown::Both);
            }
        }
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        matches!(*self.shared.link(), Link::Cancelled)
    }

    /// What the client waits for, or waited for last.
    pub fn phase(&self) -> Phase {
        let index = self.shared.phase.load(Ordering::Relaxed);
        Phase::ALL.get(usize::from(index)).copied().unwrap_or(Phase::Connect)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// An index into [`Phase::ALL`].
    phase: AtomicU8,
    link: Mutex<Link>,
}

/// What there is to be cancelled.
#[derive(Debug, Default)]
enum Link {
    #[default]
    None,
    Dialling(Sender<Dialled>),
    Open(Socket),
    Cancelled,
}

impl Shared {
    /// A client begins to connect; there is none before it that is still open.
    pub(crate) fn dialling(&self, report: Sender<Dialled>) -> Result<(), Fault> {
        if matches!(*self.link(), Link::Dialling(_) | Link::Open(_)) {
            let message = "this handle belongs to a client that is still open";
            return Err(Fault::new(FaultKind::Usage, Phase::Connect, message));
        }
        self.enter(Phase::Connect);
        self.become_link(Link::Dialling(report))
    }

    /// The client is gone, or was never there: nothing is left to be cancelled,
    /// and nothing keeps the socket open.
    pub(crate) fn release(&self) {
        let mut link = self.link();
        if !matches!(*link, Link::Cancelled) {
            *link = Link::None;
        }
    }

    pub(crate) fn connected(&self, socket: &Socket) -> Result<(), Fault> {
        let socket = socket.try_clone().map_err(|error| {
            Fault::new(FaultKind::Connect, Phase::Connect, format!("cannot share the socket: {error}"))
        })?;
        self.become_link(Link::Open(socket))
    }

    fn become_link(&self, link: Link) -> Result<(), Fault> {
        let mut current = self.link();
        if matches!(*current, Link::Cancelled) {
            return Err(cancelled(Phase::Connect));
        }
        *current = link;
        Ok(())
    }

    pub(crate) fn enter(&self, phase: Phase) {
        let index = Phase::ALL.iter().position(|&one| one == phase).unwrap_or_default();
        self.phase.store(u8::try_from(index).unwrap_or_default(), Ordering::Relaxed);
    }

    /// A thread that panicked has left nothing half done here.
    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

pub(crate) fn cancelled(phase: Phase) -> Fault {
    Fault::new(FaultKind::Closed, phase, "cancelled")
}
