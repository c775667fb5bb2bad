//! Messages one behind the other.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::iter::Fuse;
use std::task::Poll;

use lmtp_proto::client::Event;
use lmtp_proto::client::table::State;
use lmtp_proto::{Envelope, Phase, Report, TransactionId};

use super::{Body, Client, machine};
use crate::Runtime;

/// The reports of messages that are sent one behind the other.
///
/// It sends while it is asked. Dropped before its end, it leaves messages half
/// way: [`Client::report`] tells of the first, and the next call to the client
/// gives them up.
#[must_use = "nothing is sent before the reports are asked for"]
pub struct Deliveries<'c, 'm, R: Runtime, I> {
    client: &'c mut Client<R>,
    messages: Fuse<I>,
    /// What was taken from `messages` and has not been reported, in order.
    begun: VecDeque<Begun<'m>>,
    /// What was left by calls before was given up.
    settled: bool,
}

/// A message whose report is due.
enum Begun<'m> {
    /// It is looked through; only the last can be so.
    Read(Envelope, Body<'m>),
    /// The machine has it.
    Given { id: TransactionId, body: Body<'m>, failed: Option<io::Error> },
    /// It cannot be sent to anybody.
    Unsent(Box<Report>),
}

impl<'c, 'm, R, I, B> Deliveries<'c, 'm, R, I>
where
    R: Runtime,
    I: Iterator<Item = (Envelope, B)>,
    B: Into<Body<'m>>,
{
    pub(super) fn new(client: &'c mut Client<R>, messages: I) -> Self {
        Self { client, messages: messages.fuse(), begun: VecDeque::new(), settled: false }
    }

    /// The report of the next message, when it is over; `None` when there are no more.
    /// A future that is dropped has lost nothing: ask again.
    pub async fn next(&mut self) -> Option<Report> {
        if !self.settled {
            self.client.settle().await;
            self.settled = true;
        }
        loop {
            self.begin().await;
            if let Begun::Unsent(_) = self.begun.front()? {
                return self.take();
            }
            match self.client.next_event().await {
                Ok(Some(Event::BodyWanted(wanted))) => self.give(wanted).await,
                // With every answer in, one thing may still have to be said: the
                // lone dot before the connection is closed.
                Ok(Some(Event::Done(done))) if self.is_first(done) && !self.is_closing() => return self.take(),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return self.take(),
            }
        }
    }

    /// Others were given up by calls before.
    fn is_first(&self, done: TransactionId) -> bool {
        matches!(self.begun.front(), Some(Begun::Given { id, .. }) if *id == done)
    }

    fn is_closing(&self) -> bool {
        machine::of(&self.client.machine).state() == State::Over
    }

    /// Gives the machine as many messages as it may have at once, or one to be told
    /// that it cannot be sent.
    async fn begin(&mut self) {
        loop {
            if !matches!(self.begun.back(), Some(Begun::Read(..))) {
                if !(self.begun.is_empty() || machine::of(&self.client.machine).has_room()) {
                    return;
                }
                let Some((envelope, body)) = self.messages.next() else { return };
                self.begun.push_back(Begun::Read(envelope, body.into()));
            }
            let Some(Begun::Read(_, body)) = self.begun.back_mut() else { return };
            let content = body.content(self.client.endings).await;
            let Some(Begun::Read(envelope, body)) = self.begun.pop_back() else { return };
            self.begun.push_back(match content {
                Err(fault) => Begun::Unsent(Box::new(Report::unsent(envelope, fault))),
                Ok(content) => match machine::of_mut(&mut self.client.machine).deliver(envelope, content) {
                    Ok(id) => {
                        self.client.under_way = true;
                        Begun::Given { id, body, failed: None }
                    }
                    // Only a client that has said QUIT refuses, and that is gone.
                    Err(_) => return,
                },
            });
        }
    }

    /// Gives the machine the next part of that message, or the end of it.
    async fn give(&mut self, wanted: TransactionId) {
        let client = &mut *self.client;
        let is_wanted = |begun: &&mut Begun<'m>| matches!(begun, Begun::Given { id, .. } if *id == wanted);
        let Some(Begun::Given { body, failed, .. }) = self.begun.iter_mut().find(is_wanted) else { return };
        client.handle.0.enter(Phase::Body);
        let chunk = poll_fn(|context| match body.poll_chunk(context) {
            // A session that is cancelled needs no more of it.
            Poll::Pending if !client.handle.0.waits(context) => Poll::Ready(None),
            polled => polled.map(Some),
        });
        let chunk = chunk.await;
        let machine = machine::of_mut(&mut client.machine);
        // The machine has asked, so it cannot be the wrong moment.
        let _ = match chunk {
            None => return,
            Some(Ok(chunk)) if chunk.is_empty() => machine.end(),
            Some(Ok(chunk)) => machine.body(chunk),
            Some(Err(error)) => {
                *failed = Some(error);
                machine.fail_body()
            }
        };
    }

    /// The report of the first, if all is known.
    fn take(&mut self) -> Option<Report> {
        let report = match self.begun.pop_front()? {
            Begun::Unsent(report) => Some(*report),
            Begun::Given { failed, .. } => self.client.take_report(failed),
            Begun::Read(..) => None,
        };
        self.client.under_way = self.begun.iter().any(|begun| matches!(begun, Begun::Given { .. }));
        report
    }
}

impl<R: Runtime, I> fmt::Debug for Deliveries<'_, '_, R, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries")
            .field("client", &self.client)
            .field("begun", &self.begun.len())
            .finish_non_exhaustive()
    }
}
