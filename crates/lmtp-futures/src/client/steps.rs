//! A message step by step.

use std::fmt;

use bytes::Bytes;
use lmtp_proto::client::Event;
use lmtp_proto::value::{MailParams, RcptParams};
use lmtp_proto::{
    Content as Known, Fault, ForwardPath, Misuse, NotDelivered, Reply, Report, ReversePath, TransactionId,
};

use super::{Client, machine};
use crate::Runtime;

impl<R: Runtime> Client<R> {
    /// Opens a transaction, to be gone through step by step: MAIL leaves, and its
    /// answer is awaited. A MAIL that is refused is an answer to each recipient.
    ///
    /// # Errors
    ///
    /// The session is over.
    pub async fn mail(&mut self, from: ReversePath) -> Result<Transaction<'_, R>, Misuse> {
        self.mail_with(from, MailParams::default(), Known::UNKNOWN).await
    }

    /// The same with parameters for MAIL, and what is known of the content. SIZE and
    /// BODY follow from that.
    ///
    /// # Errors
    ///
    /// The session is over.
    pub async fn mail_with(
        &mut self,
        from: ReversePath,
        params: MailParams,
        content: Known,
    ) -> Result<Transaction<'_, R>, Misuse> {
        self.settle().await;
        let id = machine::of_mut(&mut self.machine).mail(from, params, content)?;
        self.under_way = true;
        let mut transaction = Transaction { open: Open { client: self, id, over: false, answered: None } };
        transaction.open.until(|event| matches!(event, Event::Sender(answered, _) if *answered == id)).await;
        Ok(transaction)
    }
}

/// A transaction that recipients are added to.
///
/// Dropped, it is given up: the client goes on with the next message, and RSET comes
/// before that.
pub struct Transaction<'c, R: Runtime> {
    open: Open<'c, R>,
}

impl<'c, R: Runtime> Transaction<'c, R> {
    /// Names a recipient, and gives the answer to it: a 4yz or 5yz is no error, others
    /// may still be accepted. Where MAIL was refused, that is the answer, and the
    /// server is not asked.
    ///
    /// # Errors
    ///
    /// The line or the peer has failed, and the recipient is *unsent*.
    pub async fn rcpt(&mut self, to: ForwardPath) -> Result<Reply, Fault> {
        self.rcpt_with(to, RcptParams::default()).await
    }

    /// The same with parameters for RCPT.
    ///
    /// # Errors
    ///
    /// The line or the peer has failed, and the recipient is *unsent*.
    pub async fn rcpt_with(&mut self, to: ForwardPath, params: RcptParams) -> Result<Reply, Fault> {
        let machine = machine::of_mut(&mut self.open.client.machine);
        let id = machine.rcpt(to, params).map_err(misused)?;
        self.open.until(|event| matches!(event, Event::Recipient(_, answered, _) if *answered == id)).await;
        if let Some(Event::Recipient(_, _, reply)) = self.open.answered.take() {
            return Ok(reply);
        }
        let report = self.open.client.report();
        let answer = report.as_ref().and_then(|report| Some(report.recipients().nth(id.index())?.reply()?.clone()));
        answer.ok_or_else(|| {
            let fault = report.as_ref().and_then(Report::error).cloned();
            self.open.client.explain(fault.unwrap_or_else(|| misused(Misuse::Over)), None)
        })
    }

    /// Says that these are all. Where one was accepted, DATA or the first BDAT comes
    /// next, and the content.
    ///
    /// # Errors
    ///
    /// Nobody is left to send to. The report is in it: every recipient has its
    /// outcome.
    pub async fn data(mut self) -> Result<Content<'c, R>, NotDelivered> {
        // One that is over has nothing to be closed, and no content either.
        let _ = machine::of_mut(&mut self.open.client.machine).data();
        self.open.until(|event| matches!(event, Event::BodyWanted(_))).await;
        match self.open.over {
            false => Ok(Content { open: self.open }),
            true => Err(NotDelivered { report: self.open.finish() }),
        }
    }

    /// What has become of the message so far.
    pub fn report(&self) -> Option<Report> {
        self.open.client.report()
    }
}

/// The content of a message, to be written.
///
/// Dropped, it is given up: its end is never sent, so that no server can take a part
/// for the whole, and the connection is closed where it cannot go on.
pub struct Content<'c, R: Runtime> {
    open: Open<'c, R>,
}

impl<R: Runtime> Content<'_, R> {
    /// Writes the next part of the message: as it is, for dots are doubled here. Waits
    /// while much is on its way.
    ///
    /// # Errors
    ///
    /// The line or the peer has failed, or the message holds what must not be sent;
    /// [`finish`](Self::finish) has the report.
    pub async fn write(&mut self, octets: impl Into<Bytes>) -> Result<(), Fault> {
        let machine = machine::of_mut(&mut self.open.client.machine);
        machine.body(octets.into()).map_err(misused)?;
        self.open.until(|event| matches!(event, Event::BodyWanted(_))).await;
        if !self.open.over {
            return Ok(());
        }
        let fault = self.open.client.report().and_then(|report| report.error().cloned());
        Err(self.open.client.explain(fault.unwrap_or_else(|| misused(Misuse::Over)), None))
    }

    /// Ends the message and waits for the answer for each recipient.
    pub async fn finish(mut self) -> Report {
        // One that is over wants no end.
        let _ = machine::of_mut(&mut self.open.client.machine).end();
        self.open.until(|_| false).await;
        self.open.finish()
    }

    /// What has become of the message so far.
    pub fn report(&self) -> Option<Report> {
        self.open.client.report()
    }
}

/// A client amid a message. Dropped, the message is given up.
struct Open<'c, R: Runtime> {
    client: &'c mut Client<R>,
    id: TransactionId,
    /// All is known of the message.
    over: bool,
    /// The last event that was waited for.
    answered: Option<Event>,
}

impl<R: Runtime> Open<'_, R> {
    /// Goes on until that event, or until the message is over.
    async fn until(&mut self, is_it: impl Fn(&Event) -> bool) {
        self.answered = None;
        while !self.over && self.answered.is_none() {
            match self.client.next_event().await {
                // Others were given up by calls before.
                Ok(Some(Event::Done(done))) => self.over = done == self.id,
                Ok(None) | Err(_) => self.over = true,
                Ok(Some(event)) => self.answered = Some(event).filter(|event| is_it(event)),
            }
        }
    }

    /// The report of a message that is over.
    fn finish(&mut self) -> Report {
        let report = self.client.take_report(None);
        self.client.under_way = false;
        report.expect("a message that is over has a report")
    }
}

impl<R: Runtime> Drop for Open<'_, R> {
    fn drop(&mut self) {
        if self.client.under_way {
            machine::of_mut(&mut self.client.machine).give_up();
        }
    }
}

fn misused(misuse: Misuse) -> Fault {
    Fault::new(lmtp_proto::FaultKind::Usage, lmtp_proto::Phase::Rcpt, misuse.to_string())
}

impl<R: Runtime> fmt::Debug for Transaction<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("client", &self.open.client).finish()
    }
}

impl<R: Runtime> fmt::Debug for Content<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("client", &self.open.client).finish()
    }
}
