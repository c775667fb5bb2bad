//! One connection of a server, as all who have to do with it share it.
//!
//! The thread of the connection runs the machine and the application in turn:
//! whoever wants content drives the machine until there is some, whoever gives a
//! verdict writes it. So no message costs a change of threads. What the application
//! does not do in time is done for it: [`Line::look_after`] is called from time to
//! time by the thread that accepts, and takes over.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lmtp_proto::server::{Ask, BodyError, Event, Question, Server, Stale};
use lmtp_proto::{Reply, TransactionId};
use socket2::Socket;

use super::Shutdown;
use super::machine::Machine;
use super::state::{Content, State};
use crate::drive::Connection;

/// How long the application may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// To answer a question, or to take content.
    pub(super) handler: Duration,
    /// To give the next verdict.
    pub(super) verdict: Duration,
}

/// One connection of a server.
pub(super) struct Line {
    state: Mutex<State>,
    /// The message whose verdicts count. Held while one is given, and never taken by
    /// who holds `state`.
    judging: Mutex<Option<TransactionId>>,
    /// Tells whoever waits for another thread to do its part.
    changed: Condvar,
    patience: Patience,
    shutdown: Shutdown,
}

impl Line {
    pub(super) fn new(machine: Machine, socket: Socket, patience: Patience, shutdown: Shutdown) -> Self {
        let state = State::new(Connection::new(machine, socket));
        Self { state: Mutex::new(state), judging: Mutex::default(), changed: Condvar::new(), patience, shutdown }
    }

    /// Nothing of the application's runs under the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next event; `None` when the session is over, or no longer ours.
    pub(super) fn next(&self) -> Option<Event> {
        loop {
            let mut state = self.state();
            if state.taken {
                return None;
            }
            let event = state.ahead.pop_front();
            if event.is_some() || state.ended {
                return event;
            }
            if let Some(event) = state.go_on(&self.shutdown) {
                return Some(event);
            }
        }
    }

    /// Puts a question to the application, and its answer to the client. Gives back
    /// what was asked if the answer was a yes, and in time.
    pub(super) fn decide(&self, question: Question, ask: impl FnOnce(&Ask) -> Result<(), Reply>) -> Option<Ask> {
        let decision = self.call(|| ask(question.ask()))?;
        let yes = decision.is_ok();
        self.state().server().resolve(question, decision).ok().filter(|_| yes)
    }

    /// Calls the application. `None` if that came to nothing: it panicked, or it took
    /// too long.
    pub(super) fn call<R>(&self, call: impl FnOnce() -> R) -> Option<R> {
        self.state().give_word(self.patience.handler)?;
        let result = catch_unwind(AssertUnwindSafe(call));
        let mut state = self.state();
        state.until = None;
        if result.is_err() {
            state.fail();
        }
        result.ok().filter(|_| !state.taken)
    }

    /// Does something with the machine, if it is still ours.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Machine) -> R) -> Option<R> {
        let mut state = self.state();
        (!state.taken).then(|| act(&mut state.connection.machine))
    }

    /// The session is over for the application. Gives what ended it, if it did not end
    /// as it should.
    pub(super) fn close(&self) -> Option<Box<dyn std::error::Error + Send + Sync>> {
        let mut state = self.state();
        if !state.taken {
            state.linger();
        }
        let error = state.error.take()?;
        Some(state.connection.lost.take().map_or_else(|| error.into(), Into::into))
    }

    /// Nobody runs the application any more.
    pub(super) fn leave(&self) {
        self.state().left = true;
    }

    /// Whether nothing will be said any more, though the application may still hold
    /// on to it, or be late.
    pub(super) fn is_over(&self) -> bool {
        let state = self.state.try_lock();
        state.is_ok_and(|state| state.left || state.taken && state.ended)
    }
}

/// A message.
impl Line {
    /// The content of a message begins.
    pub(super) fn begin(&self, id: TransactionId) {
        *self.judging() = Some(id);
        let mut state = self.state();
        state.message = Some(id);
        (state.content, state.wanted, state.over) = (Content::Coming, true, false);
    }

    /// The next piece of the content; `None` when it was whole.
    pub(super) fn read_content(&self, id: TransactionId) -> Result<Option<Bytes>, BodyError> {
        loop {
            let mut state = self.state();
            match &state.content {
                _ if state.taken || state.message != Some(id) => return Err(BodyError::Abandoned),
                Content::Whole => return Ok(None),
                Content::Void(error) => return Err(error.clone()),
                Content::Coming => {}
            }
            state.until = None;
            let octets = state.next_content(&self.shutdown);
            let patience = if octets.is_some() { self.patience.handler } else { self.patience.verdict };
            state.until = Some(Instant::now() + patience);
            if octets.is_some() {
                return Ok(octets);
            }
            self.notify(&state);
        }
    }

    /// The application does not want any more of the content.
    pub(super) fn stop_reading(&self, id: TransactionId) {
        let mut state = self.state();
        state.wanted &= state.message != Some(id);
        self.notify(&state);
    }

    /// Gives verdicts, and writes what can leave.
    pub(super) fn judge(
        &self,
        id: TransactionId,
        give: impl FnOnce(&mut Server) -> Result<(), Stale>,
    ) -> Result<(), Stale> {
        let judging = self.judging();
        if *judging != Some(id) {
            return Err(Stale);
        }
        let mut state = self.state();
        if state.taken || state.over {
            return Err(Stale);
        }
        give(state.server())?;
        if matches!(state.content, Content::Whole) {
            state.flush();
            state.until = state.until.map(|_| Instant::now() + self.patience.verdict);
        }
        self.notify(&state);
        Ok(())
    }

    /// Brings a message to its end, which the application has left: content that it
    /// did not take is read for nobody, and other threads may still have its body or
    /// its verdicts.
    pub(super) fn finish(&self) {
        let mut state = self.state();
        state.until = Some(Instant::now() + self.patience.verdict);
        while matches!(state.content, Content::Coming) && !state.taken {
            if state.wanted && !state.failed {
                state = self.wait(state);
            } else {
                state.until = None;
                state.next_content(&self.shutdown);
                state.until = Some(Instant::now() + self.patience.verdict);
            }
        }
        while !(state.over || state.ended || state.taken) {
            state = self.wait(state);
        }
        state.until = None;
        drop(state);
        *self.judging() = None;
    }

    /// Waits until something is another thread's doing.
    fn wait<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.waiting = true;
        let mut state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.waiting = false;
        state
    }

    /// Mostly nobody waits, and then it need not be a call to the system.
    fn notify(&self, state: &State) {
        if state.waiting {
            self.changed.notify_all();
        }
    }

    fn judging(&self) -> MutexGuard<'_, Option<TransactionId>> {
        self.judging.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the application does not do its part.
impl Line {
    /// Takes the machine over if the application is late.
    pub(super) fn look_after(self: &Arc<Self>, now: Instant) {
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody is at it.
            Err(TryLockError::WouldBlock) => return,
        };
        if state.until.is_none_or(|until| now < until) {
            return;
        }
        (state.taken, state.until) = (true, None);
        state.fail();
        self.notify(&state);
        let line = Arc::clone(self);
        let spawned = thread::Builder::new().name("lmtp-late".into()).spawn(move || line.run_out());
        if spawned.is_err() {
            state.end();
        }
    }

    /// Runs the machine to its end without the application.
    fn run_out(&self) {
        loop {
            let mut state = self.state();
            state.ahead.clear();
            if state.ended {
                return state.linger();
            }
            if let Some(Event::Question(_)) = state.go_on(&self.shutdown) {
                state.server().give_up();
            }
        }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}
