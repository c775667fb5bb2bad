//! The server: one session with an LMTP client.
//!
//! [`Server`] holds the session's whole state. What may be said when is in the
//! [table]; which reply answers which recipient is in a list of its own; the
//! rest is here.
//!
//! ```
//! # use lmtp_proto::*;
//! # use lmtp_proto::bytes::Buf;
//! # use lmtp_proto::server::{Ask, Config, Event, Server};
//! let mut server = Server::new(Config::default());
//! // The first thing that is asked is whether to serve this client at all:
//! let Output::Event(Event::Question(question)) = server.poll_output(Instant::ORIGIN)? else { panic!() };
//! assert_eq!(question.ask(), &Ask::Connect);
//! server.accept(question)?;
//! assert_eq!(server.poll_output(Instant::ORIGIN)?, Output::Transmit);
//! assert_eq!(server.transmit().chunk(), b"220 localhost LMTP ready\r\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod cells;
mod chunk_text;
mod command;
mod config;
mod content;
mod error;
mod event;
mod lines;
mod machine;
#[cfg(test)]
mod model;
mod params;
mod peer;
mod question;
mod say;
pub mod table;
mod transaction;
mod verdicts;
mod watch;

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::time::Duration;

use bytes::BytesMut;

use self::content::Chunk;
use self::lines::{CommandLines, Found};
use self::question::{Open, Pending};
use self::say::{Canned, Said};
use self::table::{Action, Input, State, step};
use self::transaction::Transaction;
use self::verdicts::Verdicts;
use self::watch::Watch;
use crate::auth::Identity;
use crate::deadline::Deadline;
use crate::trace::Protocol;
use crate::value::{LhloName, Reply};
use crate::{Output, RecipientId, SendQueue, TransactionId};

pub use config::{BareNewlines, Config, Offer, Require};
pub use error::{BodyError, Error, Stale};
pub use event::{Ending, Event};
pub use peer::{Credentials, Peer, PeerTls};
pub use question::{Ask, Question};

/// Room reserved for each read between commands.
const INPUT_ROOM: usize = 2048;
/// Room reserved for each read within content: as much as has come of it, within
/// these bounds. Who says DATA and no more gets little.
const CONTENT_ROOM: core::ops::RangeInclusive<usize> = 4096..=64 * 1024;
/// A buffer is kept between messages when it is no larger than this.
const KEPT: usize = 8192;
/// So many events are all that there are at once, without a transcript.
const EVENTS: usize = 2;
/// Replies wait up to this size before the client has to read some.
const QUEUE: usize = 64 * 1024;

/// What the machine waits for; the number tells one wait from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// A command, or a line of an AUTH exchange.
    Command(u64),
    /// A block of content.
    Block(u64),
    /// The application's answer to a question.
    Handler(u64),
    /// The application's next verdict.
    Verdict(usize),
    /// The client, to read what is queued.
    Write(u64),
    /// TLS.
    Tls,
}

/// What is known of the client, apart from any transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Session {
    lhlo: Option<LhloName>,
    secured: bool,
    identity: Option<Identity>,
}

/// One session with an LMTP client, from greeting to QUIT, as a [`Machine`](crate::Machine).
///
/// The application answers each [`Event::Question`], takes the content, and
/// gives a [`verdict`](Self::verdict) on each accepted recipient at
/// [`Event::End`]. Whatever it does, or fails to do, the client gets exactly one
/// reply for each command and each accepted recipient, in order.
#[expect(clippy::struct_excessive_bools, reason = "each tells of another party")]
pub struct Server {
    config: Arc<Config>,
    state: State,
    session: Session,
    transaction: Option<Transaction>,
    verdicts: Verdicts,
    /// The chunk whose octets are being read.
    chunk: Option<Chunk>,
    next_transaction: TransactionId,
    /// MAILs heard, for MAILMAX (RFC 9422 section 4.1).
    mails: usize,
    lines: CommandLines,
    input: BytesMut,
    /// Whether the input has had more room than is kept between messages.
    has_large_input: bool,
    queue: SendQueue,
    events: VecDeque<Event>,
    /// The question that stops all reading.
    open: Option<Open>,
    questions: u64,
    deadline: Deadline<Wait>,
    /// What the client has taken of [`Timeouts::between_messages`](crate::Timeouts).
    watch: Watch,
    /// Lines read, replies flushed: tell one wait from the next.
    commands: u64,
    flushes: u64,
    /// Commands that were nonsense.
    errors: usize,
    /// AUTH has been said: what is no command may be a password.
    heard_auth: bool,
    /// Octets of chunks that belong to no transaction.
    drained: u64,
    shutting_down: bool,
    eof: bool,
    write_closed: bool,
    error: Option<Error>,
}

