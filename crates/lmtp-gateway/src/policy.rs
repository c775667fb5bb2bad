//! Whom the gateway may dial: what is on the list of its operator, and nothing else.
//!
//! A page in a browser, or whoever reaches the gateway, must not make it speak with a neighbour that trusts it. So a
//! name is looked up once, each of its addresses is judged in every form that it can have, and what was judged is
//! what is dialled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Whom the gateway may dial.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    rules: Vec<Target>,
}

/// One entry of the list: a name or a network, at one port or at any but 25.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    whom: Whom,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Whom {
    /// In lower case, without a dot at the end.
    Name(String),
    Network(IpAddr, u32),
}

/// Text that is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a target is written mail.example.org, 192.0.2.0/24, [2001:db8::1] or such with :PORT, which is not 25")]
pub struct InvalidTarget;

/// Why somebody is not dialled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// A number in a form that programs read differently, or text that is no host.
    #[error("{0:?} is no name and no address")]
    NoHost(String),
    /// RFC 2033 section 5.
    #[error("port 25 is for SMTP, never for LMTP")]
    Port25,
    /// It is not on the list.
    #[error("{0} is not among the targets that this gateway may dial")]
    NotListed(String),
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let (host, port) = match (text.strip_prefix('['), text.rsplit_once(':')) {
            (Some(rest), _) => {
                let (host, behind) = rest.split_once(']').ok_or(InvalidTarget)?;
                (host, behind.strip_prefix(':'))
            }
            // Without brackets more than one colon is an address alone.
            (None, Some((host, port))) if !host.contains(':') => (host, Some(port)),
            _ => (text, None),
        };
        let port = port.map(|port| port.parse().ok().filter(|port| !matches!(port, 0 | 25)).ok_or(InvalidTarget));
        let (address, bits) = host.split_once('/').map_or((host, None), |(address, bits)| (address, Some(bits)));
        let whom = match address.parse::<IpAddr>() {
            Ok(address) => {
                let most = if address.is_ipv4() { 32 } else { 128 };
                let bits = bits.map_or(Some(most), |bits| bits.parse().ok().filter(|bits| *bits <= most));
                Whom::Network(address, bits.ok_or(InvalidTarget)?)
            }
            Err(_) if bits.is_none() && is_name(host) => Whom::Name(plain(host)),
            Err(_) => return Err(InvalidTarget),
        };
        Ok(Self { whom, port: port.transpose()? })
    }
}

impl Policy {
    /// The list; an empty one lets nobody be dialled.
    pub fn new(rules: Vec<Target>) -> Self {
        Self { rules }
    }

    /// Whether it makes sense to look that host up.
    ///
    /// # Errors
    ///
    /// It is none, or the port is never dialled.
    pub fn host(&self, host: &str, port: u16) -> Result<(), Refused> {
        if port == 25 {
            return Err(Refused::Port25);
        }
        if literal(host).is_none() && !is_name(host) {
            return Err(Refused::NoHost(host.to_owned()));
        }
        Ok(())
    }

    /// Those of the addresses of a host that may be dialled.
    ///
    /// # Errors
    ///
    /// The host cannot be dialled, or none of its addresses may.
    pub fn addresses(&self, host: &str, port: u16, found: &[IpAddr]) -> Result<Vec<IpAddr>, Refused> {
        self.host(host, port)?;
        let name = plain(host);
        let is_named = self.rules.iter().any(|rule| rule.is_for(port) && rule.whom == Whom::Name(name.clone()));
        let may = |address: &IpAddr| {
            faces(*address).into_iter().all(|face| {
                let is_listed = self.rules.iter().any(|rule| rule.is_for(port) && rule.contains(face));
                // A name is what its owner says it is. He may not say that it is this machine, unless he says so by
                // the one name that means it.
                is_listed || is_named && (!is_special(face) || name == "localhost" && face.is_loopback())
            })
        };
        let allowed: Vec<IpAddr> = found.iter().copied().filter(may).collect();
        if allowed.is_empty() { Err(Refused::NotListed(format!("{host}:{port}"))) } else { Ok(allowed) }
    }
}

