//! Version 1: a line (section 2.1).

use alloc::format;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use core::str::{self, FromStr};

use super::{ProxyEndpoints, ProxyError, ProxyHeader};

/// The longest line, CRLF included.
const MAX_LINE: usize = 107;

type Parsed = Result<Option<(ProxyHeader, usize)>, ProxyError>;

pub(super) fn parse(octets: &[u8]) -> Parsed {
    // The last place for a CR.
    let room = MAX_LINE.saturating_sub(1);
    let line = octets.get(..room).unwrap_or(octets);
    if !b"PROXY".starts_with(line.get(..5).unwrap_or(line)) {
        return Err(ProxyError::Absent);
    }
    let Some(end) = memchr::memchr(b'\r', line) else {
        return match line.len() == room {
            _ if !may_begin(line) => Err(ProxyError::Line),
            true => Err(ProxyError::TooLong),
            false => Ok(None),
        };
    };
    let header = line.get(..end).and_then(header).ok_or(ProxyError::Line)?;
    match octets.get(end.saturating_add(1)) {
        Some(b'\n') => Ok(Some((header, end.saturating_add(2)))),
        Some(_) => Err(ProxyError::Line),
        None => Ok(None),
    }
}

/// ```abnf
/// "PROXY" SP ( ("TCP4" / "TCP6") SP src SP dst SP sport SP dport / "UNKNOWN" *(any but CRLF) )
/// ```
fn header(line: &[u8]) -> Option<ProxyHeader> {
    let line = line.strip_prefix(b"PROXY ")?;
    if let Some(rest) = line.strip_prefix(b"UNKNOWN") {
        return is_ignored(rest).then_some(ProxyHeader::Unknown);
    }
    let mut fields = line.split(|&octet| octet == b' ');
    let family = fields.next()?;
    let mut next = || str::from_utf8(fields.next()?).ok();
    let (source, destination) = (next()?, next()?);
    let (source_port, destination_port) = (port(next()?)?, port(next()?)?);
    if fields.next().is_some() {
        return None;
    }
    let endpoints = match family {
        b"TCP4" => ProxyEndpoints::Tcp4 {
            source: SocketAddrV4::new(source.parse().ok()?, source_port),
            destination: SocketAddrV4::new(destination.parse().ok()?, destination_port),
        },
        b"TCP6" => ProxyEndpoints::Tcp6 {
            source: SocketAddrV6::new(source.parse().ok()?, source_port, 0, 0),
            destination: SocketAddrV6::new(destination.parse().ok()?, destination_port, 0, 0),
        },
        _ => return None,
    };
    Some(ProxyHeader::proxied(endpoints))
}

/// What stands behind UNKNOWN: anything, but after a space, and in one line.
fn is_ignored(rest: &[u8]) -> bool {
    matches!(rest, [] | [b' ', ..]) && !rest.contains(&b'\n')
}

/// A decimal number without leading zeros.
fn port(text: &str) -> Option<u16> {
    let plain = text == "0" || text.starts_with(|c| matches!(c, '1'..='9'));
    text.parse().ok().filter(|_| plain)
}

/// Whether some line begins so. Fields that have ended are whole; the last may
/// still grow.
fn may_begin(line: &[u8]) -> bool {
    let mut fields = line.split(|&octet| octet == b' ');
    let protocol = fields.next().unwrap_or_default();
    let Some(family) = fields.next() else { return b"PROXY".starts_with(protocol) };
    if protocol != b"PROXY" {
        return false;
    }
    let Some(mut field) = fields.next() else {
        return [&b"TCP4"[..], b"TCP6", b"UNKNOWN"].iter().any(|whole| whole.starts_with(family));
    };
    let address: [fn(&str) -> bool; 2] = match family {
        b"UNKNOWN" => return !line.contains(&b'\n'),
        b"TCP4" => [is::<Ipv4Addr>, begins::<Ipv4Addr>],
        b"TCP6" => [is::<Ipv6Addr>, begins::<Ipv6Addr>],
        _ => return false,
    };
    // The beginning of a number without leading zeros is one.
    let number: [fn(&str) -> bool; 2] = [|text| port(text).is_some(), |text| text.is_empty() || port(text).is_some()];
    for [whole, begun] in [address, address, number, number] {
        let Ok(text) = str::from_utf8(field) else { return false };
        match fields.next() {
            None => return begun(text),
            Some(next) if whole(text) => field = next,
            Some(_) => return false,
        }
    }
    false
}

fn is<T: FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

/// Whether some address begins so: it does if one of these endings makes one.
fn begins<T: FromStr>(text: &str) -> bool {
    const DIGITS: [&str; 5] = ["", "0", ":", "::", "0::"];
    const GROUPS: [&str; 11] = [
        "",
        ".0",
        ".0.0",
        ".0.0.0",
        ":0",
        ":0:0",
        ":0:0:0",
        ":0:0:0:0",
        ":0:0:0:0:0",
        ":0:0:0:0:0:0",
        ":0:0:0:0:0:0:0",
    ];
    DIGITS.iter().any(|digit| GROUPS.iter().any(|groups| is::<T>(&format!("{text}{digit}{groups}"))))
}

pub(super) fn encode(header: &ProxyHeader) -> Vec<u8> {
    let (family, source, destination): (_, (IpAddr, u16), (IpAddr, u16)) = match header {
        ProxyHeader::Proxied { endpoints: ProxyEndpoints::Tcp4 { source, destination }, .. } => {
            ("TCP4", ((*source.ip()).into(), source.port()), ((*destination.ip()).into(), destination.port()))
        }
        ProxyHeader::Proxied { endpoints: ProxyEndpoints::Tcp6 { source, destination }, .. } => {
            ("TCP6", ((*source.ip()).into(), source.port()), ((*destination.ip()).into(), destination.port()))
        }
        ProxyHeader::Proxied { endpoints: ProxyEndpoints::Unix { .. }, .. }
        | ProxyHeader::Local
        | ProxyHeader::Unknown => return b"PROXY UNKNOWN\r\n".to_vec(),
    };
    format!("PROXY {family} {} {} {} {}\r\n", source.0, destination.0, source.1, destination.1).into_bytes()
}
