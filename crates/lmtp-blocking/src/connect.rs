//! Making a connection.

use std::fmt::Write as _;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use lmtp_proto::value::{Security, Target};
use lmtp_proto::{Endpoint, Fault, FaultKind, Phase};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::handle::Shared;

/// What a dialling thread, or whoever cancels it, reports.
pub(crate) type Dialled = Result<Socket, Fault>;

/// Connects within `timeout`, whatever the resolver and the network do.
///
/// Neither a name look-up nor a Unix socket whose listener is busy can be
/// bounded in time where they block, so they block a thread of their own.
pub(crate) fn dial(endpoint: &Endpoint, timeout: Duration, shared: &Shared) -> Dialled {
    /// Longer than anybody waits, and short enough to reckon with.
    const EVER: Duration = Duration::from_secs(366 * 24 * 3600);
    let timeout = timeout.min(EVER);
    let (report, dialled) = mpsc::channel();
    shared.dialling(report.clone())?;
    let (target, deadline) = (endpoint.clone(), Instant::now() + timeout);
    thread::Builder::new()
        .name("lmtp-dial".into())
        .spawn(move || {
            // Nobody may be waiting any more; then the socket closes here.
            let _ = report.send(connect(&target, deadline));
        })
        .map_err(|error| fault(FaultKind::Connect, "no thread to connect with", error))?;
    let late = || Err(Fault::new(FaultKind::Timeout, Phase::Connect, "timed out while connecting"));
    let connected = dialled.recv_timeout(timeout).unwrap_or_else(|_| late()).and_then(|socket| {
        shared.connected(&socket)?;
        Ok(socket)
    });
    if connected.is_err() {
        shared.release();
    }
    connected
}

/// Takes over a socket that somebody has connected.
pub(crate) fn adopt(socket: Socket, shared: &Shared) -> Dialled {
    let (report, _) = mpsc::channel();
    shared.dialling(report)?;
    let quietened = socket.set_nonblocking(false).and_then(|()| quiet(&socket));
    let adopted = quietened.map_err(|error| fault(FaultKind::Connect, "cannot use the socket", error));
    let adopted = adopted.and_then(|()| shared.connected(&socket));
    if adopted.is_err() {
        shared.release();
    }
    adopted.map(|()| socket)
}

fn connect(endpoint: &Endpoint, deadline: Instant) -> Dialled {
    match endpoint.target() {
        Target::Unix { path } => connect_unix(path, deadline).map_err(|error| {
            let hint = match error.kind() {
                ErrorKind::NotFound => " (no such socket: is the server running?)",
                ErrorKind::PermissionDenied => " (this user may not use the socket)",
                ErrorKind::ConnectionRefused => " (nobody listens on the socket)",
                _ => "",
            };
            let timed_out = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            let kind = if timed_out { FaultKind::Timeout } else { FaultKind::Connect };
            let cause = if timed_out { ErrorKind::TimedOut.into() } else { error };
            let message = format!("cannot connect: {cause}{hint}");
            Fault::new(kind, Phase::Connect, message).with_source(cause)
        }),
        Target::Tcp { host, port, security: Security::Plain } => connect_tcp(host, port, deadline),
        _ => Err(Fault::new(FaultKind::Tls, Phase::Connect, "this version speaks no TLS; use lmtp:// or unix:")),
    }
}

/// The path of a Unix socket; on Linux what begins with `@` is an abstract name.
pub(crate) fn unix_path(path: &str) -> PathBuf {
    match path.strip_prefix('@') {
        Some(name) if cfg!(any(target_os = "linux", target_os = "android")) => format!("\0{name}").into(),
        _ => path.into(),
    }
}

/// On Linux `connect` waits for room in the listener's backlog, for as long as
/// the write time-out says.
fn connect_unix(path: &str, deadline: Instant) -> io::Result<Socket> {
    let address = SockAddr::unix(unix_path(path))?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    quiet(&socket)?;
    loop {
        socket.set_write_timeout(Some(time_until(deadline)))?;
        match socket.connect(&address) {
            Ok(()) => return Ok(socket),
            // A signal is no answer.
            Err(error) if error.kind() == ErrorKind::Interrupted && Instant::now() < deadline => {}
            Err(error) => return Err(error),
        }
    }
}

