//! The client: one session with an LMTP server.
//!
//! [`Client`] holds the session's whole state. What is said when is in the
//! [table]; which reply answers what is in a queue of its own; the
//! rest is here.
//!
//! ```
//! # use lmtp_proto::*;
//! # use lmtp_proto::bytes::Buf;
//! let mut client = Client::new(Config::default());
//! let to = ["bob@example.org".parse()?, "eve@example.org".parse()?];
//! client.deliver(Envelope::new("ann@example.org".parse()?, to)?, Content::UNKNOWN)?;
//! // A driver would loop over poll_output here. The first thing it is told is
//! // to read the greeting:
//! assert_eq!(client.poll_output(Instant::ORIGIN)?, Output::Receive);
//! client.input().extend_from_slice(b"220 mx.example.org ready\r\n");
//! assert_eq!(client.poll_output(Instant::ORIGIN)?, Output::Transmit);
//! assert_eq!(client.transmit().chunk(), b"LHLO localhost\r\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod auth;
mod cells;
mod config;
mod content;
mod deadline;
mod engine;
mod event;
mod extensions;
mod inflight;
mod limits;
mod open;
mod output;
mod over;
mod preflight;
mod quirks;
mod steps;
pub mod table;
mod transaction;
mod transactions;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::{Bytes, BytesMut};

use self::deadline::Deadline;
use self::extensions::Usable;
use self::inflight::{Expected, InFlight};
use self::limits::Used;
use self::open::Opening;
use self::table::{Input, State};
use self::transaction::Transaction;
use self::transactions::Transactions;
use crate::auth::Mechanism;
use crate::codec::ReplyReader;
use crate::value::{Capabilities, Reply};
use crate::{Content, Envelope, Error, Misuse, Phase, Report, SendQueue, TransactionId};

pub use config::{Chunking, Config, EightBit, Pipelining, StartTls};
pub use event::{Event, Line};
pub use extensions::{Extensions, Use};
pub use quirks::{Quirks, SingleFinal};

/// Room reserved for each read: replies are short.
const INPUT_ROOM: usize = 2048;
/// Content is asked for while less than this is queued, and a peer gets the
/// time of [`Timeouts::body`](crate::Timeouts::body) for each as much.
const BLOCK: usize = 64 * 1024;

/// A buffer is kept between messages when it is no larger than this.
const KEPT: usize = 1024;

/// How long to listen to a peer that takes no more.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A look at what the peer has said, where it has nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Glance {
    /// It has to be taken.
    Due,
    /// The driver was asked for it.
    Asked,
    /// There was nothing.
    Taken,
    /// There was the beginning of a reply, and its end is awaited.
    Half,
}

/// One session with an LMTP server, from greeting to QUIT, as a
/// [`Machine`](crate::Machine).
///
/// Greeting and LHLO happen by themselves. Then, for each message:
/// [`deliver`](Self::deliver), content when [`Event::BodyWanted`] asks for it,
/// [`take_report`](Self::take_report) at [`Event::Done`] or after an error.
///
/// The next message may be given before the last one's answers are in, up to
/// [`Config::depth`] of them. With PIPELINING its MAIL, RCPTs and DATA leave
/// directly behind the content of the one before. Content is asked for and
/// reports are finished in the order of the messages, and nothing that happens
/// to one is an answer for another: a connection that is lost leaves those
/// behind *unsent*.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Client {
    config: Config,
    state: State,
    in_flight: InFlight,
    reader: ReplyReader,
    input: BytesMut,
    queue: SendQueue,
    events: VecDeque<Event>,
    deadline: Deadline,
    /// Replies read: tells one wait from the next.
    replies: u64,
    greeting: Option<Reply>,
    capabilities: Option<Capabilities>,
    /// What is used of them.
    usable: Option<Usable>,
    opening: Opening,
    transactions: Transactions,
    next_transaction: TransactionId,
    used: Used,
    /// The 421 that said that the server is going away.
    closing: Option<Reply>,
    /// The application has given all of the content, its end is to be sent.
    content_ends: bool,
    /// The application has said that the session is to end.
    leaving: bool,
    glance: Glance,
    /// The stream has ended.
    eof: bool,
    /// The stream takes no more.
    write_closed: bool,
    error: Option<Error>,
}

