//! Sending mail.

use std::fmt;
use std::io;
use std::mem;
use std::net::Shutdown;

use lmtp_proto::client::{Client as Machine, Event, Line};
use lmtp_proto::value::{Capabilities, InvalidAddress};
use lmtp_proto::{
    Endpoint, Envelope, Fault, FaultKind, ForwardPath, LineEndings, Misuse, Phase, Reply, Report, ReversePath,
};
use socket2::Socket;

use crate::body::unreadable;
use crate::builder::{Builder, OnLine};
use crate::deliveries::Deliveries;
use crate::drive::{Connection, Next};
use crate::handle::cancelled;
use crate::{Body, Error, Handle};

/// Sends one message over a connection of its own.
///
/// The report says what became of each recipient, also when no connection could
/// be made.
///
/// # Errors
///
/// A value cannot be: nothing was sent.
pub fn send<'a, E>(
    endpoint: E,
    from: &str,
    to: impl IntoIterator<Item = impl AsRef<str>>,
    message: impl Into<Body<'a>>,
) -> Result<Report, Error>
where
    E: TryInto<Endpoint>,
    Error: From<E::Error>,
{
    let builder = Client::builder(endpoint)?;
    let to = to.into_iter().map(|to| to.as_ref().parse()).collect::<Result<Vec<ForwardPath>, InvalidAddress>>()?;
    let envelope = Envelope::new(from.parse::<ReversePath>()?, to)?;
    let mut client = match builder.connect() {
        Ok(client) => client,
        Err(fault) => return Ok(Report::unsent(envelope, fault)),
    };
    let mut report = client.deliver(&envelope, message)?;
    if let Err(fault) = client.quit() {
        report.warn(fault.message());
    }
    Ok(report)
}

/// A session with an LMTP server.
///
/// Dropping it closes the connection without a word; [`quit`](Self::quit) takes
/// leave.
pub struct Client {
    pub(crate) connection: Connection<Machine, Socket>,
    endpoint: Endpoint,
    pub(crate) endings: LineEndings,
    handle: Handle,
    on_line: Option<OnLine>,
    /// A message is under way, or was when it was abandoned: by a guard that was
    /// dropped, or by a panic of the caller's code.
    pub(crate) under_way: bool,
    /// The caller's code may be running, a reader or a hook; still set afterwards if it
    /// has panicked.
    in_callers_hands: bool,
}

impl Client {
    /// Connects, reads the greeting, says LHLO.
    ///
    /// # Errors
    ///
    /// The endpoint is none, or the session did not open.
    pub fn connect<E>(endpoint: E) -> Result<Self, Error>
    where
        E: TryInto<Endpoint>,
        Error: From<E::Error>,
    {
        Ok(Self::builder(endpoint)?.connect()?)
    }

    /// A client to be set up first.
    ///
    /// # Errors
    ///
    /// The endpoint is none.
    pub fn builder<E>(endpoint: E) -> Result<Builder, Error>
    where
        E: TryInto<Endpoint>,
        Error: From<E::Error>,
    {
        Ok(Builder::new(endpoint.try_into()?))
    }

    pub(crate) fn open(builder: Builder, socket: Socket) -> Result<Self, Fault> {
        let Builder { endpoint, config, mechanisms, handle, on_line } = builder;
        let endings = config.line_endings;
        let mut machine = Machine::new(config);
        // It is new, so it is not too late.
        let _ = machine.authenticate(mechanisms);
        let connection = Connection::new(machine, socket);
        let mut client =
            Self { connection, endpoint, endings, handle, on_line, under_way: false, in_callers_hands: false };
        loop {
            match client.next_event() {
                Ok(Some(Event::Open)) => return Ok(client),
                Ok(Some(_)) => {}
                Ok(None) => return Err(client.explain(lmtp_proto::Error::Closed { phase: Phase::Lhlo }.into(), None)),
                Err(fault) => return Err(client.explain(fault, None)),
            }
        }
    }

