//! What is locked of a connection: the machine on its socket, and whose turn it is.

use std::collections::VecDeque;
use std::net;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lmtp_proto::Machine as _;
use lmtp_proto::TransactionId;
use lmtp_proto::server::{BodyError, Event, Server};
use socket2::Socket;

use super::Shutdown;
use super::machine::{self, Error, Machine};
use crate::drive::{Connection, Next, TICK};
use crate::socket::Stream as _;

/// The machine on its socket, and whose turn it is.
#[expect(clippy::struct_excessive_bools, reason = "each tells of another party")]
pub(super) struct State {
    pub(super) connection: Connection<Machine, Socket>,
    /// Events that came when they were not asked for.
    pub(super) ahead: VecDeque<Event>,
    /// By when the application has to have done something, while it has the word.
    pub(super) until: Option<Instant>,
    /// Since when a reply has been waiting for others to leave with.
    pub(super) unsaid: Option<Instant>,
    /// The application has panicked or was late: nothing more is asked of it.
    pub(super) failed: bool,
    /// Another thread runs the machine to its end.
    pub(super) taken: bool,
    pub(super) ended: bool,
    pub(super) left: bool,
    pub(super) error: Option<Error>,
    /// The message that was begun last.
    pub(super) message: Option<TransactionId>,
    pub(super) content: Content,
    /// The application may still want content.
    pub(super) wanted: bool,
    /// The thread of the connection waits for another one's part.
    pub(super) waiting: bool,
    /// The message has no verdict that could still be given.
    pub(super) over: bool,
}

/// Where the content of the message is.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Coming,
    Whole,
    Void(BodyError),
}

impl State {
    pub(super) fn new(connection: Connection<Machine, Socket>) -> Self {
        Self {
            connection,
            ahead: VecDeque::new(),
            until: None,
            unsaid: None,
            failed: false,
            taken: false,
            ended: false,
            left: false,
            error: None,
            message: None,
            content: Content::Whole,
            wanted: false,
            waiting: false,
            over: true,
        }
    }

    /// Drives the machine until it has something to tell; `None` if that is over, or
    /// it has nothing to tell for a while.
    pub(super) fn go_on(&mut self, shutdown: &Shutdown) -> Option<Event> {
        if shutdown.is_shut_down() {
            self.server().shut_down();
        }
        match self.connection.next(|_| {}) {
            Ok(Next::Event(event)) => return Some(event),
            Ok(Next::Quiet) => {}
            Ok(Next::Closed) => self.end(),
            Err(error) => {
                self.error = Some(error);
                self.end();
            }
        }
        None
    }

    /// Writes what is to be written; what is to be told is told later.
    pub(super) fn flush(&mut self) {
        loop {
            match self.connection.flush() {
                Ok(Next::Event(event)) => {
                    self.over |= matches!(event, Event::Over(..));
                    self.ahead.push_back(event);
                }
                Ok(Next::Quiet) => return,
                Ok(Next::Closed) => return self.end(),
                Err(error) => {
                    self.error = Some(error);
                    return self.end();
                }
            }
        }
    }

    /// Goes one step on with the content; gives a piece if that was one.
    pub(super) fn next_content(&mut self, shutdown: &Shutdown) -> Option<Bytes> {
        match self.ahead.pop_front().or_else(|| self.go_on(shutdown)) {
            Some(Event::Content(_, octets)) => return Some(octets),
            Some(Event::End(_)) => {
                self.content = Content::Whole;
                // Verdicts may have been given before.
                self.flush();
            }
            Some(Event::Over(id, ending)) => {
                (self.content, self.over) = (Content::Void(ending.clone().into()), true);
                self.ahead.push_front(Event::Over(id, ending));
            }
            Some(event) => self.ahead.push_back(event),
            None if self.ended => self.content = Content::Void(BodyError::Abandoned),
            None => {}
        }
        None
    }

    /// The application has the word, for so long.
    pub(super) fn give_word(&mut self, patience: Duration) -> Option<()> {
        if self.taken || self.failed {
            return None;
        }
        let now = Instant::now();
        // Replies leave together, but none waits for long.
        if self.is_said() {
            self.unsaid = None;
        } else if now.duration_since(*self.unsaid.get_or_insert(now)) > TICK {
            self.unsaid = None;
            self.flush();
        }
        self.until = Some(now + patience);
        Some(())
    }

    /// Whether nothing waits to be written, in the clear or within TLS.
    fn is_said(&mut self) -> bool {
        self.server().transmit().is_empty() && self.connection.machine.transmit().is_empty()
    }

    /// Whatever the application owes is answered for it, and the session ends at the
    /// next safe place.
    pub(super) fn fail(&mut self) {
        self.failed = true;
        self.server().give_up();
        self.server().shut_down();
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
        let _ = self.connection.stream.shutdown(net::Shutdown::Write);
    }

    /// Lets the peer take what was said: a socket that is closed with octets unread
    /// takes back what was written.
    pub(super) fn linger(&mut self) {
        let until = Instant::now() + TICK;
        let socket = &mut self.connection.stream;
        let mut room = [0; 4096];
        if socket.set_read_timeout(Some(TICK)).is_ok() {
            while Instant::now() < until && matches!(socket.receive(&mut room), Ok(1..)) {}
        }
        let _ = socket.shutdown(net::Shutdown::Both);
    }

    pub(super) fn server(&mut self) -> &mut Server {
        machine::server(&mut self.connection.machine)
    }
}
