//! Sending mail.

use std::fmt;
use std::io;
use std::net::Shutdown;

use lmtp_proto::client::table::State;
use lmtp_proto::client::{Client as Machine, Event, Line};
use lmtp_proto::value::{Capabilities, InvalidAddress};
use lmtp_proto::{
    Endpoint, Envelope, Fault, FaultKind, ForwardPath, LineEndings, Misuse, Phase, Reply, Report, ReversePath,
};
use socket2::Socket;

use crate::body::unreadable;
use crate::builder::{Builder, OnLine};
use crate::connect::dial;
use crate::drive::Connection;
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
    connection: Connection<Machine, Socket>,
    endpoint: Endpoint,
    endings: LineEndings,
    handle: Handle,
    on_line: Option<OnLine>,
    /// A message is under way; still set afterwards if the caller's code, a
    /// reader or a hook, has panicked.
    delivering: bool,
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

    pub(crate) fn open(builder: Builder) -> Result<Self, Fault> {
        let Builder { endpoint, config, handle, on_line } = builder;
        let socket = dial(&endpoint, config.timeouts.connect, handle.shared()).map_err(|fault| fault.at(&endpoint))?;
        let endings = config.line_endings;
        let connection = Connection::new(Machine::new(config), socket);
        let mut client = Self { connection, endpoint, endings, handle, on_line, delivering: false };
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
    pub fn deliver<'a>(&mut self, envelope: &Envelope, message: impl Into<Body<'a>>) -> Result<Report, Misuse> {
        self.give_up_abandoned();
        self.delivering = true;
        let result = self.deliver_on(envelope, message.into());
        self.delivering = false;
        result
    }

    fn deliver_on(&mut self, envelope: &Envelope, mut body: Body<'_>) -> Result<Report, Misuse> {
        let content = match body.content(self.endings) {
            Ok(content) => content,
            Err(fault) => return Ok(Report::unsent(envelope.clone(), fault)),
        };
        self.connection.machine.deliver(envelope.clone(), content)?;
        let mut read_error = None;
        loop {
            match self.next_event() {
                Ok(Some(Event::BodyWanted(_))) => match self.give(&mut body) {
                    Ok(()) => {}
                    Err(error) => read_error = Some(error),
                },
                // With every answer in, one thing may still have to be said: the
                // lone dot before the connection is closed.
                Ok(Some(Event::Done(_))) if self.connection.machine.state() != State::Over => break,
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        let mut report = self.connection.machine.take_report().ok_or(Misuse::Over)?;
        report.explain(|fault| self.explain(fault, read_error));
        Ok(report)
    }

    /// Says QUIT and waits for the reply. A session that is over already, as
    /// the last report has told, needs no leave.
    ///
    /// # Errors
    ///
    /// The connection was lost before the reply. What has been delivered stays
    /// delivered.
    pub fn quit(mut self) -> Result<(), Fault> {
        self.give_up_abandoned();
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

    /// What has become of the message so far: of use after a panic of the
    /// caller's reader.
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
    fn give(&mut self, body: &mut Body<'_>) -> io::Result<()> {
        self.handle.shared().enter(Phase::Body);
        let chunk = body.next_chunk();
        let machine = &mut self.connection.machine;
        // The machine has just asked, so it cannot be the wrong moment.
        let _ = match &chunk {
            Ok(chunk) if chunk.is_empty() => machine.end(),
            Ok(chunk) => machine.body(chunk.clone()),
            Err(_) => machine.fail_body(),
        };
        chunk.map(drop)
    }

    /// A panic has left a message half way, and so it stays.
    fn give_up_abandoned(&mut self) {
        if std::mem::take(&mut self.delivering) {
            self.connection.machine.abort();
            let _abandoned = self.connection.machine.take_report();
            self.close();
        }
    }

    fn next_event(&mut self) -> Result<Option<Event>, Fault> {
        loop {
            let shared = self.handle.shared();
            match self.connection.next(|machine| shared.enter(machine.phase())) {
                Ok(Some(Event::Line(line))) => self.show(&line),
                Ok(Some(event)) => return Ok(Some(event)),
                Ok(None) => {
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
            hook(line);
        }
    }

    /// The peer is to know at once, not when the caller drops us.
    fn close(&self) {
        let _ = self.connection.stream.shutdown(Shutdown::Both);
    }

    /// The whole story of a fault: which peer, and what the system said.
    fn explain(&self, fault: Fault, read_error: Option<io::Error>) -> Fault {
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
