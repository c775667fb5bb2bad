//! Sending mail.

mod body;
mod builder;
mod deliveries;
mod dial;
mod handle;
mod machine;
mod steps;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, Waker, ready};

use lmtp_proto::client::Event;
use lmtp_proto::value::{Capabilities, InvalidAddress};
use lmtp_proto::{
    Endpoint, Envelope, Fault, FaultKind, ForwardPath, LineEndings, Misuse, Phase, Reply, Report, ReversePath,
    SendError,
};

pub use body::Body;
use body::unreadable;
pub use builder::Builder;
use builder::OnLine;
pub use deliveries::Deliveries;
pub use handle::Handle;
use handle::{Taken, cancelled};
use machine::ClientMachine;
pub use steps::{Content, Transaction};

use crate::{Runtime, Transport};

/// Sends one message over a connection of its own.
///
/// The report says what became of each recipient, also when no connection could
/// be made.
///
/// # Errors
///
/// A value cannot be: nothing was sent.
pub async fn send<R: Runtime, E>(
    endpoint: E,
    from: &str,
    to: impl IntoIterator<Item = impl AsRef<str>>,
    message: impl Into<Body<'_>>,
) -> Result<Report, SendError>
where
    E: TryInto<Endpoint>,
    SendError: From<E::Error>,
{
    let builder = Client::<R>::builder(endpoint)?;
    let to = to.into_iter().map(|to| to.as_ref().parse()).collect::<Result<Vec<ForwardPath>, InvalidAddress>>()?;
    let envelope = Envelope::new(from.parse::<ReversePath>()?, to)?;
    let mut client = match builder.connect().await {
        Ok(client) => client,
        Err(fault) => return Ok(Report::unsent(envelope, fault)),
    };
    let mut report = client.deliver(&envelope, message).await?;
    if let Err(fault) = client.quit().await {
        report.warn(fault.message());
    }
    Ok(report)
}

/// A session with an LMTP server.
///
/// Every future may be dropped: [`report`](Self::report) then says what is known of
/// the message, and the next call first gives it up. Dropping the client closes the
/// connection without a word; [`quit`](Self::quit) takes leave.
pub struct Client<R: Runtime> {
    machine: ClientMachine,
    transport: R::Transport,
    endpoint: Endpoint,
    endings: LineEndings,
    handle: Taken,
    on_line: Option<OnLine>,
    /// A message is under way, or was when its future was dropped.
    under_way: bool,
}

impl<R: Runtime> Client<R> {
    /// Connects, reads the greeting, says LHLO.
    ///
    /// # Errors
    ///
    /// The endpoint is none, or the session did not open.
    pub async fn connect<E>(endpoint: E) -> Result<Self, SendError>
    where
        E: TryInto<Endpoint>,
        SendError: From<E::Error>,
    {
        let builder = Self::builder(endpoint)?;
        Ok(builder.connect().await?)
    }

    /// A client to be set up first.
    ///
    /// # Errors
    ///
    /// The endpoint is none.
    pub fn builder<E>(endpoint: E) -> Result<Builder<R>, SendError>
    where
        E: TryInto<Endpoint>,
        SendError: From<E::Error>,
    {
        Ok(Builder::new(endpoint.try_into()?))
    }

