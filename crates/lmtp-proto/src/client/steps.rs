//! A transaction step by step: recipients come while it is open.

use super::table::{Input, State};
use super::transaction::Transaction;
use super::{Client, Event, Glance};
use crate::report::FaultKind;
use crate::value::{ForwardPath, MailParams, RcptParams, ReversePath, Verb};
use crate::{Content, Envelope, Error, Fault, Misuse, Phase, RecipientId, TransactionId};

impl Client {
    /// Opens a transaction to which recipients are added by [`rcpt`](Self::rcpt),
    /// until [`data`](Self::data) says that they are all. MAIL leaves at once.
    ///
    /// SIZE and BODY are not taken from the parameters, they follow from
    /// `content`; SMTPUTF8 is, for whether a recipient needs it is not known yet.
    ///
    /// # Errors
    ///
    /// As for [`deliver`](Self::deliver).
    pub fn mail(&mut self, from: ReversePath, params: MailParams, content: Content) -> Result<TransactionId, Misuse> {
        self.may_add()?;
        let params = MailParams { size: None, body: None, ..params };
        let id = self.next_id();
        self.add(Transaction::new(id, Envelope::open(from, params), content).open());
        Ok(id)
    }

    /// Adds a recipient to the transaction that is open. Its RCPT leaves as soon as
    /// it may, and [`Event::Recipient`] tells the answer. The server is asked for each,
    /// whatever limits it announces.
    ///
    /// When the transaction is [over](Event::Done) before its content, because MAIL was
    /// refused or the connection lost, nobody is asked, and the report has the reason
    /// for each who is added until it is taken.
    ///
    /// # Errors
    ///
    /// No transaction is open, or it has as many recipients as it can have.
    pub fn rcpt(&mut self, to: ForwardPath, params: RcptParams) -> Result<RecipientId, Misuse> {
        let Some(transaction) = self.transactions.open_mut() else { return Err(Misuse::NoTransaction) };
        let id = transaction.add(to, params).ok_or(Misuse::Busy)?;
        self.glance = Glance::Due;
        if let Some(usable) = &self.usable
            && let Some(reply) = transaction.check(id, usable)
        {
            self.events.push_back(Event::Recipient(transaction.id(), id, reply));
        }
        if let Some(error) = &self.error
            && transaction.is_over()
        {
            transaction.stop(error.clone().into(), self.queue.sent());
        }
        Ok(id)
    }

    /// Says that the open transaction has all its recipients: when each has its
    /// answer and one was accepted, the content is asked for by
    /// [`Event::BodyWanted`]; else the message is [over](Event::Done).
    ///
    /// # Errors
    ///
    /// No transaction is open.
    pub fn data(&mut self) -> Result<(), Misuse> {
        let Some(transaction) = self.transactions.open_mut() else { return Err(Misuse::NoTransaction) };
        transaction.close();
        self.glance = Glance::Due;
        Ok(())
    }

    /// Sends RSET, whether the server has something to forget or not;
    /// [`Event::Reset`] tells that it was answered.
    ///
    /// # Errors
    ///
    /// A message is under way or its report was not taken, or the session is over
    /// or not yet open.
    pub fn reset(&mut self) -> Result<(), Misuse> {
        if self.leaving || self.error.is_some() || self.state == State::Over {
            return Err(Misuse::Over);
        }
        if !matches!(self.state, State::Ready | State::NeedsReset) || !self.transactions.is_empty() {
            return Err(Misuse::Busy);
        }
        self.take_step(Input::Say(Verb::Rset));
        Ok(())
    }

    /// Gives up every message whose end has not left, *unsent*. What the server
    /// still owes is heard to its end, and RSET comes before the next message; where
    /// content has begun behind DATA the connection is over.
    ///
    /// A message whose end has left can be given up no more: it is over when its
    /// answers are in. One whose commands went out behind it can be given up then;
    /// so call this again after each event, until every report was taken.
    pub fn give_up(&mut self) {
        while let Some(transaction) = self.transactions.waiting() {
            transaction.stop(given_up(Phase::Mail), 0);
        }
        self.tell();
        match self.state {
            _ if self.error.is_some() => {}
            State::Resetting | State::Sender | State::Recipients { .. } | State::Data => {
                self.stop_current(given_up(self.phase()));
            }
            State::Content | State::Chunks => self.fail_content(Error::BodyFailed),
            _ => {}
        }
    }

    /// The message is given up and the session goes on.
    pub(super) fn stop_current(&mut self, fault: Fault) {
        if let Some(transaction) = self.transactions.current_mut() {
            transaction.give_up(fault);
        }
        self.take_step(Input::GiveUp);
    }

    /// What is to be said next in a transaction that goes step by step, when
    /// everything said has its answer.
    pub(super) fn next_step(&self) -> Option<Verb> {
        match self.state {
            State::Recipients { .. } if self.in_flight.is_empty() => self.transactions.current()?.next_step(),
            _ => None,
        }
    }
}

fn given_up(phase: Phase) -> Fault {
    Fault::new(FaultKind::Closed, phase, "given up by the caller")
}