fn connect_tcp(host: &str, port: u16, deadline: Instant) -> Dialled {
    let addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|error| fault(FaultKind::Resolve, &format!("cannot resolve {host}"), error))?
        .collect();
    if addresses.is_empty() {
        return Err(Fault::new(FaultKind::Resolve, Phase::Connect, format!("{host} has no address")));
    }
    connect_any(&addresses, deadline)
}

/// Tries every address of a host, each with its share of the time that is left,
/// so that one that does not answer leaves time for the others.
fn connect_any(addresses: &[SocketAddr], deadline: Instant) -> Dialled {
    let (mut failed, mut last) = (String::new(), None);
    for (index, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        match connect_address(*address, time_until(deadline) / left) {
            Ok(socket) => return Ok(socket),
            Err(error) => {
                let _ = write!(failed, "{}{address}: {error}", if index > 0 { "; " } else { "" });
                last = Some(error);
            }
        }
    }
    let message = format!("cannot connect: {failed}");
    match last {
        Some(error) if error.kind() != ErrorKind::TimedOut => {
            Err(Fault::new(FaultKind::Connect, Phase::Connect, message).with_source(error))
        }
        _ => Err(Fault::new(FaultKind::Timeout, Phase::Connect, message)),
    }
}

fn connect_address(address: SocketAddr, timeout: Duration) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    quiet(&socket)?;
    socket.connect_timeout(&address.into(), timeout)?;
    // Commands are short and a group leaves in one write: waiting to send more
    // would only add to the round trip.
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

/// Where a write cannot be told so, the socket is: a peer that has gone is an
/// error and not a signal.
#[cfg(target_vendor = "apple")]
fn quiet(socket: &Socket) -> io::Result<()> {
    socket.set_nosigpipe(true)
}

#[cfg(not(target_vendor = "apple"))]
#[expect(clippy::unnecessary_wraps, reason = "it may fail elsewhere")]
fn quiet(_: &Socket) -> io::Result<()> {
    Ok(())
}

fn time_until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

fn fault(kind: FaultKind, what: &str, error: io::Error) -> Fault {
    Fault::new(kind, Phase::Connect, format!("{what}: {error}")).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    /// A port of the loopback interface where nobody listens.
    fn closed() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    #[test]
    fn every_address_is_tried() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let socket = connect_any(&[closed(), closed(), open], soon()).unwrap();
        assert_eq!(socket.peer_addr().unwrap().as_socket().unwrap(), open);
        assert!(socket.tcp_nodelay().unwrap());
    }

    #[test]
    fn the_error_names_every_address() {
        let addresses = [closed(), closed()];
        let fault = connect_any(&addresses, soon()).unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Connect);
        for address in addresses {
            assert!(fault.message().contains(&address.to_string()), "{fault}");
        }
    }

    /// One that does not answer leaves time for the others.
    #[test]
    fn each_address_has_its_share_of_the_time() {
        // A backlog that is full lets nobody in and turns nobody away.
        let busy = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        busy.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        busy.listen(0).unwrap();
        let full = busy.local_addr().unwrap().as_socket().unwrap();
        let mut waiting = Vec::new();
        while let Ok(socket) = connect_address(full, Duration::from_millis(100)) {
            waiting.push(socket);
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let started = Instant::now();
        let socket = connect_any(&[full, open], started + Duration::from_secs(2)).unwrap();
        assert!(started.elapsed() < Duration::from_millis(1900), "the first has taken all of it");
        assert_eq!(socket.peer_addr().unwrap().as_socket().unwrap(), open);
        assert_eq!(connect_any(&[full], Instant::now()).unwrap_err().kind(), FaultKind::Timeout);
    }
}