impl Client {
    /// A client on a new connection: the server speaks first.
    pub fn new(config: Config) -> Self {
        let mut in_flight = InFlight::default();
        in_flight.push(Expected::Greeting, 0, 0);
        let opening = Opening::new(config.secured);
        Self {
            config,
            state: State::Greeting,
            in_flight,
            reader: ReplyReader::new(),
            input: BytesMut::new(),
            queue: SendQueue::new(),
            events: VecDeque::new(),
            deadline: Deadline::default(),
            replies: 0,
            greeting: None,
            capabilities: None,
            usable: None,
            opening,
            transactions: Transactions::default(),
            next_transaction: TransactionId::default(),
            used: Used::default(),
            closing: None,
            content_ends: false,
            leaving: false,
            glance: Glance::Due,
            eof: false,
            write_closed: false,
            error: None,
        }
    }

    /// Logs in by the first of these mechanisms that the server offers and that
    /// may be used on the line, when the session opens (RFC 4954). If that is not
    /// to be, the session ends: [`Error::NoMechanism`], [`Error::AuthRefused`] or
    /// [`Error::AuthFailed`].
    ///
    /// # Errors
    ///
    /// The session is open already.
    pub fn authenticate(&mut self, mechanisms: Vec<Box<dyn Mechanism>>) -> Result<(), Misuse> {
        if self.opening.has_logged_in() || self.error.is_some() {
            return Err(Misuse::TooLate);
        }
        self.opening.mechanisms = mechanisms;
        Ok(())
    }

    /// Delivers a message. May be asked for before the session is open.
    ///
    /// On a connection that has failed, or where the server takes
    /// [no more messages](Self::needs_new_connection), the report is there at
    /// once, every recipient *unsent*.
    ///
    /// # Errors
    ///
    /// As many messages as [`Config::depth`] allows are under way, or a report
    /// has not been taken, or QUIT was asked for.
    pub fn deliver(&mut self, envelope: Envelope, content: Content) -> Result<TransactionId, Misuse> {
        self.may_add()?;
        let id = self.next_id();
        self.add(Transaction::new(id, envelope, content));
        Ok(id)
    }

    fn may_add(&self) -> Result<(), Misuse> {
        if self.transactions.front().is_some_and(Transaction::is_over) {
            return Err(Misuse::ReportNotTaken);
        }
        if self.transactions.len() >= self.config.depth.max(1) || self.transactions.last_is_open() {
            return Err(Misuse::Busy);
        }
        if self.leaving { Err(Misuse::Over) } else { Ok(()) }
    }

    fn next_id(&mut self) -> TransactionId {
        let id = self.next_transaction;
        self.next_transaction = TransactionId(id.0.saturating_add(1));
        id
    }

    fn add(&mut self, mut transaction: Transaction) {
        self.glance = Glance::Due;
        let closed = (self.state == State::Over).then_some(Error::Closed { phase: Phase::Mail });
        if let Some(error) = self.error.clone().or(closed) {
            transaction.stop(error.into(), 0);
        }
        self.transactions.push(transaction);
        if self.needs_new_connection() && self.error.is_none() {
            self.turn_away();
        }
    }

    /// Gives the next part of the content. Its octets are kept, not copied.
    ///
    /// # Errors
    ///
    /// No content is wanted.
    pub fn body(&mut self, chunk: Bytes) -> Result<(), Misuse> {
        if !self.wants_body() {
            return Err(Misuse::NoBodyWanted);
        }
        if let Some(transaction) = self.transactions.current_mut() {
            match transaction.content(chunk, &mut self.queue) {
                Ok(None) => {}
                Ok(Some(chunk)) => self.chunk_left(&chunk),
                Err(error) => self.fail_content(Error::Content(error)),
            }
        }
        Ok(())
    }

    /// Ends the content.
    ///
    /// # Errors
    ///
    /// No content is wanted.
    pub fn end(&mut self) -> Result<(), Misuse> {
        if !self.wants_body() {
            return Err(Misuse::NoBodyWanted);
        }
        (self.content_ends, self.glance) = (true, Glance::Due);
        Ok(())
    }

    /// Gives up the content: it could not be read to its end. That end is never
    /// sent, so that no server can take a part for the whole: behind DATA the
    /// connection is over; between two chunks only this message is, and RSET comes
    /// before the next.
    ///
    /// # Errors
    ///
    /// No content is wanted.
    pub fn fail_body(&mut self) -> Result<(), Misuse> {
        if !self.wants_body() {
            return Err(Misuse::NoBodyWanted);
        }
        self.fail_content(Error::BodyFailed);
        Ok(())
    }

