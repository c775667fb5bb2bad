//! A message step by step.

use std::fmt;

use bytes::Bytes;
use lmtp_proto::client::Event;
use lmtp_proto::value::{MailParams, RcptParams};
use lmtp_proto::{
    Content as Known, Fault, ForwardPath, Misuse, NotDelivered, Reply, Report, ReversePath, TransactionId,
};

use crate::Client;

impl Client {
    /// Opens a transaction, to be gone through step by step: MAIL leaves, and its
    /// answer is awaited. A MAIL that is refused is an answer to each recipient.
    ///
    /// # Errors
    ///
    /// The session is over.
    pub fn mail(&mut self, from: ReversePath) -> Result<Transaction<'_>, Misuse> {
        self.mail_with(from, MailParams::default(), Known::UNKNOWN)
    }

    /// The same with parameters for MAIL, and what is known of the content. SIZE and
    /// BODY follow from that.
    ///
    /// # Errors
    ///
    /// The session is over.
    pub fn mail_with(
        &mut self,
        from: ReversePath,
        params: MailParams,
        content: Known,
    ) -> Result<Transaction<'_>, Misuse> {
        self.settle();
        let id = self.machine().mail(from, params, content)?;
        self.under_way = true;
        let mut transaction = Transaction { open: Open { client: self, id, over: false, answered: None } };
        transaction.open.until(|event| matches!(event, Event::Sender(answered, _) if *answered == id));
        Ok(transaction)
    }
}

/// A transaction that recipients are added to.
///
/// ```no_run
/// # use lmtp_blocking::Client;
/// let mut client = Client::connect("unix:/run/lmtp")?;
/// let mut transaction = client.mail("ann@example.org".parse()?)?;
/// let answer = transaction.rcpt("bob@example.org".parse()?)?;
/// println!("{answer}"); // 250 2.1.5 Ok
/// let mut content = transaction.data()?;
/// content.write("Subject: hi\r\n\r\n")?;
/// content.write("Hello!\r\n")?;
/// let report = content.finish();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What would be said in a wrong order does not compile. A recipient behind the
/// content:
///
/// ```compile_fail,E0382
/// # fn wrong(client: &mut lmtp_blocking::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut transaction = client.mail("ann@example.org".parse()?)?;
/// let content = transaction.data()?;
/// transaction.rcpt("bob@example.org".parse()?)?;
/// # Ok(()) }
/// ```
///
/// A message amid another:
///
/// ```compile_fail,E0499
/// # fn wrong(client: &mut lmtp_blocking::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut transaction = client.mail("ann@example.org".parse()?)?;
/// client.reset()?;
/// transaction.rcpt("bob@example.org".parse()?)?;
/// # Ok(()) }
/// ```
///
/// Content before DATA, and content behind its end:
///
/// ```compile_fail,E0599
/// # fn wrong(client: &mut lmtp_blocking::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut transaction = client.mail("ann@example.org".parse()?)?;
/// transaction.write("Hello!\r\n")?;
/// # Ok(()) }
/// ```
///
/// ```compile_fail,E0382
/// # fn wrong(client: &mut lmtp_blocking::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut content = client.mail("ann@example.org".parse()?)?.data()?;
/// let report = content.finish();
/// content.write("Hello!\r\n")?;
/// # Ok(()) }
/// ```
///
/// Dropped, it is given up: the client goes on with the next message, and RSET comes
/// before that.
pub struct Transaction<'c> {
    open: Open<'c>,
}

impl<'c> Transaction<'c> {
    /// Names a recipient, and gives the answer to it: a 4yz or 5yz is no error, others
    /// may still be accepted. Where MAIL was refused, that is the answer, and the
    /// server is not asked.
    ///
    /// # Errors
    ///
    /// The line or the peer has failed, and the recipient is *unsent*.
    pub fn rcpt(&mut self, to: ForwardPath) -> Result<Reply, Fault> {
        self.rcpt_with(to, RcptParams::default())
    }

    /// The same with parameters for RCPT.
    ///
    /// # Errors
    ///
    /// The line or the peer has failed, and the recipient is *unsent*.
    pub fn rcpt_with(&mut self, to: ForwardPath, params: RcptParams) -> Result<Reply, Fault> {
        let machine = self.open.client.machine();
        let id = machine.rcpt(to, params).map_err(misused)?;
        self.open.until(|event| matches!(event, Event::Recipient(_, answered, _) if *answered == id));
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
    #[expect(clippy::result_large_err, reason = "it is the report, once a message")]
    pub fn data(mut self) -> Result<Content<'c>, NotDelivered> {
        // One that is over has nothing to be closed, and no content either.
        let _ = self.open.client.machine().data();
        self.open.until(|event| matches!(event, Event::BodyWanted(_)));
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
pub struct Content<'c> {
    open: Open<'c>,
}

impl Content<'_> {
    /// Writes the next part of the message: as it is, for dots are doubled here. Waits
    /// while much is on its way.
    ///
    /// # Errors
    ///
    /// The line or the peer has failed, or the message holds what must not be sent;
    /// [`finish`](Self::finish) has the report.
    pub fn write(&mut self, octets: impl Into<Bytes>) -> Result<(), Fault> {
        let machine = self.open.client.machine();
        machine.body(octets.into()).map_err(misused)?;
        self.open.until(|event| matches!(event, Event::BodyWanted(_)));
        if !self.open.over {
            return Ok(());
        }
        let fault = self.open.client.report().and_then(|report| report.error().cloned());
        Err(self.open.client.explain(fault.unwrap_or_else(|| misused(Misuse::Over)), None))
    }

    /// Ends the message and waits for the answer for each recipient.
    pub fn finish(mut self) -> Report {
        // One that is over wants no end.
        let _ = self.open.client.machine().end();
        self.open.until(|_| false);
        self.open.finish()
    }

    /// What has become of the message so far.
    pub fn report(&self) -> Option<Report> {
        self.open.client.report()
    }
}

/// A client amid a message. Dropped, the message is given up.
struct Open<'c> {
    client: &'c mut Client,
    id: TransactionId,
    /// All is known of the message.
    over: bool,
    /// The last event that was waited for.
    answered: Option<Event>,
}

impl Open<'_> {
    /// Goes on until that event, or until the message is over.
    fn until(&mut self, is_it: impl Fn(&Event) -> bool) {
        self.answered = None;
        while !self.over && self.answered.is_none() {
            match self.client.next_event() {
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

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if self.client.under_way {
            self.client.machine().give_up();
        }
    }
}

fn misused(misuse: Misuse) -> Fault {
    Fault::new(lmtp_proto::FaultKind::Usage, lmtp_proto::Phase::Rcpt, misuse.to_string())
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("client", &self.open.client).finish()
    }
}

impl fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("client", &self.open.client).finish()
    }
}
