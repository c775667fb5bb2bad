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

mod cells;
mod deadline;
mod engine;
mod event;
mod inflight;
mod preflight;
pub mod table;
mod transaction;

use alloc::collections::VecDeque;
use core::time::Duration;

use bytes::{Bytes, BytesMut};

use self::deadline::{Deadline, Unit};
use self::inflight::{Expected, InFlight};
use self::table::{Input, State};
use self::transaction::Transaction;
use crate::codec::ReplyReader;
use crate::value::{Capabilities, Reply};
use crate::{Content, Envelope, Error, Instant, Machine, Misuse, Output, Phase, Report, SendQueue, TransactionId};

pub use event::{Config, EightBit, Event, Line, Pipelining};

/// Room reserved for each read: replies are short.
const INPUT_ROOM: usize = 2048;
/// Content is asked for while less than this is queued, and a peer gets the
/// time of [`Timeouts::body`](crate::Timeouts::body) for each as much.
const BLOCK: usize = 64 * 1024;

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
}

/// One session with an LMTP server, from greeting to QUIT, as a [`Machine`].
///
/// Greeting and LHLO happen by themselves. Then, one message at a time:
/// [`deliver`](Self::deliver), content when [`Event::BodyWanted`] asks for it,
/// [`take_report`](Self::take_report) at [`Event::Done`] or after an error.
#[derive(Debug)]
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
    transaction: Option<Transaction>,
    next_transaction: TransactionId,
    /// The 421 that said that the server is going away.
    closing: Option<Reply>,
    /// The application has given all of the content, its end is to be sent.
    content_ends: bool,
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
        in_flight.push(Expected::Greeting, 0);
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
            transaction: None,
            next_transaction: TransactionId::default(),
            closing: None,
            content_ends: false,
            glance: Glance::Due,
            eof: false,
            write_closed: false,
            error: None,
        }
    }

    /// Delivers a message. May be asked for before the session is open.
    ///
    /// On a connection that has failed the report is there at once, every
    /// recipient *unsent*.
    ///
    /// # Errors
    ///
    /// The message before is still under way, or its report has not been taken,
    /// or QUIT was sent.
    pub fn deliver(&mut self, envelope: Envelope, content: Content) -> Result<TransactionId, Misuse> {
        match &self.transaction {
            Some(transaction) if transaction.is_over() => return Err(Misuse::ReportNotTaken),
            Some(_) => return Err(Misuse::Busy),
            None => self.glance = Glance::Due,
        }
        if self.state == State::Quitting {
            return Err(Misuse::Over);
        }
        let id = self.next_transaction;
        self.next_transaction = TransactionId(id.0.saturating_add(1));
        let mut transaction = Transaction::new(id, envelope, content);
        let closed = (self.state == State::Over).then_some(Error::Closed { phase: Phase::Mail });
        if let Some(error) = self.error.clone().or(closed) {
            transaction.stop(error.into(), 0);
        }
        self.transaction = Some(transaction);
        Ok(id)
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
        if let Some(transaction) = &mut self.transaction
            && let Err(error) = transaction.content(chunk, &mut self.queue)
        {
            self.fail(Error::Content(error));
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

    /// Gives up the content: it could not be read to its end. The end of the
    /// data is never sent and the connection is over, so that no server can
    /// take a part for the whole.
    ///
    /// # Errors
    ///
    /// No content is wanted.
    pub fn fail_body(&mut self) -> Result<(), Misuse> {
        if !self.wants_body() {
            return Err(Misuse::NoBodyWanted);
        }
        self.fail(Error::BodyFailed);
        Ok(())
    }

    /// Gives up the session, whatever is under way: the report says what is known
    /// by now.
    pub fn abort(&mut self) {
        self.fail(match self.state {
            State::Content => Error::BodyFailed,
            _ => Error::Closed { phase: self.phase() },
        });
    }

    /// Ends the session.
    ///
    /// # Errors
    ///
    /// A message is under way, or the session is not open.
    pub fn quit(&mut self) -> Result<(), Misuse> {
        match self.state {
            State::Ready | State::NeedsReset if self.error.is_none() => {
                if self.transaction.as_ref().is_some_and(|transaction| !transaction.is_over()) {
                    return Err(Misuse::Busy);
                }
                self.take_step(Input::Quit);
                Ok(())
            }
            State::Quitting | State::Over => Err(Misuse::Over),
            _ if self.error.is_some() => Err(Misuse::Over),
            _ => Err(Misuse::Busy),
        }
    }

    /// What has become of the message so far: what the report would say if the
    /// connection were lost now.
    pub fn report(&self) -> Option<Report> {
        self.transaction.as_ref().map(|transaction| transaction.report(self.queue.sent(), self.phase()))
    }

    /// The report of a message that is over, once.
    pub fn take_report(&mut self) -> Option<Report> {
        self.transaction.take_if(|transaction| transaction.is_over()).map(Transaction::into_report)
    }

    /// The server's greeting, once it is read.
    pub fn greeting(&self) -> Option<&Reply> {
        self.greeting.as_ref()
    }

    /// What the server offers, once LHLO is answered.
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

    /// Whether another message may be sent: the report of the last one is taken,
    /// nothing is awaited, nothing was heard that should not have been.
    pub fn is_ready(&self) -> bool {
        let idle = matches!(self.state, State::Ready | State::NeedsReset) && self.transaction.is_none();
        idle && self.error.is_none() && !self.has_stray_input()
    }

    /// What is awaited, or would be next.
    pub fn phase(&self) -> Phase {
        match (self.state, self.in_flight.first()) {
            (State::Content, _) => Phase::Body,
            (State::Finals, _) if !self.in_flight.is_owed(self.queue.sent()) => Phase::Body,
            (_, Some(expected)) => expected.phase(),
            (State::Over | State::Quitting, None) => Phase::Quit,
            (_, None) => Phase::Mail,
        }
    }

    fn wants_body(&self) -> bool {
        self.state == State::Content && !self.content_ends && self.error.is_none()
    }

    fn has_stray_input(&self) -> bool {
        !self.input.is_empty() || self.reader.is_amid_reply()
    }
}

impl Machine for Client {
    type Event = Event;
    type Error = Error;

    fn poll_output(&mut self, now: Instant) -> Result<Output<Event>, Error> {
        self.deadline.resume(now);
        let output = self.next_output()?;
        match output {
            Output::Event(_) => self.deadline.pause(now),
            _ => self.deadline.arm(self.wait(), now),
        }
        Ok(output)
    }

    fn transmit(&mut self) -> &mut SendQueue {
        &mut self.queue
    }

    fn input(&mut self) -> &mut BytesMut {
        self.input.reserve(INPUT_ROOM);
        &mut self.input
    }

    fn handle_eof(&mut self) {
        self.eof = true;
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self.deadline.passed(now) {
            None => {}
            Some((_, Unit::Glance)) => self.glance = Glance::Taken,
            Some((phase, Unit::LastWords)) => self.fail(Error::Closed { phase }),
            Some((phase, Unit::Reply(_) | Unit::Block(_))) => self.fail(Error::TimedOut { phase }),
        }
    }

    fn handle_write_closed(&mut self) {
        self.write_closed = true;
        self.queue.clear();
    }

    /// This client never asks for TLS.
    fn handle_tls(&mut self) {}

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline.at()
    }
}
