//! Whom the gateway may dial: what is on the list of its operator, and nothing else.
//!
//! A page in a browser, or whoever reaches the gateway, must not make it speak with a neighbour that trusts it. So a
//! name is looked up once, each of its addresses is judged in every form that it can have, and what was judged is
//! what is dialled.

use std::net::{IpAddr, Ipv4Addr};
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

    /// Whether any answer to that name could lead to somebody who may be dialled: if none could, it is not looked
    /// up, and nobody learns from us what the resolver here knows.
    ///
    /// # Errors
    ///
    /// None could.
    pub(crate) fn lookup(&self, host: &str, port: u16) -> Result<(), Refused> {
        let name = plain(host);
        let leads = |rule: &Target| rule.is_called(&name) || matches!(rule.whom, Whom::Network(..));
        let could = self.rules.iter().any(|rule| rule.is_for(port) && leads(rule));
        if could { Ok(()) } else { Err(Refused::NotListed(format!("{host}:{port}"))) }
    }

    /// Those of the addresses of a host that may be dialled.
    ///
    /// # Errors
    ///
    /// The host cannot be dialled, or none of its addresses may.
    pub fn addresses(&self, host: &str, port: u16, found: &[IpAddr]) -> Result<Vec<IpAddr>, Refused> {
        self.host(host, port)?;
        let name = plain(host);
        let is_named = self.rules.iter().any(|rule| rule.is_for(port) && rule.is_called(&name));
        let may = |address: &IpAddr| {
            faces(*address).into_iter().all(|face| {
                let is_listed = self.rules.iter().any(|rule| rule.is_for(port) && rule.contains(face));
                match special(face) {
                    // What is not meant for everybody has to be meant: by a network that lies within it, or by
                    // the one name that means this machine.
                    Some(range) => {
                        let means = |rule: &Target| rule.is_for(port) && rule.contains(face) && rule.lies_within(range);
                        self.rules.iter().any(means) || is_named && name == "localhost" && face.is_loopback()
                    }
                    None => is_listed || is_named,
                }
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

    fn is_called(&self, name: &str) -> bool {
        matches!(&self.whom, Whom::Name(listed) if listed == name)
    }

    fn contains(&self, address: IpAddr) -> bool {
        matches!(self.whom, Whom::Network(network, bits) if is_in(address, (network, bits)))
    }

    fn lies_within(&self, range: (IpAddr, u32)) -> bool {
        matches!(self.whom, Whom::Network(network, bits) if bits >= range.1 && is_in(network, range))
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
        // Translated (SIIT, RFC 2765), NAT64 (RFC 6052), and its local prefixes (RFC 8215), where the address may stand at
        // any of its places: none of it is dialled.
        [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => vec![address, last],
        [0x64, 0xff9b, 1, ..] => vec![address, IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
        // 6to4, Teredo with its server, ISATAP.
        [0x2002, high, low, ..] => vec![address, v4(high, low)],
        [0x2001, 0, first, second, .., high, low] => vec![address, v4(first, second), v4(!high, !low)],
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => vec![address, last],
        _ => vec![address],
    }
}

/// Whether so many leading bits are the same.
fn is_in(address: IpAddr, (network, bits): (IpAddr, u32)) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => (network.to_bits() ^ address.to_bits()).leading_zeros() >= bits,
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits() ^ address.to_bits()).leading_zeros() >= bits,
        _ => false,
    }
}

/// The range that an address is of, if it is not one of the Internet at large (RFC 6890 and the registries that it
/// began): this machine, this line (where clouds tell secrets), this site, documentation, multicast, nobody.
fn special(address: IpAddr) -> Option<(IpAddr, u32)> {
    const V4: [([u8; 4], u32); 16] = [
        ([0, 0, 0, 0], 8),
        ([10, 0, 0, 0], 8),
        ([100, 64, 0, 0], 10),
        ([127, 0, 0, 0], 8),
        ([169, 254, 0, 0], 16),
        ([172, 16, 0, 0], 12),
        ([192, 0, 0, 0], 24),
        ([192, 0, 2, 0], 24),
        ([192, 88, 99, 0], 24),
        ([192, 168, 0, 0], 16),
        ([198, 18, 0, 0], 15),
        ([198, 51, 100, 0], 24),
        ([203, 0, 113, 0], 24),
        ([224, 0, 0, 0], 4),
        ([240, 0, 0, 0], 5),
        ([248, 0, 0, 0], 5),
    ];
    const V6: [([u16; 8], u32); 10] = [
        ([0, 0, 0, 0, 0, 0, 0, 0], 96),
        ([0x100, 0, 0, 0, 0, 0, 0, 0], 64),
        ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
        ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
        ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
        ([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16),
        ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
        ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
        ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),
        ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
    ];
    let ranges = V4.map(|(octets, bits)| (IpAddr::from(octets), bits)).into_iter();
    let ranges = ranges.chain(V6.map(|(words, bits)| (IpAddr::from(words), bits)));
    ranges.into_iter().find(|range| is_in(address, *range))
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
        assert!(!may(&none, "mail.example.org", 24, "9.9.9.9") && !may(&none, "9.9.9.9", 24, "9.9.9.9"));
        let list = policy(&["mail.example.org:2424", "9.9.9.0/24", "[2a00::/32]:24"]);
        assert!(may(&list, "MAIL.example.org.", 2424, "8.8.8.8 2a01::1"));
        assert!(!may(&list, "mail.example.org", 24, "8.8.8.8"), "another port");
        assert!(!may(&list, "mail.example.org.evil.net", 2424, "8.8.8.8"));
        assert!(may(&list, "9.9.9.9", 24, "9.9.9.9") && may(&list, "any.net", 24, "9.9.9.9"));
        assert!(!may(&list, "9.9.8.9", 24, "9.9.8.9"));
        assert!(may(&list, "[2a00::9]", 24, "2a00::9") && !may(&list, "[2a00::9]", 2424, "2a00::9"));
    }

    #[test]
    fn a_name_that_can_lead_to_nobody_is_not_looked_up() {
        let list = policy(&["mail.example.org:2424", "[2a00::/32]:24"]);
        assert!(list.lookup("Mail.Example.org.", 2424).is_ok() && list.lookup("any.net", 24).is_ok());
        let refused = Err(Refused::NotListed("secret.internal:2424".into()));
        assert_eq!(list.lookup("secret.internal", 2424), refused);
        assert!(list.lookup("mail.example.org", 2525).is_err() && policy(&[]).lookup("mail.example.org", 24).is_err());
    }

    #[test]
    fn port_25_is_never_dialled() {
        let all = policy(&["0.0.0.0/0", "::/0", "mail.example.org"]);
        for host in ["mail.example.org", "192.0.2.7", "[::1]"] {
            assert_eq!(all.host(host, 25), Err(Refused::Port25));
        }
    }

    /// Not by a name that is on the list and whose owner lets it lead there, and not by a network that is everything.
    #[test]
    fn what_is_special_has_to_be_meant() {
        let lists = [
            policy(&["mail.example.org"]),
            policy(&["0.0.0.0/0", "::/0"]),
            policy(&["mail.example.org", "126.0.0.0/7"]),
        ];
        for found in [
            "127.0.0.1",
            "127.1.2.3",
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "172.31.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fec0::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::a9fe:a9fe",
            "64:ff9b:1:7f00:0:100::",
            "2002:7f00:1::",
            "2001:0:1:2:3:4:80ff:fffe",
            "2001:0:7f00:1:3:4:5:6",
            "2a00::5efe:7f00:1",
            "2a00::200:5efe:a00:1",
        ] {
            for list in &lists {
                assert!(!may(list, "mail.example.org", 24, found), "{found}");
                // One good address beside it does not make it good, and is what is dialled.
                let both: Vec<IpAddr> = vec![found.parse().unwrap(), "9.9.9.9".parse().unwrap()];
                if let Ok(allowed) = list.addresses("mail.example.org", 24, &both) {
                    assert_eq!(allowed, ["9.9.9.9".parse::<IpAddr>().unwrap()]);
                }
            }
        }
        assert!(may(&lists[0], "mail.example.org", 24, "9.9.9.9 64:ff9b::909:909 2a00::1"));
        assert!(
            may(&policy(&["10.0.0.0/8"]), "mail.internal", 24, "10.0.0.7")
                && may(&policy(&["10.1.0.0/16"]), "10.1.2.3", 24, "10.1.2.3")
        );
        assert!(may(&policy(&["localhost"]), "localhost.", 24, "127.0.0.1 ::1"));
        assert!(!may(&policy(&["localhost"]), "localhost", 24, "169.254.169.254"));
    }

    /// What is allowed is allowed in its own form only.
    #[test]
    fn a_network_is_meant_through_all_disguises() {
        let list = policy(&["127.0.0.0/8", "64:ff9b::/96"]);
        assert!(may(&list, "127.0.0.1", 24, "127.0.0.1") && may(&list, "[::ffff:127.0.0.1]", 24, "::ffff:127.0.0.1"));
        assert!(may(&list, "x.example", 24, "64:ff9b::7f00:1"), "both faces are listed");
        assert!(!may(&list, "x.example", 24, "64:ff9b::909:909"), "the inner one is not");
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