impl Target {
    fn is_for(&self, port: u16) -> bool {
        self.port.is_none_or(|only| only == port)
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (&self.whom, address) {
            (Whom::Network(IpAddr::V4(network), bits), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= *bits
            }
            (Whom::Network(IpAddr::V6(network), bits), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= *bits
            }
            _ => false,
        }
    }
}

/// An address, in brackets or not.
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok().filter(|address: &IpAddr| bare.is_none() || address.is_ipv6())
}

/// Letters, digits, dots and hyphens, and a label at the end that is no number: resolvers take `2130706433`,
/// `0x7f.1` and `017700000001` for addresses, each in its way.
fn is_name(host: &str) -> bool {
    let bare = host.strip_suffix('.').unwrap_or(host);
    let last = bare.rsplit('.').next().unwrap_or_default();
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
    };
    bare.len() <= 253
        && bare.split('.').all(is_label)
        && last.bytes().any(|octet| octet.is_ascii_alphabetic())
        && !(last.len() > 1 && last.to_ascii_lowercase().starts_with("0x"))
}

fn plain(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// The address itself, and each that is wrapped in it.
fn faces(address: IpAddr) -> Vec<IpAddr> {
    let IpAddr::V6(outer) = address else { return vec![address] };
    let words = outer.segments();
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    let last = v4(words[6], words[7]);
    match words {
        // IPv4-mapped: the kernel speaks IPv4 there, so that is what it is. IPv4-compatible likewise, but for :: and ::1.
        [0, 0, 0, 0, 0, 0xffff, ..] => vec![last],
        [0, 0, 0, 0, 0, 0, ..] if !outer.is_unspecified() && !outer.is_loopback() => vec![address, last],
        // NAT64 (RFC 6052, RFC 8215), 6to4, Teredo.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => vec![address, last],
        [0x2002, high, low, ..] => vec![address, v4(high, low)],
        [0x2001, 0, .., high, low] => vec![address, v4(!high, !low)],
        _ => vec![address],
    }
}

/// What is this machine, this line or nobody: loopback, link-local (where clouds tell secrets), multicast, unspecified.
fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_loopback()
                || address.is_link_local()
                || address.is_multicast()
                || address.is_broadcast()
                || address.octets()[0] == 0
        }
        IpAddr::V6(address) => {
            address == Ipv6Addr::LOCALHOST
                || address.is_unspecified()
                || address.is_multicast()
                || address.segments()[0] & 0xffc0 == 0xfe80
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(rules: &[&str]) -> Policy {
        Policy::new(rules.iter().map(|rule| rule.parse().unwrap()).collect())
    }

    fn may(policy: &Policy, host: &str, port: u16, found: &str) -> bool {
        let found: Vec<IpAddr> = found.split(' ').map(|address| address.parse().unwrap()).collect();
        policy.addresses(host, port, &found).is_ok_and(|allowed| allowed.len() == found.len())
    }

    #[test]
    fn targets_as_they_are_written() {
        for text in [
            "mail.example.org",
            "Mail.Example.ORG.:2424",
            "192.0.2.0/24",
            "192.0.2.7:24",
            "[2001:db8::1]:24",
            "2001:db8::/32",
            "[2001:db8::/32]:24",
        ] {
            text.parse::<Target>().unwrap_or_else(|_| panic!("{text}"));
        }
        for text in [
            "",
            "mail.example.org:25",
            "192.0.2.7:25",
            "192.0.2.0/33",
            "a b",
            "2130706433",
            "0x7f.1",
            "x:0",
            "x:y",
            "[::1",
            "mail.example.org/24",
        ] {
            assert_eq!(text.parse::<Target>(), Err(InvalidTarget), "{text}");
        }
    }

    #[test]
    fn nobody_is_dialled_who_is_not_on_the_list() {
        let none = policy(&[]);
        assert!(!may(&none, "mail.example.org", 24, "192.0.2.7") && !may(&none, "192.0.2.7", 24, "192.0.2.7"));
        let list = policy(
            &["mail.example.org:2424", "198.51.100.0/24", "2001:db8::/32:24"]
                .map(|rule| if rule.ends_with(":24") { "[2001:db8::/32]:24" } else { rule }),
        );
        assert!(may(&list, "MAIL.example.org.", 2424, "192.0.2.7 10.0.0.7"));
        assert!(!may(&list, "mail.example.org", 24, "192.0.2.7"), "another port");
        assert!(!may(&list, "mail.example.org.evil.net", 2424, "192.0.2.7"));
        assert!(may(&list, "198.51.100.9", 24, "198.51.100.9") && may(&list, "any.net", 24, "198.51.100.9"));
        assert!(!may(&list, "198.51.101.9", 24, "198.51.101.9"));
        assert!(may(&list, "[2001:db8::9]", 24, "2001:db8::9") && !may(&list, "[2001:db8::9]", 2424, "2001:db8::9"));
    }

    #[test]
    fn port_25_is_never_dialled() {
        let all = policy(&["0.0.0.0/0", "::/0", "mail.example.org"]);
        for host in ["mail.example.org", "192.0.2.7", "[::1]"] {
            assert_eq!(all.host(host, 25), Err(Refused::Port25));
        }
    }

    /// A name that is on the list, and whose owner lets it lead here.
    #[test]
    fn a_name_does_not_lead_to_this_machine() {
        let list = policy(&["mail.example.org"]);
        for found in [
            "127.0.0.1",
            "127.1.2.3",
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::a9fe:a9fe",
            "2002:7f00:1::",
            "2001:0:1:2:3:4:80ff:fffe",
        ] {
            assert!(!may(&list, "mail.example.org", 24, found), "{found}");
            // One good address beside it does not make it good, and is what is dialled.
            let both: Vec<IpAddr> = vec![found.parse().unwrap(), "192.0.2.7".parse().unwrap()];
            assert_eq!(
                list.addresses("mail.example.org", 24, &both).unwrap(),
                ["192.0.2.7".parse::<IpAddr>().unwrap()]
            );
        }
        assert!(may(&list, "mail.example.org", 24, "10.0.0.7 64:ff9b::c000:207 2001:db8::1"));
        assert!(may(&policy(&["localhost"]), "localhost.", 24, "127.0.0.1 ::1"));
        assert!(!may(&policy(&["localhost"]), "localhost", 24, "169.254.169.254"));
    }

    /// What is allowed is allowed in its own form only.
    #[test]
    fn a_network_is_meant_through_all_disguises() {
        let list = policy(&["127.0.0.0/8", "64:ff9b::/96"]);
        assert!(may(&list, "127.0.0.1", 24, "127.0.0.1") && may(&list, "[::ffff:127.0.0.1]", 24, "::ffff:127.0.0.1"));
        assert!(may(&list, "x.example", 24, "64:ff9b::7f00:1"), "both faces are listed");
        assert!(!may(&list, "x.example", 24, "64:ff9b::c000:207"), "the inner one is not");
        assert!(!may(&list, "x.example", 24, "::127.0.0.1"), "the outer one is not");
    }

    #[test]
    fn numbers_that_only_some_take_for_addresses_are_no_hosts() {
        let all = policy(&["0.0.0.0/0", "::/0"]);
        for host in [
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
            "127.0.0.1.",
            "1.2.3.4.5",
            "x.0x7f",
            "",
            ".",
            "a..b",
            "a b",
            "a/b",
            "[127.0.0.1]",
            "user@x",
            "a:24",
            "::1]",
        ] {
            assert_eq!(all.host(host, 24), Err(Refused::NoHost(host.to_owned())), "{host}");
        }
        for host in ["127.0.0.1", "::1", "[::1]", "localhost", "a.b-c.example.", "1.example"] {
            assert_eq!(all.host(host, 24), Ok(()), "{host}");
        }
    }
}
