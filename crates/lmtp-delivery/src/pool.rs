//! Connections to one server: so many at once, used again while they are good.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use lmtp_tokio::proto::Escaped;
use lmtp_tokio::{Client, Envelope, Fault, FaultKind, Handle, Outcome, Phase, Report};
use tokio::sync::Semaphore;

use crate::cancel::Cancel;
use crate::message::Message;
use crate::metrics::{Counts, more};
use crate::options::{Problem, TargetOptions};
use crate::target::Target;

/// So long for the reply to QUIT.
const LEAVE: Duration = Duration::from_secs(3);

/// Connections to one server.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) target: Target,
    /// How many may be in use at once.
    places: Semaphore,
    /// Those that nobody uses; the last one was used last.
    idle: Mutex<Vec<Connection>>,
    most_idle: Duration,
    most_age: Duration,
    most_messages: u64,
}

#[derive(Debug)]
struct Connection {
    client: Client,
    handle: Handle,
    made: Instant,
    used: Instant,
    messages: u64,
}

impl Connection {
    /// Says QUIT, and waits for the answer for a little while.
    async fn quit(self, target: String) {
        let error = match tokio::time::timeout(LEAVE, self.client.quit()).await {
            Ok(Ok(())) => return,
            Ok(Err(fault)) => Escaped(fault.message().as_bytes()).to_string(),
            Err(_) => "no reply to QUIT".to_owned(),
        };
        tracing::debug!(target, error, "the connection did not end well");
    }
}

impl Pool {
    pub(crate) fn new(name: &str, options: &TargetOptions) -> Result<Self, Problem> {
        Ok(Self {
            target: Target::new(name, options)?,
            places: Semaphore::new(options.connections.min(Semaphore::MAX_PERMITS)),
            idle: Mutex::default(),
            most_idle: Duration::from_secs(options.idle),
            most_age: Duration::from_secs(options.age),
            most_messages: options.messages,
        })
    }

    /// Delivers a message in one transaction. It waits for a place, and uses a connection
    /// that is there, or makes one.
    ///
    /// A connection that turns out to have gone, before anything was handed over, is
    /// replaced by a new one, once.
    pub(crate) async fn deliver(
        &self,
        envelope: &Envelope,
        message: &Message,
        cancel: &Cancel,
        counts: &Counts,
    ) -> Report {
        let _place = tokio::select! {
            place = self.places.acquire() => place,
            () = cancel.cancelled() => return Report::unsent(envelope.clone(), self.cancelled()),
        };
        if let Some(connection) = self.take() {
            more(&counts.reused);
            let report = self.send(connection, envelope, message, cancel).await;
            if !has_gone(&report) || cancel.is_cancelled() {
                return report;
            }
            more(&counts.stale);
        }
        match self.connect(cancel, counts).await {
            Ok(connection) => self.send(connection, envelope, message, cancel).await,
            Err(fault) => Report::unsent(envelope.clone(), fault),
        }
    }

    /// One that nobody uses and that is still good, the one used last.
    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_old = |one: &mut Connection| now - one.used >= self.most_idle || now - one.made >= self.most_age;
        for old in idle.extract_if(.., is_old) {
            tokio::spawn(old.quit(self.target.name.clone()));
        }
        idle.pop()
    }

    /// Says QUIT on all connections that nobody uses.
    pub(crate) async fn close(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        join_all(idle.into_iter().map(|one| one.quit(self.target.name.clone()))).await;
    }

    async fn connect(&self, cancel: &Cancel, counts: &Counts) -> Result<Connection, Fault> {
        let handle = Handle::new();
        let usage = |error: lmtp_tokio::Error| Fault::new(FaultKind::Usage, Phase::Connect, error.to_string());
        let builder = self.target.builder(&handle).map_err(usage)?;
        let client = unless_cancelled(cancel, &handle, builder.connect()).await?;
        more(&counts.connections);
        let now = Instant::now();
        Ok(Connection { client, handle, made: now, used: now, messages: 0 })
    }

    /// Sends over that connection, and keeps it if it is still good.
    async fn send(
        &self,
        mut connection: Connection,
        envelope: &Envelope,
        message: &Message,
        cancel: &Cancel,
    ) -> Report {
        let body = message.body();
        let handle = connection.handle.clone();
        let delivered = unless_cancelled(cancel, &handle, connection.client.deliver(envelope, body)).await;
        let report = match delivered {
            Ok(report) => report,
            // The session was over before.
            Err(misuse) => {
                let fault = Fault::new(FaultKind::Closed, Phase::Mail, misuse.to_string());
                Report::unsent(envelope.clone(), fault.at(&self.target.endpoint))
            }
        };
        connection.used = Instant::now();
        connection.messages += 1;
        // Limits of a session may be used up.
        let is_limited = report.error().is_some_and(|fault| fault.kind() == FaultKind::Limit);
        if connection.client.is_ready() && !is_limited && connection.messages < self.most_messages {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        } else {
            // The answers stand; nobody waits for how it ends.
            tokio::spawn(connection.quit(self.target.name.clone()));
        }
        report
    }

    fn cancelled(&self) -> Fault {
        Fault::new(FaultKind::Closed, Phase::Connect, "cancelled").at(&self.target.endpoint)
    }
}

/// Whether the connection was found gone, and the message for nobody handed over: then
/// another connection can be tried.
fn has_gone(report: &Report) -> bool {
    let is_gone = report.error().is_some_and(|fault| fault.kind() == FaultKind::Closed);
    is_gone && report.recipients().all(|recipient| recipient.outcome() == Outcome::Unsent)
}

/// Waits for what the handle's client does; cancelled, it ends soon.
async fn unless_cancelled<T>(cancel: &Cancel, handle: &Handle, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = cancel.cancelled() => handle.cancel(),
    }
    work.await
}
