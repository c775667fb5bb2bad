//! Whom to believe a PROXY header.

use core::net::IpAddr;
use core::str::FromStr;

use crate::server::Peer;

/// Where trusted proxies connect from: a network such as `192.0.2.0/24` or
/// `2001:db8::/32`, one address, or `unix` for whoever may connect to a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(Inner);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Inner {
    Unix,
    /// So many leading bits are those of the address.
    Ip(IpAddr, u32),
}

impl Network {
    /// Whether a peer connects from there.
    pub fn contains(&self, peer: &Peer) -> bool {
        match (self.0, peer.address) {
            (Inner::Unix, address) => address.is_none(),
            (Inner::Ip(network, bits), Some(address)) => match (network, address.ip().to_canonical()) {
                (IpAddr::V4(network), IpAddr::V4(address)) => {
                    (network.to_bits() ^ address.to_bits()).leading_zeros() >= bits
                }
                (IpAddr::V6(network), IpAddr::V6(address)) => {
                    (network.to_bits() ^ address.to_bits()).leading_zeros() >= bits
                }
                _ => false,
            },
            (Inner::Ip(..), None) => false,
        }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        if text == "unix" {
            return Ok(Self(Inner::Unix));
        }
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| InvalidNetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or(InvalidNetwork)?,
        };
        Ok(Self(Inner::Ip(address, bits)))
    }
}

/// Text that is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a network is written 192.0.2.0/24, 2001:db8::/32 or unix")]
pub struct InvalidNetwork;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_a_network() {
        for (network, address, is_in) in [
            ("192.0.2.0/24", "192.0.2.255:1", true),
            ("192.0.2.0/24", "192.0.3.0:1", false),
            ("192.0.2.1", "192.0.2.1:1", true),
            ("192.0.2.1", "192.0.2.2:1", false),
            ("0.0.0.0/0", "192.0.2.1:1", true),
            ("0.0.0.0/0", "[::1]:1", false),
            ("192.0.2.0/24", "[::ffff:192.0.2.7]:1", true),
            ("2001:db8::/32", "[2001:db8:ffff::1]:1", true),
            ("2001:db8::/32", "[2001:db9::1]:1", false),
            ("::/0", "[2001:db9::1]:1", true),
            ("unix", "192.0.2.1:1", false),
        ] {
            let peer = Peer::tcp(address.parse().unwrap());
            assert_eq!(network.parse::<Network>().unwrap().contains(&peer), is_in, "{address} in {network}");
        }
        assert!("unix".parse::<Network>().unwrap().contains(&Peer::unix(None)));
        assert!(!"::/0".parse::<Network>().unwrap().contains(&Peer::unix(None)));
    }

    #[test]
    fn what_is_no_network() {
        for text in ["", "192.0.2.0/33", "::/129", "192.0.2.0/", "192.0.2.0/-1", "192.0.2/24", "localhost"] {
            assert_eq!(text.parse::<Network>(), Err(InvalidNetwork), "{text}");
        }
    }
}
