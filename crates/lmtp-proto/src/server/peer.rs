//! Who is at the other end.

use core::net::SocketAddr;

/// Who is at the other end of a connection, as far as the line tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Peer {
    /// The address of a peer on TCP.
    pub address: Option<SocketAddr>,
    /// The process at the other end of a Unix socket.
    pub credentials: Option<Credentials>,
}

impl Peer {
    /// A peer on TCP.
    pub fn tcp(address: SocketAddr) -> Self {
        Self { address: Some(address), ..Self::default() }
    }

    /// A peer on a Unix socket, and who it is where the system tells.
    pub fn unix(credentials: Option<Credentials>) -> Self {
        Self { credentials, ..Self::default() }
    }
}

/// The process at the other end of a Unix socket, as it was when it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// The process, where the system tells.
    pub pid: Option<i32>,
}