    /// Gives up the session, whatever is under way: the report says what is known
    /// by now.
    pub fn abort(&mut self) {
        self.fail(match self.state {
            State::Content | State::Chunks => Error::BodyFailed,
            _ => Error::Closed { phase: self.phase() },
        });
    }

    /// Ends the session. May be asked for as soon as the content of the last
    /// message has [ended](Self::end): with PIPELINING, QUIT leaves directly
    /// behind it (RFC 2920 section 3.1), else when every answer is in.
    ///
    /// # Errors
    ///
    /// The content of a message has not ended, or the session is not open.
    pub fn quit(&mut self) -> Result<(), Misuse> {
        if self.leaving || self.state == State::Over || self.error.is_some() {
            return Err(Misuse::Over);
        }
        let said_all = match self.state {
            State::Content | State::Chunks => self.content_ends,
            State::Finals => self.transactions.speaker().is_some_and(|transaction| transaction.has_ended()),
            State::Ready | State::NeedsReset => true,
            _ => false,
        };
        if !said_all || self.transactions.has_waiting() {
            return Err(Misuse::Busy);
        }
        self.leaving = true;
        if matches!(self.state, State::Ready | State::NeedsReset) {
            self.take_step(Input::Quit);
        }
        Ok(())
    }

    /// What has become of the first message whose report was not taken: what
    /// that report would say if the connection were lost now.
    pub fn report(&self) -> Option<Report> {
        self.reports().next()
    }

    /// The same for every message whose report was not taken, in order.
    pub fn reports(&self) -> impl Iterator<Item = Report> {
        self.transactions.reports(self.queue.sent(), self.phase())
    }

    /// The report of a message that is over, once. Reports come in the order of
    /// the messages.
    pub fn take_report(&mut self) -> Option<Report> {
        self.transactions.take()
    }

    /// The server's greeting, once it is read.
    pub fn greeting(&self) -> Option<&Reply> {
        self.greeting.as_ref()
    }

    /// What the server offers, once LHLO is answered; forgotten when TLS begins.
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.capabilities.as_ref()
    }

    /// Where the session stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// What ended the session, if it did not end as it should.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// Whether the connection is idle and good for another message: every report
    /// is taken, nothing is awaited, nothing was heard that should not have been.
    pub fn is_ready(&self) -> bool {
        let idle = matches!(self.state, State::Ready | State::NeedsReset) && self.transactions.is_empty();
        idle && self.error.is_none() && !self.leaving && !self.has_stray_input() && !self.needs_new_connection()
    }

    /// Whether the server has taken as many messages as it takes in one session
    /// (MAILMAX, RFC 9422 section 4.1). What was sent is answered; the next
    /// message needs another connection.
    pub fn needs_new_connection(&self) -> bool {
        self.usable.as_ref().is_some_and(|usable| self.used.is_exhausted(&usable.limits))
    }

    /// Whether [`deliver`](Self::deliver) would take a message now that has a
    /// chance to be sent, at once or behind those under way.
    pub fn has_room(&self) -> bool {
        let over = self.error.is_some() || self.state == State::Over || self.closing.is_some() || self.leaving;
        let report_waits = self.transactions.front().is_some_and(Transaction::is_over);
        !over && !report_waits && !self.needs_new_connection() && self.transactions.len() < self.config.depth.max(1)
    }

    /// What is awaited, or would be next.
    pub fn phase(&self) -> Phase {
        match (self.state, self.in_flight.first()) {
            (State::Content | State::Chunks, _) => Phase::Body,
            (State::Finals, _) if !self.in_flight.is_owed(self.queue.sent()) => Phase::Body,
            (State::Tls, _) => Phase::Tls,
            (_, Some(expected)) => expected.phase(),
            (State::Over | State::Quitting, None) => Phase::Quit,
            (State::Recipients { .. }, None) => Phase::Rcpt,
            (_, None) => Phase::Mail,
        }
    }

    fn wants_body(&self) -> bool {
        matches!(self.state, State::Content | State::Chunks) && !self.content_ends && self.error.is_none()
    }

    fn has_stray_input(&self) -> bool {
        !self.input.is_empty() || self.reader.is_amid_reply()
    }
}