impl Server {
    /// A server on a new connection.
    pub fn new(config: impl Into<Arc<Config>>) -> Self {
        let config = config.into();
        let mut server = Self {
            state: State::Connected,
            session: Session { secured: config.secured, ..Session::default() },
            transaction: None,
            verdicts: Verdicts::default(),
            chunk: None,
            next_transaction: TransactionId::default(),
            mails: 0,
            lines: CommandLines::default(),
            input: BytesMut::new(),
            has_large_input: false,
            queue: SendQueue::new(),
            events: VecDeque::with_capacity(EVENTS),
            open: None,
            questions: 0,
            deadline: Deadline::default(),
            watch: Watch::default(),
            commands: 0,
            flushes: 0,
            errors: 0,
            heard_auth: false,
            drained: 0,
            shutting_down: false,
            eof: false,
            write_closed: false,
            error: None,
            config,
        };
        server.ask(Ask::Connect, Pending::Connect);
        server
    }

    /// Gives the verdict on one recipient of a message: 2yz takes the
    /// responsibility for it (RFC 2033 section 4.2), 4yz and 5yz do not.
    ///
    /// In any order, once the content was asked for; it leaves when the content
    /// is whole and the recipients before have theirs. A reply of another class,
    /// and a 421, are taken for 451: the client counts on one reply for each.
    ///
    /// # Errors
    ///
    /// That recipient has its verdict already, or the transaction is over.
    pub fn verdict(&mut self, transaction: TransactionId, recipient: RecipientId, reply: Reply) -> Result<(), Stale> {
        let open = self.transaction.as_ref().is_some_and(|open| open.id == transaction && open.refused.is_none());
        let reply = if verdicts::is_verdict(&reply) { reply } else { Canned::INTERNAL.reply() };
        if !(open && self.verdicts.give(recipient, reply)) {
            return Err(Stale);
        }
        if self.state == State::Finals {
            self.release();
        }
        Ok(())
    }

    /// Gives up on the application, which has failed or is gone: the open
    /// question and every verdict that is missing are answered 451.
    pub fn give_up(&mut self) {
        if let Some(open) = self.open.take() {
            self.decide(open.pending, &Said::Canned(Canned::INTERNAL));
        } else if self.state == State::Finals {
            self.verdicts.fill(&Canned::INTERNAL.reply());
            self.release();
        } else {
            // What there is of the content is read to its end, for nobody.
            self.refuse_message(Canned::INTERNAL.reply());
        }
    }

    /// Ends the session at the next safe place with 421 (RFC 5321 section 3.8):
    /// a message whose content is on its way, be it between two chunks, is still
    /// taken and answered.
    pub fn shut_down(&mut self) {
        self.shutting_down = true;
    }

    /// Where the session stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Who the client says it is, once LHLO is accepted.
    pub fn client_name(&self) -> Option<&LhloName> {
        self.session.lhlo.as_ref()
    }

    /// Who the client has proved to be.
    pub fn identity(&self) -> Option<&Identity> {
        self.session.identity.as_ref()
    }

    /// Whether the stream is encrypted.
    pub fn is_secured(&self) -> bool {
        self.session.secured
    }

    /// How the message under way comes in, until its last verdict: what
    /// [`Received`](crate::trace::Received) says `with`.
    pub fn protocol(&self) -> Protocol {
        Protocol {
            tls: self.session.secured,
            auth: self.session.identity.is_some(),
            utf8: self.transaction.as_ref().is_some_and(|transaction| transaction.utf8),
        }
    }

    /// What ended the session, if it did not end as it should.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// Takes a step of the table.
    fn take_step(&mut self, input: Input) -> Action {
        let (next, action) = step(self.state, input);
        debug_assert!(action != Action::Impossible, "{input:?} in {:?}", self.state);
        self.state = next;
        action
    }

    /// Releases the verdicts that are known, in order.
    fn release(&mut self) {
        while let Some(reply) = self.verdicts.release() {
            self.say(&Said::Reply(reply));
        }
        if self.verdicts.all_released() {
            if self.verdicts.released() > 0 {
                self.watch.reset();
            }
            self.take_step(Input::Answered);
            self.forget_transaction(Ending::Answered);
        }
    }

    /// The session is over, after these last words.
    fn close(&mut self, words: Canned, error: Option<Error>) {
        self.say(&Said::Canned(words));
        self.end(error);
    }