    /// Delivers a message. Recipients are answered for one by one in the
    /// report, also when the connection is lost midway, or was lost before.
    ///
    /// # Errors
    ///
    /// The session is over.
    pub fn deliver<'m>(&mut self, envelope: &Envelope, message: impl Into<Body<'m>>) -> Result<Report, Misuse> {
        self.deliver_all([(envelope.clone(), message)]).next().ok_or(Misuse::Over)
    }

    /// Delivers messages one behind the other, a report for each, in order.
    ///
    /// Nothing happens before the reports are asked for. Where the server offers
    /// PIPELINING the next message is begun before the answers to the last one
    /// are in, up to [`Builder::depth`] of them, so that a busy connection costs one
    /// round trip a message. When the connection is lost, those behind the one that
    /// was under way are *unsent*.
    pub fn deliver_all<'m, I, B>(&mut self, messages: I) -> Deliveries<'_, 'm, I::IntoIter>
    where
        I: IntoIterator<Item = (Envelope, B)>,
        B: Into<Body<'m>>,
    {
        Deliveries::new(self, messages.into_iter())
    }

    /// Sends RSET, which makes the server forget whatever it may hold of a message,
    /// and waits for the reply. Nobody needs to: what was abandoned is reset before
    /// the next message.
    ///
    /// # Errors
    ///
    /// The session is over, or the connection was lost.
    pub fn reset(&mut self) -> Result<(), Error> {
        self.settle();
        self.machine().reset()?;
        loop {
            match self.next_event() {
                Ok(Some(Event::Reset)) => return Ok(()),
                Ok(Some(_)) => {}
                Ok(None) => return Err(Misuse::Over.into()),
                Err(fault) => return Err(self.explain(fault, None).into()),
            }
        }
    }

    /// Says QUIT and waits for the reply. A session that is over already, as
    /// the last report has told, needs no leave.
    ///
    /// # Errors
    ///
    /// The connection was lost before the reply. What has been delivered stays
    /// delivered.
    pub fn quit(mut self) -> Result<(), Fault> {
        self.settle();
        let machine = &mut self.connection.machine;
        if machine.error().is_some() || machine.quit().is_err() {
            return Ok(());
        }
        loop {
            match self.next_event() {
                Ok(None) => return Ok(()),
                Ok(Some(_)) => {}
                Err(fault) => return Err(self.explain(fault, None)),
            }
        }
    }

    /// What has become of the message that is under way, or was when it was abandoned:
    /// of several the first.
    pub fn report(&self) -> Option<Report> {
        self.connection.machine.report()
    }

    /// Whether another message may be sent over this connection.
    pub fn is_ready(&self) -> bool {
        self.connection.machine.is_ready()
    }

    /// The server's greeting.
    pub fn greeting(&self) -> Option<&Reply> {
        self.connection.machine.greeting()
    }

    /// What the server offers.
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.connection.machine.capabilities()
    }

    /// Gives the machine the next part of the message, or the end of it.
    pub(crate) fn give(&mut self, body: &mut Body<'_>) -> io::Result<()> {
        self.handle.shared().enter(Phase::Body);
        self.in_callers_hands = true;
        let chunk = body.next_chunk();
        self.in_callers_hands = false;
        let machine = &mut self.connection.machine;
        // The machine has just asked, so it cannot be the wrong moment.
        let _ = match &chunk {
            Ok(chunk) if chunk.is_empty() => machine.end(),
            Ok(chunk) => machine.body(chunk.clone()),
            Err(_) => machine.fail_body(),
        };
        chunk.map(drop)
    }

    /// Gives up what was left half way, so that the connection is where a message may
    /// begin, or closed.
    pub(crate) fn settle(&mut self) {
        if mem::take(&mut self.in_callers_hands) {
            // What was to be said has not been said, and is not said now.
            self.machine().abort();
            self.close();
        }
        while self.under_way {
            let machine = self.machine();
            machine.give_up();
            while machine.take_report().is_some() {}
            let left = machine.reports().next().is_some();
            self.under_way = left;
            if self.under_way && !matches!(self.next_event(), Ok(Some(_))) {
                // The end of the session is the end of every message.
                self.machine().abort();
            }
        }
    }

    /// LMTP's part of the machine.
    pub(crate) fn machine(&mut self) -> &mut Machine {
        &mut self.connection.machine
    }

    /// Takes the report of a message that is over, with the whole story of its fault.
    pub(crate) fn take_report(&mut self, unread: Option<io::Error>) -> Option<Report> {
        let mut report = self.machine().take_report()?;
        report.explain(|fault| self.explain(fault, unread));
        Some(report)
    }

    pub(crate) fn next_event(&mut self) -> Result<Option<Event>, Fault> {
        loop {
            let shared = self.handle.shared();
            match self.connection.next(|machine| shared.enter(machine.phase())) {
                Ok(Next::Event(Event::Line(line))) => self.show(&line),
                Ok(Next::Event(event)) => return Ok(Some(event)),
                Ok(Next::Quiet) => {}
                Ok(Next::Closed) => {
                    self.close();
                    return Ok(None);
                }
                Err(error) => {
                    self.close();
                    return Err(error.into());
                }
            }
        }
    }

    fn show(&mut self, line: &Line) {
        if let Some(hook) = &mut self.on_line {
            self.in_callers_hands = true;
            hook(line);
            self.in_callers_hands = false;
        }
    }

    /// The peer is to know at once, not when the caller drops us.
    fn close(&self) {
        let _ = self.connection.stream.shutdown(Shutdown::Both);
    }

    /// The whole story of a fault: which peer, and what the system said.
    pub(crate) fn explain(&self, fault: Fault, read_error: Option<io::Error>) -> Fault {
        if let Some(error) = read_error {
            return unreadable(error);
        }
        let fault = match &self.connection.lost {
            _ if fault.kind() == FaultKind::Closed && self.handle.is_cancelled() => cancelled(fault.phase()),
            Some(error) if fault.kind() == FaultKind::Closed => fault.because(error),
            _ => fault,
        };
        match fault.kind() {
            FaultKind::Body => fault,
            _ => fault.at(&self.endpoint),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
        self.handle.shared().release();
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.endpoint)
            .field("machine", &self.connection.machine)
            .finish_non_exhaustive()
    }
}
