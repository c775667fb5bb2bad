//! The thread that accepts, and looks after applications that are late.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use lmtp_proto::Reply;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::line::Line;
use super::shutdown::Alarm;
use super::{Handler, Kind, Listener, Shared};

/// So many more are told at once that there is no place. The next wait to be accepted.
const TURNED_AWAY: usize = 64;
/// How long to wait when the system has no room for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until the server is shut down, and waits for all to end.
pub(super) fn accept_all<H: Handler>(shared: &Arc<Shared<H>>, listeners: Vec<Listener>) -> io::Result<()> {
    let mut alarm = shared.shutdown.alarm()?;
    let most = shared.max_connections.saturating_add(TURNED_AWAY);
    let listeners: Vec<(Listener, Kind)> = listeners
        .into_iter()
        .map(|listener| {
            let kind = shared.kind(listener.security);
            (listener, kind)
        })
        .collect();
    let mut lines: Vec<Weak<Line>> = Vec::new();
    let (mut looked, mut paused) = (Instant::now(), false);
    let mut result = Ok(());
    while !shared.shutdown.is_shut_down() {
        let has_room = !paused && shared.shutdown.connections() < most;
        let open = if has_room { listeners.as_slice() } else { &[] };
        let patience = match lines.is_empty() {
            _ if paused => Some(PAUSE.min(shared.tick())),
            true => None,
            false => Some(shared.tick()),
        };
        paused = false;
        for (listener, kind) in wait(open, &mut alarm, patience)? {
            match listener.accept() {
                Ok((socket, peer)) => {
                    let is_full = shared.shutdown.connections() >= shared.max_connections;
                    let place = shared.shutdown.enter();
                    let connection =
                        shared.connection(kind, socket, peer, place, is_full.then(Reply::too_many_connections));
                    lines.push(Arc::downgrade(&connection.line));
                    // Without a thread for it, it is closed.
                    let spawned = thread::Builder::new().name("lmtp".into()).spawn(move || connection.run());
                    paused |= spawned.is_err();
                }
                Err(error) if passes_at_once(&error) => {}
                Err(error) if passes(&error) => paused = true,
                Err(error) => {
                    result = Err(error);
                    shared.shutdown.shut_down();
                }
            }
        }
        look_after(&mut lines, &mut looked, shared.tick());
    }
    drop(listeners);
    while !lines.is_empty() {
        drop(wait(&[], &mut alarm, Some(shared.tick()))?);
        look_after(&mut lines, &mut looked, Duration::ZERO);
    }
    result
}

/// Waits for connections, or for the alarm; gives the listeners that have some.
fn wait<'a>(
    listeners: &'a [(Listener, Kind)],
    alarm: &mut Alarm,
    patience: Option<Duration>,
) -> io::Result<impl Iterator<Item = &'a (Listener, Kind)>> {
    let alarmed = alarm.0.try_clone()?;
    let all = listeners.iter().map(|(listener, _)| listener.as_fd()).chain([alarmed.as_fd()]);
    let mut sources: Vec<PollFd<'_>> = all.map(|source| PollFd::from_borrowed_fd(source, PollFlags::IN)).collect();
    let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
    match poll(&mut sources, patience.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let ready: Vec<bool> = sources.iter().map(|source| !source.revents().is_empty()).collect();
    alarm.reset();
    Ok(listeners.iter().zip(ready).filter_map(|(listener, ready)| ready.then_some(listener)))
}

/// From time to time: forgets connections that have ended, and takes over from
/// applications that are late.
fn look_after(lines: &mut Vec<Weak<Line>>, looked: &mut Instant, tick: Duration) {
    let now = Instant::now();
    if now.duration_since(*looked) < tick {
        return;
    }
    *looked = now;
    lines.retain(|line| {
        line.upgrade().is_some_and(|line| {
            line.look_after(now);
            !line.is_over()
        })
    });
}

/// Whether only this one connection came to nothing.
fn passes_at_once(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::ConnectionAborted | Kind::ConnectionReset | Kind::Interrupted | Kind::WouldBlock)
}

/// Whether the system has no room, or the network is in a bad state, which gets
/// better.
fn passes(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    let kinds = [
        Kind::OutOfMemory,
        Kind::NetworkDown,
        Kind::NetworkUnreachable,
        Kind::HostUnreachable,
        Kind::PermissionDenied,
        Kind::TimedOut,
    ];
    let codes = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::PROTO].map(Errno::raw_os_error);
    kinds.contains(&error.kind()) || error.raw_os_error().is_some_and(|code| codes.contains(&code))
}