    /// The session is over.
    fn end(&mut self, error: Option<Error>) {
        let whole = self.state == State::Finals;
        self.forget_transaction(if whole { Ending::Unheard } else { Ending::Abandoned });
        (self.state, self.open, self.chunk) = (State::Over, None, None);
        self.input = BytesMut::new();
        self.error = self.error.take().or(error);
    }

    fn next_output(&mut self) -> Result<Output<Event>, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Output::Event(event));
            }
            let flushed = self.queue.is_empty() || self.write_closed;
            let state = self.state;
            match state {
                State::Over if !flushed => return Ok(Output::Transmit),
                State::Over => return self.error.map_or(Ok(Output::Closed), Err),
                _ if self.write_closed => self.end(Some(Error::Closed)),
                State::Securing if !self.input.is_empty() => self.end(Some(Error::ClearOctets)),
                State::Securing => return Ok(if flushed { Output::StartTls } else { Output::Transmit }),
                _ if self.queue.len() < QUEUE && self.advance() => {}
                // What came of the last step is told before anything is waited for.
                _ if !self.events.is_empty() => {}
                _ if !flushed => return Ok(Output::Transmit),
                _ if self.is_waiting_for_application() => {
                    let full = self.eof || self.input.len() >= self.config.limits.backlog;
                    return Ok(if full { Output::Wait } else { Output::Receive });
                }
                _ if self.eof => self.end(self.has_unfinished_business().then_some(Error::Closed)),
                _ => {
                    self.queue.shrink(KEPT);
                    return Ok(Output::Receive);
                }
            }
        }
    }

    /// Goes one step on with what was read; `false` if more must be read, or the
    /// application has the word.
    fn advance(&mut self) -> bool {
        if self.is_waiting_for_application() {
            return false;
        }
        if self.chunk.is_some() {
            return self.take_chunk();
        }
        if self.state == State::Content {
            return self.take_content();
        }
        // Between two chunks the content is on its way, too.
        if self.shutting_down && self.state != State::Chunks {
            self.close(Canned::SHUTTING_DOWN, None);
            return true;
        }
        let limit = match self.state {
            State::Authenticating => self.config.limits.auth_line,
            _ => self.config.limits.command_line,
        };
        match self.lines.find(&mut self.input, limit) {
            Found::Nothing => return false,
            Found::Line(length) => {
                self.commands = self.commands.saturating_add(1);
                self.hear(length);
            }
            Found::TooLong { bdat } => self.hear_bad_line(bdat, Canned::LINE_TOO_LONG, Canned::RESPONSE_TOO_LONG),
            Found::BareOctet { bdat } => self.hear_bad_line(bdat, Canned::BARE_OCTET, Canned::BARE_OCTET),
        }
        true
    }

    fn is_waiting_for_application(&self) -> bool {
        self.open.is_some() || self.state == State::Finals
    }

    /// Whether a client that goes now goes too early.
    fn has_unfinished_business(&self) -> bool {
        self.transaction.is_some()
            || self.chunk.is_some()
            || !self.input.is_empty()
            || self.state == State::Authenticating
    }

    fn is_reading_content(&self) -> bool {
        self.state == State::Content || self.chunk.is_some()
    }

    /// How much room there is to be for the next read.
    fn room(&self) -> usize {
        if !self.is_reading_content() {
            return INPUT_ROOM;
        }
        let read = usize::try_from(self.content_read()).unwrap_or(usize::MAX);
        read.clamp(*CONTENT_ROOM.start(), *CONTENT_ROOM.end())
    }

    /// The wait that an output is part of, and how long it may take.
    fn wait(&self, output: &Output<Event>) -> (Wait, Duration) {
        let timeouts = &self.config.timeouts;
        let left = self.watch.left_of(timeouts.between_messages);
        // The last word may be that none is left; there is time to say it.
        let command = if self.state == State::Over { timeouts.command } else { timeouts.command.min(left) };
        match (output, &self.open) {
            (Output::StartTls, _) => (Wait::Tls, command),
            (Output::Transmit, None) => (Wait::Write(self.flushes), command),
            (_, Some(open)) => (Wait::Handler(open.number), timeouts.handler),
            _ if self.state == State::Finals => (Wait::Verdict(self.verdicts.released()), timeouts.verdict),
            _ if self.is_reading_content() => {
                let seconds = timeouts.body.as_secs().max(1);
                let block = self.config.limits.data_rate.saturating_mul(seconds).max(1);
                (Wait::Block(self.content_read().checked_div(block).unwrap_or_default()), timeouts.body)
            }
            _ => (Wait::Command(self.commands), command),
        }
    }
}
