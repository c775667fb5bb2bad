//! Making a connection.

use std::fmt::Write as _;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use lmtp_proto::value::Target;
use lmtp_proto::{Endpoint, Fault, FaultKind, Phase};

use super::handle::{Handle, cancelled};
use crate::{Address, Runtime, Timer};

/// How long to wait before knocking again where a Unix socket's backlog is full.
const AGAIN: Duration = Duration::from_millis(10);

/// Connects within `timeout`, whatever the resolver and the network do.
pub(super) async fn dial<R: Runtime>(
    endpoint: &Endpoint,
    timeout: Duration,
    handle: &Handle,
) -> Result<R::Transport, Fault> {
    let now = R::Timer::new().now();
    let dialling = async {
        // A moment that no clock can show never comes.
        let deadline = now.checked_add(timeout);
        match endpoint.target() {
            Target::Unix { path } => connect_unix::<R>(&Address::unix(path), deadline).await,
            Target::Tcp { host, port, .. } => connect_tcp::<R>(host, port, deadline).await,
            _ => Err(Fault::new(FaultKind::Usage, Phase::Connect, "this kind of endpoint is not known here")),
        }
    };
    let mut dialling = pin!(dialling);
    poll_fn(|context| match dialling.as_mut().poll(context) {
        Poll::Pending if !handle.waits(context) => Poll::Ready(Err(cancelled(Phase::Connect))),
        polled => polled,
    })
    .await
}

/// What comes in time.
async fn within<R: Runtime, T>(
    deadline: Option<Instant>,
    future: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let Some(deadline) = deadline else { return future.await };
    let (mut future, mut timer) = (pin!(future), R::Timer::new());
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Pending => timer.poll_until(context, deadline).map(|()| Err(ErrorKind::TimedOut.into())),
        ready @ Poll::Ready(_) => ready,
    })
    .await
}

async fn connect_unix<R: Runtime>(address: &Address, deadline: Option<Instant>) -> Result<R::Transport, Fault> {
    let connecting = async {
        loop {
            match R::connect(address).await {
                // The backlog is full. async-io waits a little, and then has no connection.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    let mut timer = R::Timer::new();
                    let moment = timer.now() + AGAIN;
                    timer.until(moment).await;
                }
                result => return result,
            }
        }
    };
    within::<R, _>(deadline, connecting).await.map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::NotFound => " (no such socket: is the server running?)",
            ErrorKind::PermissionDenied => " (this user may not use the socket)",
            ErrorKind::ConnectionRefused => " (nobody listens on the socket)",
            _ => "",
        };
        failed(error.kind(), format!("cannot connect: {error}{hint}")).with_source(error)
    })
}

async fn connect_tcp<R: Runtime>(host: &str, port: u16, deadline: Option<Instant>) -> Result<R::Transport, Fault> {
    let addresses = within::<R, _>(deadline, R::resolve(host, port)).await.map_err(|error| match error.kind() {
        ErrorKind::TimedOut => failed(ErrorKind::TimedOut, format!("cannot resolve {host}: {error}")),
        _ => {
            Fault::new(FaultKind::Resolve, Phase::Connect, format!("cannot resolve {host}: {error}")).with_source(error)
        }
    })?;
    if addresses.is_empty() {
        return Err(Fault::new(FaultKind::Resolve, Phase::Connect, format!("{host} has no address")));
    }
    connect_any::<R>(&addresses, deadline).await
}

/// Tries every address of a host, each with its share of the time that is left, so
/// that one that does not answer leaves time for the others.
async fn connect_any<R: Runtime>(addresses: &[SocketAddr], deadline: Option<Instant>) -> Result<R::Transport, Fault> {
    let (mut said, mut last) = (String::new(), None);
    for (index, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let now = R::Timer::new().now();
        let share = deadline.map(|deadline| now + deadline.saturating_duration_since(now) / left);
        match within::<R, _>(share, R::connect(&Address::Tcp(*address))).await {
            Ok(transport) => return Ok(transport),
            Err(error) => {
                let _ = write!(said, "{}{address}: {error}", if index > 0 { "; " } else { "" });
                last = Some(error);
            }
        }
    }
    let kind = last.as_ref().map_or(ErrorKind::NotFound, io::Error::kind);
    let fault = failed(kind, format!("cannot connect: {said}"));
    Err(match last {
        Some(error) => fault.with_source(error),
        None => fault,
    })
}

fn failed(kind: ErrorKind, message: String) -> Fault {
    let kind = if kind == ErrorKind::TimedOut { FaultKind::Timeout } else { FaultKind::Connect };
    Fault::new(kind, Phase::Connect, message)
}