    async fn open(
        builder: Builder<R>,
        machine: ClientMachine,
        handle: Taken,
        transport: R::Transport,
    ) -> Result<Self, Fault> {
        let Builder { endpoint, config, on_line, .. } = builder;
        let endings = config.line_endings;
        let mut client = Self { machine, transport, endpoint, endings, handle, on_line, under_way: false };
        loop {
            match client.next_event().await {
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
    pub async fn deliver(&mut self, envelope: &Envelope, message: impl Into<Body<'_>>) -> Result<Report, Misuse> {
        self.deliver_all([(envelope.clone(), message)]).next().await.ok_or(Misuse::Over)
    }

    /// Delivers messages one behind the other, a report for each, in order.
    ///
    /// Nothing happens before the reports are asked for. Where the server offers
    /// PIPELINING the next message is begun before the answers to the last one
    /// are in, up to [`Builder::depth`] of them, so that a busy connection costs one
    /// round trip a message. When the connection is lost, those behind the one that
    /// was under way are *unsent*.
    pub fn deliver_all<'m, I, B>(&mut self, messages: I) -> Deliveries<'_, 'm, R, I::IntoIter>
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
    pub async fn reset(&mut self) -> Result<(), SendError> {
        self.settle().await;
        machine::of_mut(&mut self.machine).reset()?;
        loop {
            match self.next_event().await {
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
    pub async fn quit(mut self) -> Result<(), Fault> {
        self.settle().await;
        let machine = machine::of_mut(&mut self.machine);
        if machine.error().is_some() || machine.quit().is_err() {
            return Ok(());
        }
        loop {
            match self.next_event().await {
                Ok(None) => return Ok(()),
                Ok(Some(_)) => {}
                Err(fault) => return Err(self.explain(fault, None)),
            }
        }
    }

    /// What has become of the message that is under way, or was when its future was
    /// dropped: of several the first.
    pub fn report(&self) -> Option<Report> {
        machine::of(&self.machine).report()
    }

    /// Whether another message may be sent over this connection.
    pub fn is_ready(&self) -> bool {
        machine::of(&self.machine).is_ready()
    }

    /// The server's greeting.
    pub fn greeting(&self) -> Option<&Reply> {
        machine::of(&self.machine).greeting()
    }

    /// What the server offers.
    pub fn capabilities(&self) -> Option<&Capabilities> {
        machine::of(&self.machine).capabilities()
    }

    async fn next_event(&mut self) -> Result<Option<Event>, Fault> {
        poll_fn(|context| self.poll_event(context)).await
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Event>, Fault>> {
        loop {
            if self.handle.0.is_cancelled() {
                machine::of_mut(&mut self.machine).abort();
            }
            let polled = self.transport.poll_next(context, &mut self.machine);
            self.handle.0.enter(machine::of(&self.machine).phase());
            match polled {
                Poll::Ready(Ok(Some(Event::Line(line)))) => {
                    if let Some(hook) = &mut self.on_line {
                        hook(&line);
                    }
                }
                Poll::Ready(Ok(Some(event))) => return Poll::Ready(Ok(Some(event))),
                Poll::Ready(Ok(None)) => {
                    self.close();
                    return Poll::Ready(Ok(None));
                }
                Poll::Ready(Err(error)) => {
                    self.close();
                    return Poll::Ready(Err(error.into()));
                }
                Poll::Pending if self.handle.0.waits(context) => return Poll::Pending,
                // Once more, to be told what a cancelled session comes to.
                Poll::Pending => {}
            }
        }
    }

    /// Gives up what a dropped future or guard has left half way, so that the
    /// connection is where a message may begin, or closed.
    async fn settle(&mut self) {
        poll_fn(|context| self.poll_settle(context)).await;
    }

    fn poll_settle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.under_way {
            let machine = machine::of_mut(&mut self.machine);
            machine.give_up();
            while machine.take_report().is_some() {}
            self.under_way = machine.reports().next().is_some();
            if self.under_way && !matches!(ready!(self.poll_event(context)), Ok(Some(_))) {
                // The end of the session is the end of every message.
                machine::of_mut(&mut self.machine).abort();
            }
        }
        Poll::Ready(())
    }

    /// The peer is to know at once, not when the caller drops us.
    fn close(&mut self) {
        let _ = self.transport.poll_close(&mut Context::from_waker(Waker::noop()));
    }

    /// Takes the report of a message that is over, with the whole story of its fault.
    fn take_report(&mut self, unread: Option<io::Error>) -> Option<Report> {
        let mut report = machine::of_mut(&mut self.machine).take_report()?;
        report.explain(|fault| self.explain(fault, unread));
        Some(report)
    }

    /// The whole story of a fault: which peer, and what the system said.
    fn explain(&self, fault: Fault, unread: Option<io::Error>) -> Fault {
        if let Some(error) = unread {
            return unreadable(error);
        }
        let fault = match self.transport.lost() {
            _ if fault.kind() == FaultKind::Closed && self.handle.0.is_cancelled() => cancelled(fault.phase()),
            Some(error) if fault.kind() == FaultKind::Closed => fault.because(error),
            _ => fault,
        };
        match fault.kind() {
            FaultKind::Body => fault,
            _ => fault.at(&self.endpoint),
        }
    }
}

impl<R: Runtime> fmt::Debug for Client<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.endpoint)
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}
