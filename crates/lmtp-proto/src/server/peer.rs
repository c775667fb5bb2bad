//! Who is at the other end.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::proxy::ProxyHeader;

/// Who is at the other end of a connection, as far as the line tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Peer {
    /// The address of a peer on TCP.
    pub address: Option<SocketAddr>,
    /// The process at the other end of a Unix socket.
    pub credentials: Option<Credentials>,
    /// What a trusted proxy said of the client that it speaks for.
    pub proxy: Option<ProxyHeader>,
    /// What is known from TLS, once the stream is encrypted.
    pub tls: Option<Box<PeerTls>>,
}

impl Peer {
    /// Where the client is: where a trusted proxy says, else the peer's own
    /// address.
    pub fn client(&self) -> Option<SocketAddr> {
        self.proxy.as_ref().and_then(ProxyHeader::source).or(self.address)
    }

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

/// What TLS tells about a peer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PeerTls {
    /// The version, such as `TLSv1.3`.
    pub version: String,
    /// The cipher suite, such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The host that the client asked for (SNI).
    pub server_name: Option<String>,
    /// The client's certificate in DER, if it showed one that was verified.
    pub certificate: Option<Vec<u8>>,
    /// Whom that certificate names: an identity for AUTH EXTERNAL.
    pub identity: Option<String>,
}
