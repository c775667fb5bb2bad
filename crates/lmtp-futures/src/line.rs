//! One connection of a server: its machine and its stream.

use std::any::Any;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use lmtp_proto::server::{Ask, Event, Question, Server};
use lmtp_proto::{Instant, Reply};

use crate::Transport;
use crate::machine::{self, Machine, MachineError};
use crate::shutdown::Watch;

/// So many events are taken before other tasks get their turn.
const BUDGET: u32 = 256;

/// One connection of a server.
pub(crate) struct Line<T> {
    transport: T,
    pub(crate) machine: Machine,
    /// Tells when the server shuts down.
    watch: Watch,
    /// An event that came before its turn.
    ahead: Option<Event>,
    /// How many more events before others get their turn.
    budget: u32,
    /// The session is over.
    pub(crate) ended: bool,
    pub(crate) error: Option<MachineError>,
    /// The application has panicked: nothing more is asked of it.
    pub(crate) failed: bool,
}

/// What the application made of something.
pub(crate) enum Made<R> {
    /// An answer.
    Answer(R),
    /// None in time: the conversation went on.
    TooLate,
    /// None ever.
    Panic,
}

impl<T: Transport> Line<T> {
    pub(crate) fn new(transport: T, machine: Machine, watch: Watch) -> Self {
        Self { transport, machine, watch, ahead: None, budget: BUDGET, ended: false, error: None, failed: false }
    }

    pub(crate) fn server(&mut self) -> &mut Server {
        machine::server(&mut self.machine)
    }

    /// The next event; `None` when the session is over.
    pub(crate) fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        if let Some(event) = self.ahead.take() {
            return Poll::Ready(Some(event));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        if self.watch.poll_shut_down(context) {
            self.server().shut_down();
        }
        if self.budget == 0 {
            self.budget = BUDGET;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let event = match self.transport.poll_next(context, &mut self.machine) {
            Poll::Pending => {
                self.budget = BUDGET;
                return Poll::Pending;
            }
            Poll::Ready(Ok(event)) => event,
            Poll::Ready(Err(error)) => {
                self.error = Some(error);
                None
            }
        };
        self.budget -= 1;
        if event.is_none() {
            self.ended = true;
            // At once, for the application may still have something to do.
            let _ = self.transport.poll_close(context);
        }
        Poll::Ready(event)
    }

    /// Puts back an event that came before its turn.
    pub(crate) fn put_back(&mut self, event: Event) {
        debug_assert!(self.ahead.is_none(), "one event too many");
        self.ahead = Some(event);
    }

    pub(crate) fn now(&self) -> Instant {
        self.transport.now()
    }

    pub(crate) fn poll_sleep(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        self.transport.poll_sleep(context, deadline)
    }

    /// What the stream said when it failed.
    pub(crate) fn lost(&self) -> Option<&io::Error> {
        self.transport.lost()
    }

    /// Lets the application think, and looks after the connection meanwhile: what is
    /// queued is written, deadlines pass, and the client may go.
    pub(crate) async fn made<R>(&mut self, future: impl Future<Output = R>) -> Made<R> {
        let mut future = pin!(future);
        let made = poll_fn(|context| match poll_guarded(future.as_mut(), context) {
            Poll::Ready(Ok(answer)) => Poll::Ready(Made::Answer(answer)),
            Poll::Ready(Err(_)) => Poll::Ready(Made::Panic),
            Poll::Pending => {
                if let Some(event) = ready!(self.poll_event(context)) {
                    self.put_back(event);
                }
                Poll::Ready(Made::TooLate)
            }
        })
        .await;
        if let Made::Panic = made {
            self.fail();
        }
        made
    }

    /// Answers a question by what the application made of it. Gives back what was
    /// asked if the answer was a yes, and in time.
    pub(crate) fn settle(&mut self, question: Question, made: Made<Result<(), Reply>>) -> Option<Ask> {
        let Made::Answer(decision) = made else { return None };
        let yes = decision.is_ok();
        self.server().resolve(question, decision).ok().filter(|_| yes)
    }

    /// Calls the application, which may panic.
    pub(crate) fn call<R>(&mut self, call: impl FnOnce() -> R) -> Option<R> {
        let result = catch_unwind(AssertUnwindSafe(call));
        if result.is_err() {
            self.fail();
        }
        result.ok()
    }

    /// The application has panicked: what was asked is answered 451, and the session
    /// ends at the next safe place.
    pub(crate) fn fail(&mut self) {
        self.server().give_up();
        self.end_soon();
    }

    /// Nothing more is asked of the application, and the session ends at the next
    /// safe place.
    pub(crate) fn end_soon(&mut self) {
        self.failed = true;
        self.server().shut_down();
    }
}

/// Polls the application, which may panic. Nothing of it is used afterwards.
pub(crate) fn poll_guarded<R>(
    future: Pin<&mut impl Future<Output = R>>,
    context: &mut Context<'_>,
) -> Poll<Result<R, Box<dyn Any + Send>>> {
    match catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    }
}
