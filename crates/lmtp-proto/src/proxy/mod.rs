//! Who a proxy speaks for: the header of the PROXY protocol, versions 1 and 2.
//!
//! A load balancer puts it before all else, and the server behind it learns who
//! the client is. Anybody can write one, so it is read only on a port that is
//! told to expect it, from proxies that are trusted, and never guessed at
//! (section 2 of the protocol). Before it is complete nothing is said, the
//! greeting included.
//!
//! [`Proxied`] puts it before any machine. Without one, [`parse`] is asked again with all the octets so far until it gives a header
//! or an error:
//!
//! ```
//! use lmtp_proto::proxy::{ProxyHeader, parse};
//!
//! let octets = b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 24\r\nLHLO mx\r\n";
//! assert_eq!(parse(&octets[..20]), Ok(None));
//! let Some((header, length)) = parse(octets)? else { panic!() };
//! assert_eq!(header.source().unwrap().to_string(), "192.0.2.1:40000");
//! assert_eq!(&octets[length..], b"LHLO mx\r\n");
//! assert_eq!(header.encode_v1(), &octets[..length]);
//! # Ok::<(), lmtp_proto::proxy::ProxyError>(())
//! ```

mod network;
mod proxied;
mod v1;
mod v2;

pub use network::{InvalidNetwork, Network};
pub use proxied::{Error, Proxied, ProxiedError};

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::text::Escaped;

/// What a proxy says about a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ProxyHeader {
    /// The proxy speaks for itself, to see whether the server is alive. The
    /// endpoints are the connection's own.
    Local,
    /// The proxy speaks for somebody whom it cannot name here. The endpoints are
    /// the connection's own.
    Unknown,
    /// The proxy speaks for a client.
    Proxied {
        /// From where to where the client connected.
        endpoints: ProxyEndpoints,
        /// What else is said, in version 2 only.
        tlvs: Vec<Tlv>,
    },
}

/// From where a client connected, and to where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyEndpoints {
    /// TCP over IPv4.
    Tcp4 {
        /// The client.
        source: SocketAddrV4,
        /// The proxy, as the client sees it.
        destination: SocketAddrV4,
    },
    /// TCP over IPv6. Flow and scope are not said and are 0.
    Tcp6 {
        /// The client.
        source: SocketAddrV6,
        /// The proxy, as the client sees it.
        destination: SocketAddrV6,
    },
    /// A Unix stream, in version 2 only.
    Unix {
        /// The client.
        source: UnixAddress,
        /// The proxy, as the client sees it.
        destination: UnixAddress,
    },
}

/// The address of a Unix socket: at most 108 octets. Abstract ones begin with
/// NUL, and most clients have none at all.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UnixAddress(Box<[u8]>);

impl UnixAddress {
    /// The longest one.
    pub const MAX: usize = 108;

    /// An address without the NULs at its end.
    ///
    /// # Errors
    ///
    /// [`ProxyError::TooLong`].
    pub fn new(octets: &[u8]) -> Result<Self, ProxyError> {
        let end = octets.iter().rposition(|&octet| octet != 0).map_or(0, |last| last.saturating_add(1));
        match octets.get(..end) {
            Some(octets) if end <= Self::MAX => Ok(Self(Box::from(octets))),
            _ => Err(ProxyError::TooLong),
        }
    }

    /// The octets.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for UnixAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnixAddress({})", Escaped(&self.0))
    }
}

/// A type and its octets, in version 2 (section 2.2). Those that are known here
/// are as unknown as the others, but [`CRC32C`](Self::CRC32C), which must fit.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Tlv {
    /// The type.
    pub kind: u8,
    /// The octets.
    pub value: Vec<u8>,
}

impl Tlv {
    /// The type of the host name that the client asked TLS for (SNI).
    pub const AUTHORITY: u8 = 0x02;
    /// The type of the checksum of the whole header.
    pub const CRC32C: u8 = 0x03;
    /// The type that says nothing.
    pub const NOOP: u8 = 0x04;
    /// The type of a name for the connection.
    pub const UNIQUE_ID: u8 = 0x05;
    /// The type of what is known of the client's TLS.
    pub const SSL: u8 = 0x20;
}

impl fmt::Debug for Tlv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tlv({:#04x}, {})", self.kind, Escaped(&self.value))
    }
}

/// The most octets of a header: version 1 has at most 107; version 2 could have
/// 65551, nobody's has that many, and nobody has said who he is yet.
pub const MAX_HEADER: usize = 4096;

/// Octets that are no header of the PROXY protocol: the connection is to be
/// closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// They do not begin like one: the client is no proxy.
    #[error("no PROXY header")]
    Absent,
    /// Not the line of version 1, in which nothing may differ.
    #[error("a PROXY line that does not follow version 1")]
    Line,
    /// A line without its end, a version 2 header of more than
    /// [`MAX_HEADER`] octets, or an address that does not fit.
    #[error("a PROXY header that is too long")]
    TooLong,
    /// Neither version 1 nor 2, or a command that version 2 does not have.
    #[error("a PROXY header of a version or with a command that does not exist")]
    Command,
    /// A family or transport that version 2 does not have.
    #[error("a PROXY header with an address family that does not exist")]
    Family,
    /// Shorter than its addresses.
    #[error("a PROXY header that is shorter than its addresses")]
    Short,
    /// The TLVs do not fill their room, or do not fit in.
    #[error("a PROXY header with TLVs of wrong lengths")]
    Tlv,
    /// The checksum is another one.
    #[error("a PROXY header whose checksum is wrong")]
    Checksum,
}

/// Reads a header from the first octets of a connection: the header and how many
/// octets it has, or nothing if they are not all there.
///
/// # Errors
///
/// The octets are not the beginning of a header, which is told at the first
/// octet that cannot belong to one.
pub fn parse(octets: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyError> {
    match octets {
        [] => Ok(None),
        [b'P', ..] => v1::parse(octets),
        [b'\r', ..] => v2::parse(octets),
        _ => Err(ProxyError::Absent),
    }
}

impl ProxyHeader {
    /// A header without TLVs.
    pub fn proxied(endpoints: ProxyEndpoints) -> Self {
        Self::Proxied { endpoints, tlvs: Vec::new() }
    }

    /// From where the client connected, unless it is for the connection itself to
    /// say, or a Unix socket.
    pub fn source(&self) -> Option<SocketAddr> {
        match self {
            Self::Proxied { endpoints: ProxyEndpoints::Tcp4 { source, .. }, .. } => Some((*source).into()),
            Self::Proxied { endpoints: ProxyEndpoints::Tcp6 { source, .. }, .. } => Some((*source).into()),
            Self::Proxied { endpoints: ProxyEndpoints::Unix { .. }, .. } | Self::Local | Self::Unknown => None,
        }
    }

    /// The line of version 1. It has no words for Unix sockets, for the proxy
    /// itself and for TLVs: the first two are `UNKNOWN`, TLVs are left out.
    pub fn encode_v1(&self) -> Vec<u8> {
        v1::encode(self)
    }

    /// The header in version 2. It holds what is in it and nothing more: a
    /// checksum is not made.
    ///
    /// # Errors
    ///
    /// [`ProxyError::TooLong`]: more than [`MAX_HEADER`] octets.
    pub fn encode_v2(&self) -> Result<Vec<u8>, ProxyError> {
        v2::encode(self)
    }
}

#[cfg(test)]
mod tests;
