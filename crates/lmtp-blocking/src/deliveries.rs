//! Messages one behind the other.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::iter::Fuse;
use std::mem;

use lmtp_proto::client::Event;
use lmtp_proto::client::table::State;
use lmtp_proto::{Envelope, Report, TransactionId};

use crate::{Body, Client};

/// The reports of messages that are sent one behind the other, as an iterator.
///
/// It sends while it is asked. Dropped before its end, it leaves messages half
/// way: [`Client::report`] tells of the first, and the next call to the client
/// gives them up.
#[must_use = "nothing is sent before the reports are asked for"]
pub struct Deliveries<'a, 'm, I> {
    client: &'a mut Client,
    messages: Fuse<I>,
    /// What was taken from `messages` and has not been reported, in order.
    begun: VecDeque<Begun<'m>>,
    /// What was left by calls before was given up.
    settled: bool,
}

/// A message whose report is due.
enum Begun<'m> {
    /// The machine has it.
    Given { id: TransactionId, body: Body<'m>, failed: Option<io::Error> },
    /// It cannot be sent to anybody.
    Unsent(Box<Report>),
}

impl<'a, 'm, I, B> Deliveries<'a, 'm, I>
where
    I: Iterator<Item = (Envelope, B)>,
    B: Into<Body<'m>>,
{
    pub(crate) fn new(client: &'a mut Client, messages: I) -> Self {
        Self { client, messages: messages.fuse(), begun: VecDeque::new(), settled: false }
    }

    /// Gives the machine as many messages as it may have at once, or one to be told
    /// that it cannot be sent.
    fn begin(&mut self) {
        while (self.begun.is_empty() || self.client.machine().has_room())
            && let Some((envelope, body)) = self.messages.next()
        {
            let mut body = body.into();
            let begun = match body.content(self.client.endings) {
                Err(fault) => Begun::Unsent(Box::new(Report::unsent(envelope, fault))),
                Ok(content) => match self.client.machine().deliver(envelope, content) {
                    Ok(id) => {
                        self.client.under_way = true;
                        Begun::Given { id, body, failed: None }
                    }
                    // Only a client that has said QUIT refuses, and that is gone.
                    Err(_) => return,
                },
            };
            self.begun.push_back(begun);
        }
    }

    /// Whether that is the first whose report is due, and not one that was given up.
    fn is_first(&self, done: TransactionId) -> bool {
        matches!(self.begun.front(), Some(Begun::Given { id, .. }) if *id == done)
    }

    /// The report of the first, if all is known.
    fn take(&mut self) -> Option<Report> {
        let report = match self.begun.pop_front()? {
            Begun::Unsent(report) => Some(*report),
            Begun::Given { failed, .. } => self.client.take_report(failed),
        };
        self.client.under_way = self.begun.iter().any(|begun| matches!(begun, Begun::Given { .. }));
        report
    }

    fn give(&mut self, wanted: TransactionId) {
        for begun in &mut self.begun {
            if let Begun::Given { id, body, failed } = begun
                && *id == wanted
            {
                *failed = self.client.give(body).err();
            }
        }
    }
}

impl<'m, I, B> Iterator for Deliveries<'_, 'm, I>
where
    I: Iterator<Item = (Envelope, B)>,
    B: Into<Body<'m>>,
{
    type Item = Report;

    fn next(&mut self) -> Option<Report> {
        if !mem::replace(&mut self.settled, true) {
            self.client.settle();
        }
        loop {
            self.begin();
            if let Begun::Unsent(_) = self.begun.front()? {
                return self.take();
            }
            match self.client.next_event() {
                Ok(Some(Event::BodyWanted(wanted))) => self.give(wanted),
                // With every answer in, one thing may still have to be said: the
                // lone dot before the connection is closed.
                Ok(Some(Event::Done(done))) if self.is_first(done) && self.client.machine().state() != State::Over => {
                    return self.take();
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return self.take(),
            }
        }
    }
}

impl<I> fmt::Debug for Deliveries<'_, '_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries")
            .field("client", &self.client)
            .field("begun", &self.begun.len())
            .finish_non_exhaustive()
    }
}
