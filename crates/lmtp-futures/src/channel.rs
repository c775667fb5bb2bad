//! What the driver of a connection and the application share of one message.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use lmtp_proto::server::{BodyError, Stale};
use lmtp_proto::{RecipientId, Reply};

/// Octets of content that wait for the application; then reading stops.
const ROOM: usize = 128 * 1024;
/// What a piece costs beside its octets.
const PIECE: usize = 64;

/// One message between its driver, which fills in content and takes out verdicts,
/// and the application, which does it the other way round.
///
/// Mostly both are one task. Then nobody has to be woken: the driver lets the
/// application have its turn behind its own.
pub(crate) struct Channel(Mutex<State>);

#[derive(Default)]
struct State {
    /// Content that waits to be taken.
    pieces: VecDeque<Bytes>,
    /// What that costs.
    filled: usize,
    /// Whether the content is whole, or void.
    ending: Option<Result<(), BodyError>>,
    /// The application does not want any more of it.
    unread: bool,
    /// Who waits for content.
    reader: Option<Waker>,

    /// Who has a verdict.
    judged: Vec<bool>,
    /// How many have none.
    missing: usize,
    /// Verdicts on their way to the machine.
    given: Vec<(RecipientId, Reply)>,
    /// No verdict counts any more.
    over: bool,
    /// Who waits for verdicts, or for room; nobody while the driver has its turn.
    driver: Option<Waker>,
}

impl Channel {
    /// A message for so many recipients.
    pub(crate) fn new(recipients: usize) -> Self {
        let state = State { judged: vec![false; recipients], missing: recipients, ..State::default() };
        Self(Mutex::new(state))
    }

    /// Nothing that is done under the lock can panic half-way.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The driver's end.
impl Channel {
    /// The driver has its turn: it need not be woken.
    pub(crate) fn take_turn(&self) {
        self.state().driver = None;
    }

    /// The driver's turn ends: gives what there is to be told to the machine. `None` if
    /// there is nothing, and no room that it waits for; it is woken when there is.
    pub(crate) fn end_turn(&self, waits_for_room: bool, context: &Context<'_>) -> Option<Vec<(RecipientId, Reply)>> {
        let mut state = self.state();
        if state.given.is_empty() && !(waits_for_room && state.has_room()) {
            state.driver = Some(context.waker().clone());
            return None;
        }
        Some(mem::take(&mut state.given))
    }

    /// Whether more may be read: there is room, or no more content will come.
    pub(crate) fn has_room(&self) -> bool {
        self.state().has_room()
    }

    /// One more piece of the content.
    pub(crate) fn push(&self, octets: Bytes, context: &Context<'_>) {
        let mut state = self.state();
        if !state.unread {
            state.filled += octets.len() + PIECE;
            state.pieces.push_back(octets);
            state.wake_reader(context);
        }
    }

    /// The content is whole, or void: the first word stands.
    pub(crate) fn end(&self, ending: Result<(), BodyError>, context: &Context<'_>) {
        let mut state = self.state();
        if state.ending.is_none() {
            if ending.is_err() {
                state.forget_content();
            }
            state.ending = Some(ending);
            state.wake_reader(context);
        }
    }

    /// No verdict counts from here on; gives whether all had been given.
    pub(crate) fn close(&self) -> bool {
        let mut state = self.state();
        state.over = true;
        state.missing == 0
    }
}

/// The application's end.
impl Channel {
    pub(crate) fn poll_next(&self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        let mut state = self.state();
        if let Some(octets) = state.pieces.pop_front() {
            state.filled -= octets.len() + PIECE;
            state.wake_driver();
            return Poll::Ready(Ok(Some(octets)));
        }
        if let Some(ending) = &state.ending {
            return Poll::Ready(ending.clone().map(|()| None));
        }
        state.reader = Some(context.waker().clone());
        Poll::Pending
    }

    /// What is left of a piece that was not taken whole.
    pub(crate) fn put_back(&self, rest: Bytes) {
        let mut state = self.state();
        state.filled += rest.len() + PIECE;
        state.pieces.push_front(rest);
    }

    /// The application has dropped its body.
    pub(crate) fn stop_reading(&self) {
        let mut state = self.state();
        state.unread = true;
        state.forget_content();
        state.wake_driver();
    }

    pub(crate) fn recipients(&self) -> usize {
        self.state().judged.len()
    }

    pub(crate) fn give(&self, recipient: RecipientId, reply: Reply) -> Result<(), Stale> {
        let mut state = self.state();
        if state.over {
            return Err(Stale);
        }
        match state.judged.get_mut(recipient.index()) {
            Some(judged @ false) => *judged = true,
            _ => return Err(Stale),
        }
        state.missing -= 1;
        state.given.push((recipient, reply));
        state.wake_driver();
        Ok(())
    }

    pub(crate) fn give_rest(&self, reply: &Reply) {
        let mut state = self.state();
        if state.over || state.missing == 0 {
            return;
        }
        state.missing = 0;
        let State { judged, given, .. } = &mut *state;
        for (recipient, judged) in (0..).map(RecipientId).zip(judged) {
            if !mem::replace(judged, true) {
                given.push((recipient, reply.clone()));
            }
        }
        state.wake_driver();
    }
}

impl State {
    fn has_room(&self) -> bool {
        self.filled < ROOM || self.ending.is_some()
    }

    fn forget_content(&mut self) {
        self.pieces = VecDeque::new();
        self.filled = 0;
    }

    /// Of the same task, the reader has its turn anyway.
    fn wake_reader(&mut self, context: &Context<'_>) {
        if let Some(reader) = self.reader.take()
            && !reader.will_wake(context.waker())
        {
            reader.wake();
        }
    }

    fn wake_driver(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }
}

/// Sizes only: it is somebody's letter.
impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Channel")
            .field("filled", &state.filled)
            .field("missing", &state.missing)
            .finish_non_exhaustive()
    }
}
