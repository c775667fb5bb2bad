//! One message: the machine fills in its content, the application takes it and gives
//! verdicts, side by side in one task.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lmtp_proto::server::{BodyError, Ending, Event, Question};
use lmtp_proto::value::MailParams;
use lmtp_proto::{Envelope, Instant, TransactionId};

use crate::Incoming;
use crate::channel::Channel;
use crate::line::{Line, poll_guarded};
use crate::{Message, Session, Transport, Verdicts};

/// How long the application may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// To take content, when there is no more room for it.
    pub(crate) handler: Duration,
    /// To end, once nobody listens.
    pub(crate) verdict: Duration,
}

/// One message between the machine and the application.
struct Delivery<'a, T> {
    line: &'a mut Line<T>,
    channel: Arc<Channel>,
    id: TransactionId,
    patience: Patience,
    /// The application is at it.
    running: bool,
    /// How the transaction ended.
    ending: Option<Ending>,
    /// The application did not do its part in time.
    given_up: bool,
    /// The client's next question, which waits for the application.
    waiting: Option<Question>,
    /// What TRACE said meanwhile.
    traced: Option<String>,
    /// There is no room for more content.
    is_full: bool,
    /// The end of our patience.
    deadline: Option<Instant>,
}

/// Lets a session deliver a message, up to its end. Gives how the transaction ended,
/// if the session did not end with it, and what TRACE said behind it.
pub(crate) async fn deliver<T: Transport, S: Session>(
    line: &mut Line<T>,
    session: &mut S,
    id: TransactionId,
    envelope: Envelope,
    params: MailParams,
    patience: Patience,
) -> (Option<Ending>, Option<String>) {
    let channel = Arc::new(Channel::new(envelope.recipients().len()));
    let message = Message { id, envelope, params, body: Incoming(Arc::clone(&channel)) };
    let verdicts = Verdicts(Arc::clone(&channel));
    let future = line.call(|| session.deliver(message, verdicts));
    let running = future.is_some();
    let mut future = std::pin::pin!(async move {
        if let Some(future) = future {
            future.await;
        }
    });
    let mut delivery = Delivery {
        line,
        channel,
        id,
        patience,
        running,
        ending: None,
        given_up: false,
        waiting: None,
        traced: None,
        is_full: false,
        deadline: None,
    };
    poll_fn(|context| delivery.poll(context, future.as_mut())).await;
    let Delivery { line, channel, ending, waiting, traced, .. } = delivery;
    channel.close();
    if let Some(question) = waiting {
        line.put_back(Event::Question(question));
    }
    (ending, traced)
}

impl<T: Transport> Delivery<'_, T> {
    fn poll(&mut self, context: &mut Context<'_>, mut future: Pin<&mut impl Future<Output = ()>>) -> Poll<()> {
        self.channel.take_turn();
        loop {
            if self.poll_line(context).is_ready() {
                return Poll::Ready(());
            }
            if self.running {
                match poll_guarded(future.as_mut(), context) {
                    Poll::Ready(Ok(())) => self.running = false,
                    Poll::Ready(Err(_)) => {
                        self.running = false;
                        // Its verdicts are dropped, and so answered for.
                        self.line.end_soon();
                    }
                    Poll::Pending => {}
                }
            }
            if self.is_over() && !self.running {
                return Poll::Ready(());
            }
            let Some(verdicts) = self.channel.end_turn(self.is_full, context) else { return Poll::Pending };
            for (recipient, reply) in verdicts {
                // Late, if the machine has given up meanwhile.
                let _ = self.line.server().verdict(self.id, recipient, reply);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.ending.is_some() || self.line.ended
    }

    /// Lets the machine go as far as it goes; ready if the application is to be
    /// stopped.
    fn poll_line(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.line.ended {
                return self.poll_deadline(context, self.patience.verdict);
            }
            self.is_full = !self.given_up && !self.channel.has_room();
            if self.is_full {
                ready!(self.poll_deadline(context, self.patience.handler));
                self.given_up = true;
                self.line.server().give_up();
            }
            self.deadline = None;
            match ready!(self.line.poll_event(context)) {
                None => {
                    self.channel.end(Err(BodyError::Abandoned), context);
                    self.channel.close();
                }
                Some(Event::Content(_, octets)) => self.channel.push(octets, context),
                Some(Event::End(_)) => self.channel.end(Ok(()), context),
                Some(Event::Over(_, ending)) => {
                    self.channel.end(Err(ending.clone().into()), context);
                    let all_given = self.channel.close();
                    self.given_up |= ending == Ending::Answered && !all_given;
                    self.ending = Some(ending);
                    if self.given_up {
                        return Poll::Ready(());
                    }
                }
                Some(Event::Trace(name)) => self.traced = Some(name),
                Some(Event::Question(question)) if self.waiting.is_none() && self.running => {
                    self.waiting = Some(question);
                }
                Some(event) => {
                    // The time of the question that waited is over.
                    self.waiting = None;
                    self.line.put_back(event);
                    return Poll::Ready(());
                }
            }
        }
    }

    fn poll_deadline(&mut self, context: &mut Context<'_>, patience: Duration) -> Poll<()> {
        let deadline = *self.deadline.get_or_insert_with(|| self.line.now().saturating_add(patience));
        self.line.poll_sleep(context, deadline)
    }
}
