//! What an async runtime lends beside a stream: ways to connect and to listen, and tasks.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;

use lmtp_proto::server::Peer;

use crate::{Timer, Transport};

/// An async runtime: sockets, time and tasks. A type without a value; clients and
/// servers are generic over it.
pub trait Runtime: Send + Sync + Sized + 'static {
    /// A connected stream in the loop of this runtime. Any stream that the caller
    /// opened can become one, by [`From`].
    type Transport: Transport;
    /// Its clock.
    type Timer: Timer;
    /// A socket that listens, TCP or Unix. What the runtime's own listeners are made
    /// into, by [`From`].
    type Listener: Send + Sync + Unpin;

    /// The addresses of a host, in the order to try them.
    fn resolve(host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Connects, however long it takes; `TCP_NODELAY` is set. Where a Unix socket's
    /// backlog is full it is [`WouldBlock`](io::ErrorKind::WouldBlock) or
    /// [`NotConnected`](io::ErrorKind::NotConnected), and the caller waits.
    fn connect(address: &Address) -> impl Future<Output = io::Result<Self::Transport>> + Send;

    /// Takes over a socket that listens and does not block.
    ///
    /// # Errors
    ///
    /// The runtime has no reactor here, or it refuses.
    fn listen(socket: Listening) -> io::Result<Self::Listener>;

    /// The next connection and who made it; `TCP_NODELAY` is set. Dropped, it has
    /// taken none.
    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<(Self::Transport, Peer)>> + Send;

    /// Runs a task of its own, to its end.
    fn spawn(task: impl Future<Output = ()> + Send + 'static);
}

/// Where a socket is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// An address of TCP.
    Tcp(SocketAddr),
    /// A Unix socket: a path, or on Linux an abstract name behind a NUL.
    Unix(std::path::PathBuf),
}

impl Address {
    /// The Unix socket of an endpoint: what begins with `@` is an abstract name on
    /// Linux.
    pub fn unix(path: &str) -> Self {
        match path.strip_prefix('@') {
            Some(name) if cfg!(any(target_os = "linux", target_os = "android")) => {
                Self::Unix(format!("\0{name}").into())
            }
            _ => Self::Unix(path.into()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "{}", path.to_string_lossy().replace('\0', "@")),
        }
    }
}

/// A socket of the standard library that listens and does not block.
#[derive(Debug)]
pub enum Listening {
    /// TCP.
    Tcp(std::net::TcpListener),
    /// Unix.
    Unix(std::os::unix::net::UnixListener),
}
