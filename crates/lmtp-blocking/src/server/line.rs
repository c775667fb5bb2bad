//! One connection of a server, as all who have to do with it share it.
//!
//! The thread of the connection runs the machine and the application in turn:
//! whoever wants content drives the machine until there is some, whoever gives a
//! verdict writes it. So no message costs a change of threads. What the application
//! does not do in time is done for it: [`Line::look_after`] is called from time to
//! time by the thread that accepts, and takes over.

use std::collections::VecDeque;
use std::fmt;
use std::net;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lmtp_proto::proxy::{self, Proxied};
use lmtp_proto::server::{self, Ask, BodyError, Event, Question, Server, Stale};
use lmtp_proto::{Machine as _, Reply, TransactionId};
use socket2::Socket;

use super::Shutdown;
use crate::drive::{Connection, Next, TICK};
use crate::socket::Stream as _;

/// What a server speaks with: LMTP, behind whatever is around it.
pub(super) type Machine = Proxied<Server>;
/// What ends it before its time.
pub(super) type Error = proxy::Error<server::Error>;

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

struct State {
    connection: Connection<Machine, Socket>,
    /// Events that came when they were not asked for.
    ahead: VecDeque<Event>,
    /// By when the application has to have done something, while it has the word.
    until: Option<Instant>,
    /// Since when a reply has been waiting for others to leave with.
    unsaid: Option<Instant>,
    /// The application has panicked or was late: nothing more is asked of it.
    failed: bool,
    /// Another thread runs the machine to its end.
    taken: bool,
    ended: bool,
    left: bool,
    error: Option<Error>,
    /// The message that was begun last.
    message: Option<TransactionId>,
    content: Content,
    /// The application may still want content.
    wanted: bool,
    /// The thread of the connection waits for another one's part.
    waiting: bool,
    /// The message has no verdict that could still be given.
    over: bool,
}

/// Where the content of the message is.
#[derive(Debug, Clone)]
enum Content {
    Coming,
    Whole,
    Void(BodyError),
}

impl Line {
    pub(super) fn new(machine: Machine, socket: Socket, patience: Patience, shutdown: Shutdown) -> Self {
        let state = State {
            connection: Connection::new(machine, socket),
            ahead: VecDeque::new(),
            until: None,
            unsaid: None,
            failed: false,
            taken: false,
            ended: false,
            left: false,
            error: None,
            message: None,
            content: Content::Whole,
            wanted: false,
            waiting: false,
            over: true,
        };
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
        match result {
            Ok(result) => (!state.taken).then_some(result),
            Err(_) => {
                state.fail();
                None
            }
        }
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

impl State {
    /// Drives the machine until it has something to tell; `None` if that is over, or
    /// it has nothing to tell for a while.
    fn go_on(&mut self, shutdown: &Shutdown) -> Option<Event> {
        if shutdown.is_shut_down() {
            self.server().shut_down();
        }
        match self.connection.next(|_| {}) {
            Ok(Next::Event(event)) => return Some(event),
            Ok(Next::Quiet) => {}
            Ok(Next::Closed) => self.end(),
            Err(error) => {
                self.error = Some(error);
                self.end();
            }
        }
        None
    }

    /// Writes what is to be written; what is to be told is told later.
    fn flush(&mut self) {
        loop {
            match self.connection.flush() {
                Ok(Next::Event(event)) => {
                    self.over |= matches!(event, Event::Over(..));
                    self.ahead.push_back(event);
                }
                Ok(Next::Quiet) => return,
                Ok(Next::Closed) => return self.end(),
                Err(error) => {
                    self.error = Some(error);
                    return self.end();
                }
            }
        }
    }

    /// Goes one step on with the content; gives a piece if that was one.
    fn next_content(&mut self, shutdown: &Shutdown) -> Option<Bytes> {
        match self.ahead.pop_front().or_else(|| self.go_on(shutdown)) {
            Some(Event::Content(_, octets)) => return Some(octets),
            Some(Event::End(_)) => {
                self.content = Content::Whole;
                // Verdicts may have been given before.
                self.flush();
            }
            Some(Event::Over(id, ending)) => {
                (self.content, self.over) = (Content::Void(ending.clone().into()), true);
                self.ahead.push_front(Event::Over(id, ending));
            }
            Some(event) => self.ahead.push_back(event),
            None if self.ended => self.content = Content::Void(BodyError::Abandoned),
            None => {}
        }
        None
    }

    /// The application has the word, for so long.
    fn give_word(&mut self, patience: Duration) -> Option<()> {
        if self.taken || self.failed {
            return None;
        }
        let now = Instant::now();
        // Replies leave together, but none waits for long.
        if self.server().transmit().is_empty() {
            self.unsaid = None;
        } else if now.duration_since(*self.unsaid.get_or_insert(now)) > TICK {
            self.unsaid = None;
            self.flush();
        }
        self.until = Some(now + patience);
        Some(())
    }

    /// Whatever the application owes is answered for it, and the session ends at the
    /// next safe place.
    fn fail(&mut self) {
        self.failed = true;
        self.server().give_up();
        self.server().shut_down();
    }

    fn end(&mut self) {
        self.ended = true;
        let _ = self.connection.stream.shutdown(net::Shutdown::Write);
    }

    /// Lets the peer take what was said: a socket that is closed with octets unread
    /// takes back what was written.
    fn linger(&mut self) {
        let until = Instant::now() + TICK;
        let socket = &mut self.connection.stream;
        let mut room = [0; 4096];
        if socket.set_read_timeout(Some(TICK)).is_ok() {
            while Instant::now() < until && matches!(socket.receive(&mut room), Ok(1..)) {}
        }
        let _ = socket.shutdown(net::Shutdown::Both);
    }

    fn server(&mut self) -> &mut Server {
        self.connection.machine.inner_mut()
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}
