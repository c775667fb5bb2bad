//! The end of a server, and who is still at it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Ends a server, from wherever it is wanted.
#[derive(Clone, Default)]
pub struct Shutdown(Arc<Shared>);

#[derive(Default)]
struct Shared {
    down: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Who is to be told of the end, each in a place of its own.
    watching: Vec<Option<Waker>>,
    /// Places that are free.
    free: Vec<usize>,
    /// How many connections there are, with those that are turned away.
    connections: usize,
    /// Who waits for one to end.
    waiting: Vec<Waker>,
}

impl Shutdown {
    /// Ends the server: it takes no new connection, messages whose content is on its
    /// way are taken and answered, and each session ends with 421 at its next safe
    /// place (RFC 5321 section 3.8). Its `serve` returns when all have ended.
    pub fn shut_down(&self) {
        self.0.down.store(true, Ordering::SeqCst);
        let watching: Vec<Waker> = self.state().watching.iter_mut().filter_map(Option::take).collect();
        watching.into_iter().for_each(Waker::wake);
    }

    /// Whether it was ended.
    pub fn is_shut_down(&self) -> bool {
        self.0.down.load(Ordering::SeqCst)
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.state().connections
    }

    /// Nothing that is done under the lock can panic half-way.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody who is to be told of the end.
    pub(crate) fn watch(&self) -> Watch {
        Watch { shutdown: self.clone(), place: None, waker: None }
    }

    /// A place for a connection, to be given back when it is over.
    pub(crate) fn enter(&self) -> Place {
        self.state().connections += 1;
        Place(self.clone())
    }

    /// Waits until there are fewer connections than that.
    pub(crate) fn poll_fewer(&self, than: usize, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.connections < than {
            return Poll::Ready(());
        }
        if !state.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            state.waiting.push(context.waker().clone());
        }
        Poll::Pending
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Shutdown");
        shown.field("is_shut_down", &self.is_shut_down()).field("connections", &self.connections()).finish()
    }
}

/// Somebody who is to be told of the end.
pub(crate) struct Watch {
    shutdown: Shutdown,
    /// Where the waker is, once it is needed.
    place: Option<usize>,
    /// The one there, to see without the lock whether it is still right.
    waker: Option<Waker>,
}

impl Watch {
    /// Whether the server ends. If not, the task is woken when it does.
    pub(crate) fn poll_shut_down(&mut self, context: &Context<'_>) -> bool {
        let waker = context.waker();
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            let mut state = self.shutdown.state();
            let place = *self.place.get_or_insert_with(|| {
                state.free.pop().unwrap_or_else(|| {
                    state.watching.push(None);
                    state.watching.len() - 1
                })
            });
            state.watching[place] = Some(waker.clone());
            self.waker = Some(waker.clone());
        }
        self.shutdown.is_shut_down()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let mut state = self.shutdown.state();
            state.watching[place] = None;
            state.free.push(place);
        }
    }
}

/// A connection's place among the others, given back when it is dropped.
pub(crate) struct Place(Shutdown);

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.connections -= 1;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}
