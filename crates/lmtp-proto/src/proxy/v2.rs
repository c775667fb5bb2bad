//! Version 2: octets (section 2.2).

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use super::{MAX_HEADER, ProxyEndpoints, ProxyError, ProxyHeader, Tlv, UnixAddress};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
const UNIX: u8 = 0x31;

/// Signature, version and command, family and transport, length.
const FIXED: usize = 16;

pub(super) fn parse(octets: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyError> {
    let signature = octets.get(..SIGNATURE.len()).unwrap_or(octets);
    if !SIGNATURE.starts_with(signature) {
        return Err(ProxyError::Absent);
    }
    let Some(&command) = octets.get(12) else { return Ok(None) };
    if !matches!(command, LOCAL | PROXY) {
        return Err(ProxyError::Command);
    }
    let Some(&family) = octets.get(13) else { return Ok(None) };
    // The proxy's own connection has no family.
    if command == PROXY && (family >> 4 > 3 || family & 0xf > 2) {
        return Err(ProxyError::Family);
    }
    let Some(&[high, low]) = octets.get(14..FIXED) else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let total = length.saturating_add(FIXED);
    let addresses = match (command, family) {
        (PROXY, TCP4) => 12,
        (PROXY, TCP6) => 36,
        (PROXY, UNIX) => 216,
        // Datagrams and what has no name: as if it were unknown.
        _ => 0,
    };
    if length < addresses {
        return Err(ProxyError::Short);
    }
    if total > MAX_HEADER {
        return Err(ProxyError::TooLong);
    }
    let Some((whole, block)) = octets.get(..total).zip(octets.get(FIXED..total)) else {
        return Ok(None);
    };
    let header = match (command, block.split_at_checked(addresses)) {
        (LOCAL, _) => ProxyHeader::Local,
        (_, Some((addresses, rest))) if !addresses.is_empty() => {
            let endpoints = endpoints(family, addresses).ok_or(ProxyError::Short)?;
            ProxyHeader::Proxied { endpoints, tlvs: tlvs(rest, whole)? }
        }
        _ => ProxyHeader::Unknown,
    };
    Ok(Some((header, total)))
}

fn endpoints(family: u8, block: &[u8]) -> Option<ProxyEndpoints> {
    let mut fields = Fields(block);
    Some(match family {
        TCP4 => {
            let addresses = [Ipv4Addr::from(fields.take::<4>()?), Ipv4Addr::from(fields.take::<4>()?)];
            let [source, destination] = addresses;
            let source = SocketAddrV4::new(source, u16::from_be_bytes(fields.take()?));
            let destination = SocketAddrV4::new(destination, u16::from_be_bytes(fields.take()?));
            ProxyEndpoints::Tcp4 { source, destination }
        }
        TCP6 => {
            let [source, destination] = [Ipv6Addr::from(fields.take::<16>()?), Ipv6Addr::from(fields.take::<16>()?)];
            let source = SocketAddrV6::new(source, u16::from_be_bytes(fields.take()?), 0, 0);
            let destination = SocketAddrV6::new(destination, u16::from_be_bytes(fields.take()?), 0, 0);
            ProxyEndpoints::Tcp6 { source, destination }
        }
        _ => {
            let mut next = || UnixAddress::new(&fields.take::<{ UnixAddress::MAX }>()?).ok();
            ProxyEndpoints::Unix { source: next()?, destination: next()? }
        }
    })
}

/// ```text
/// type (1) length (2) octets
/// ```
fn tlvs(block: &[u8], whole: &[u8]) -> Result<Vec<Tlv>, ProxyError> {
    let mut tlvs = Vec::new();
    let mut fields = Fields(block);
    while !fields.0.is_empty() {
        let ([kind], length) = fields.take::<1>().zip(fields.take::<2>()).ok_or(ProxyError::Tlv)?;
        let length = usize::from(u16::from_be_bytes(length));
        let (value, rest) = fields.0.split_at_checked(length).ok_or(ProxyError::Tlv)?;
        if kind == Tlv::CRC32C {
            // The checksum is made as if it were 0.
            let place = whole.len().saturating_sub(fields.0.len())..whole.len().saturating_sub(rest.len());
            let is_place = |at: usize| place.contains(&at);
            let octets = whole.iter().enumerate().map(|(at, &octet)| if is_place(at) { 0 } else { octet });
            if value != crc32c(octets).to_be_bytes() {
                return Err(ProxyError::Checksum);
            }
        }
        tlvs.push(Tlv { kind, value: value.to_vec() });
        fields = Fields(rest);
    }
    Ok(tlvs)
}

/// CRC-32C (RFC 9260 appendix A).
pub(super) fn crc32c(octets: impl Iterator<Item = u8>) -> u32 {
    let shifted = |sum: u32| if sum & 1 == 0 { sum >> 1 } else { (sum >> 1) ^ 0x82f6_3b78 };
    let sum = octets.fold(u32::MAX, |sum, octet| (0..8).fold(sum ^ u32::from(octet), |sum, _| shifted(sum)));
    !sum
}

/// Octets to be taken from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }
}

pub(super) fn encode(header: &ProxyHeader) -> Result<Vec<u8>, ProxyError> {
    let mut block = Vec::new();
    let (command, family) = match header {
        ProxyHeader::Local => (LOCAL, 0),
        ProxyHeader::Unknown => (PROXY, 0),
        ProxyHeader::Proxied { endpoints, tlvs } => {
            let family = put_endpoints(endpoints, &mut block);
            for tlv in tlvs {
                let length = u16::try_from(tlv.value.len()).map_err(|_| ProxyError::TooLong)?;
                block.push(tlv.kind);
                block.extend(length.to_be_bytes());
                block.extend(&tlv.value);
            }
            (PROXY, family)
        }
    };
    let total = block.len().saturating_add(FIXED);
    let length = u16::try_from(block.len()).ok().filter(|_| total <= MAX_HEADER).ok_or(ProxyError::TooLong)?;
    let mut octets = Vec::with_capacity(total);
    octets.extend(SIGNATURE);
    octets.extend([command, family]);
    octets.extend(length.to_be_bytes());
    octets.extend(block);
    Ok(octets)
}

/// Gives the family.
fn put_endpoints(endpoints: &ProxyEndpoints, block: &mut Vec<u8>) -> u8 {
    match endpoints {
        ProxyEndpoints::Tcp4 { source, destination } => {
            block.extend(source.ip().octets());
            block.extend(destination.ip().octets());
            block.extend(source.port().to_be_bytes());
            block.extend(destination.port().to_be_bytes());
            TCP4
        }
        ProxyEndpoints::Tcp6 { source, destination } => {
            block.extend(source.ip().octets());
            block.extend(destination.ip().octets());
            block.extend(source.port().to_be_bytes());
            block.extend(destination.port().to_be_bytes());
            TCP6
        }
        ProxyEndpoints::Unix { source, destination } => {
            for address in [source, destination] {
                let end = block.len().saturating_add(UnixAddress::MAX);
                block.extend(address.octets());
                block.resize(end, 0);
            }
            UNIX
        }
    }
}
