//! Both versions: what is written is read, at every cut; what is hostile is
//! refused at its first wrong octet.

use alloc::string::ToString;
use alloc::vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, block].concat()
}

fn tcp4() -> ProxyEndpoints {
    let [source, destination] = ["192.0.2.1:40000", "192.0.2.2:24"].map(|address| address.parse().unwrap());
    ProxyEndpoints::Tcp4 { source, destination }
}

const BLOCK4: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 2, 0x9c, 0x40, 0, 24];

/// PROXY-2.1-a, PROXY-2.2-a: as the protocol prints them.
#[test]
fn as_they_are_on_the_wire() {
    lmtp_testkit::proves!("PROXY-2.1-a", "PROXY-2.2-a");
    let header = ProxyHeader::proxied(tcp4());
    assert_eq!(header.encode_v1(), b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 24\r\n");
    assert_eq!(header.encode_v2().unwrap(), v2(0x21, 0x11, &BLOCK4));
    let [source, destination] = ["[2001:db8::1]:1", "[::]:65535"].map(|address| address.parse().unwrap());
    let header = ProxyHeader::proxied(ProxyEndpoints::Tcp6 { source, destination });
    assert_eq!(header.encode_v1(), b"PROXY TCP6 2001:db8::1 :: 1 65535\r\n");
    assert_eq!(header.encode_v2().unwrap().len(), 52);
    assert_eq!(header.source().unwrap().to_string(), "[2001:db8::1]:1");
    let [source, destination] = [&b"\0abstract"[..], b"/run/lmtp\0\0"].map(|path| UnixAddress::new(path).unwrap());
    assert_eq!(std::format!("{source:?} {destination:?}"), "UnixAddress(\\x00abstract) UnixAddress(/run/lmtp)");
    let header = ProxyHeader::proxied(ProxyEndpoints::Unix { source, destination });
    assert_eq!((header.encode_v2().unwrap().len(), header.source()), (232, None));
    for header in [header, ProxyHeader::Unknown, ProxyHeader::Local] {
        assert_eq!(header.encode_v1(), b"PROXY UNKNOWN\r\n");
    }
    assert_eq!(ProxyHeader::Local.encode_v2().unwrap(), v2(0x20, 0, &[]));
    assert_eq!(ProxyHeader::Unknown.encode_v2().unwrap(), v2(0x21, 0, &[]));
}

/// PROXY-2.1-b, PROXY-2.2-b.
#[test]
fn what_is_skipped() {
    let longest = std::format!("PROXY UNKNOWN {}\r\n", "\u{ff}".repeat(45) + "f");
    assert_eq!(longest.len(), 107);
    for line in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN \r\n", "PROXY UNKNOWN a b  \0c\r\n", &longest] {
        assert_eq!(parse(line.as_bytes()), Ok(Some((ProxyHeader::Unknown, line.len()))), "{line}");
    }
    for (octets, header) in [
        (v2(0x20, 0, &[]), ProxyHeader::Local),
        (v2(0x20, 0x11, &BLOCK4), ProxyHeader::Local),
        (v2(0x20, 0xff, b"anything"), ProxyHeader::Local),
        (v2(0x21, 0, b"anything"), ProxyHeader::Unknown),
        (v2(0x21, 0x12, &BLOCK4), ProxyHeader::Unknown),
        (v2(0x21, 0x22, &[0; 36]), ProxyHeader::Unknown),
        (v2(0x21, 0x32, &[0; 216]), ProxyHeader::Unknown),
        (v2(0x21, 0x10, &[]), ProxyHeader::Unknown),
    ] {
        assert_eq!(parse(&octets), Ok(Some((header, octets.len()))), "{octets:?}");
    }
}

/// Each is refused, and refused when its last octet is there and not before.
#[test]
fn the_first_wrong_octet_is_told() {
    lmtp_testkit::proves!("PROXY-2.1-a", "PROXY-2.1-b");
    for (octets, error) in [
        (&b"L"[..], ProxyError::Absent),
        (b"\n", ProxyError::Absent),
        (b"p", ProxyError::Absent),
        (b"PO", ProxyError::Absent),
        (b"PROXX", ProxyError::Absent),
        (b"PROXY\t", ProxyError::Line),
        (b"PROXYT", ProxyError::Line),
        (b"PROXY  ", ProxyError::Line),
        (b"PROXY t", ProxyError::Line),
        (b"PROXY TCP5", ProxyError::Line),
        (b"PROXY TCP4\r", ProxyError::Line),
        (b"PROXY U\r", ProxyError::Line),
        (b"PROXY UNKNOWNX", ProxyError::Line),
        (b"PROXY UNKNOWN\n", ProxyError::Line),
        (b"PROXY UNKNOWN a\n", ProxyError::Line),
        (b"PROXY UNKNOWN\rX", ProxyError::Line),
        (b"PROXY TCP4 256", ProxyError::Line),
        (b"PROXY TCP4 01", ProxyError::Line),
        (b"PROXY TCP4 1.2.3.4.", ProxyError::Line),
        (b"PROXY TCP4 1.2.3 ", ProxyError::Line),
        (b"PROXY TCP4 :", ProxyError::Line),
        (b"PROXY TCP4 1.2.3.4  ", ProxyError::Line),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 00", ProxyError::Line),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 65536", ProxyError::Line),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 +", ProxyError::Line),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 70000", ProxyError::Line),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 \r", ProxyError::Line),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 ", ProxyError::Line),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", ProxyError::Line),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r", ProxyError::Line),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r", ProxyError::Line),
        (b"PROXY TCP6 1.", ProxyError::Line),
        (b"PROXY TCP6 g", ProxyError::Line),
        (b"PROXY TCP6 12345", ProxyError::Line),
        (b"PROXY TCP6 1::2::", ProxyError::Line),
        (b"PROXY TCP6 :::", ProxyError::Line),
        (b"PROXY TCP6 :1", ProxyError::Line),
        (b"PROXY TCP6 1:2:3:4:5:6:7:8:", ProxyError::Line),
        (b"PROXY TCP6 ::1%", ProxyError::Line),
        (b"PROXY TCP4 \xff", ProxyError::Line),
        (b"\r\r", ProxyError::Absent),
        (b"\r\n\r\n\0\r\nQUIT\r", ProxyError::Absent),
        (b"\r\n\r\n\0\r\nQUIT\n\x11", ProxyError::Command),
        (b"\r\n\r\n\0\r\nQUIT\n\x31", ProxyError::Command),
        (b"\r\n\r\n\0\r\nQUIT\n\x22", ProxyError::Command),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x41", ProxyError::Family),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x13", ProxyError::Family),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0b", ProxyError::Short),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x21\x00\x23", ProxyError::Short),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x31\x00\xd7", ProxyError::Short),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x0f\xf1", ProxyError::TooLong),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\x00\xff\xff", ProxyError::TooLong),
    ] {
        let (_, before) = octets.split_last().unwrap();
        assert_eq!(parse(before), Ok(None), "{}", Escaped(octets));
        assert_eq!(parse(octets), Err(error), "{}", Escaped(octets));
        assert_eq!(parse(&[octets, b"\r\n"].concat()), Err(error), "{}", Escaped(octets));
    }
    let endless = [b"PROXY UNKNOWN ", &[b'x'; 92][..]].concat();
    assert_eq!((parse(&endless[..105]), parse(&endless)), (Ok(None), Err(ProxyError::TooLong)));
}

/// PROXY-2.2.3-a.
#[test]
fn tlvs_and_their_lengths() {
    lmtp_testkit::proves!("PROXY-2.2-b");
    let block = |tlvs: &[u8]| v2(0x21, 0x11, &[&BLOCK4[..], tlvs].concat());
    let octets = block(b"\x02\0\x02mx\x04\0\0");
    let tlvs = vec![Tlv { kind: Tlv::AUTHORITY, value: b"mx".into() }, Tlv { kind: Tlv::NOOP, value: vec![] }];
    assert_eq!(parse(&octets), Ok(Some((ProxyHeader::Proxied { endpoints: tcp4(), tlvs }, octets.len()))));
    for tlvs in [&b"\x04"[..], b"\x04\0", b"\x04\0\x01", b"\x04\0\0\x04\xff\xff"] {
        assert_eq!(parse(&block(tlvs)), Err(ProxyError::Tlv), "{tlvs:?}");
    }

    // RFC 9260 has no vector; this one is everybody's.
    assert_eq!(v2::crc32c(b"123456789".iter().copied()), 0xe306_9283);
    let sum = v2::crc32c(block(b"\x03\0\x04\0\0\0\0\x04\0\0").into_iter()).to_be_bytes();
    let good = block(&[&b"\x03\0\x04"[..], &sum, b"\x04\0\0"].concat());
    assert!(matches!(parse(&good), Ok(Some(_))));
    for tlv in [&b"\x03\0\x04\0\0\0\0\x04\0\0"[..], b"\x03\0\0", b"\x03\0\x05\0\0\0\0\0"] {
        assert_eq!(parse(&block(tlv)), Err(ProxyError::Checksum));
    }
}

#[test]
fn what_does_not_fit() {
    let tlvs = |length| vec![Tlv { kind: 0xe0, value: vec![0; length] }];
    let encode = |length| ProxyHeader::Proxied { endpoints: tcp4(), tlvs: tlvs(length) }.encode_v2();
    assert_eq!(encode(MAX_HEADER - 31).map(|octets| octets.len()), Ok(MAX_HEADER));
    assert_eq!(encode(MAX_HEADER - 30), Err(ProxyError::TooLong));
    assert_eq!(encode(70000), Err(ProxyError::TooLong));
    assert!(UnixAddress::new(&[1; 108]).is_ok());
    assert_eq!(UnixAddress::new(&[1; 109]), Err(ProxyError::TooLong));
}

fn header() -> impl Strategy<Value = ProxyHeader> {
    let v4 = any::<(Ipv4Addr, u16)>().prop_map(|(ip, port)| SocketAddrV4::new(ip, port));
    // Addresses with zeros in them are written in more ways.
    let v6 = prop_oneof![
        any::<Ipv6Addr>(),
        any::<[u8; 8]>().prop_map(|bits| Ipv6Addr::from(bits.map(|bit| u16::from(bit & 1) * 0xfe0)))
    ];
    let v6 = prop_oneof![v6, any::<Ipv4Addr>().prop_map(|ip| ip.to_ipv6_mapped())];
    let v6 = (v6, any::<u16>()).prop_map(|(ip, port)| SocketAddrV6::new(ip, port, 0, 0));
    let path = prop::collection::vec(any::<u8>(), 0..=108).prop_map(|path| UnixAddress::new(&path).unwrap());
    let endpoints = prop_oneof![
        (v4.clone(), v4).prop_map(|(source, destination)| ProxyEndpoints::Tcp4 { source, destination }),
        (v6.clone(), v6).prop_map(|(source, destination)| ProxyEndpoints::Tcp6 { source, destination }),
        (path.clone(), path).prop_map(|(source, destination)| ProxyEndpoints::Unix { source, destination }),
    ];
    let kind = any::<u8>().prop_filter("no checksum", |&kind| kind != Tlv::CRC32C);
    let tlv = (kind, prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(kind, value)| Tlv { kind, value });
    prop_oneof![
        1 => Just(ProxyHeader::Local),
        1 => Just(ProxyHeader::Unknown),
        8 => (endpoints, prop::collection::vec(tlv, 0..4))
            .prop_map(|(endpoints, tlvs)| ProxyHeader::Proxied { endpoints, tlvs }),
    ]
}

proptest! {
    #![proptest_config(lmtp_testkit::effort::cases(256))]

    /// What is written is read again, whatever follows, and no cut is an error.
    #[test]
    fn what_is_written_is_read(header in header(), rest: Vec<u8>) {
        let octets = header.encode_v2().unwrap();
        prop_assert_eq!(parse(&[&octets[..], &rest].concat()), Ok(Some((header.clone(), octets.len()))));
        for cut in 0..octets.len() {
            prop_assert_eq!(parse(&octets[..cut]), Ok(None), "{}", cut);
        }

        let line = header.encode_v1();
        let as_line = match header {
            ProxyHeader::Proxied { endpoints: ProxyEndpoints::Unix { .. }, .. } | ProxyHeader::Local => ProxyHeader::Unknown,
            ProxyHeader::Proxied { endpoints, .. } => ProxyHeader::proxied(endpoints),
            ProxyHeader::Unknown => ProxyHeader::Unknown,
        };
        prop_assert_eq!(parse(&[&line[..], &rest].concat()), Ok(Some((as_line, line.len()))));
        for cut in 0..line.len() {
            prop_assert_eq!(parse(&line[..cut]), Ok(None), "{}", cut);
        }
    }

    /// Addresses in forms that are read and not written: no cut is an error either.
    #[test]
    fn every_form_of_an_address_may_grow(
        groups in prop::collection::vec("[0-9a-fA-F]{1,4}", 8), gap in 0..8_usize, width in 0..8_usize, dotted: bool,
    ) {
        let width = if gap + width > 8 { 0 } else { width };
        let (left, right) = (groups[..gap].join(":"), groups[gap + width..].join(":"));
        let mut address = if width < 2 { groups.join(":") } else { std::format!("{left}::{right}") };
        if dotted {
            // The last two groups as IPv4, if they are there.
            let mut parts: Vec<&str> = address.rsplitn(3, ':').collect();
            if parts.len() == 3 && parts[..2].iter().all(|part| !part.is_empty()) {
                parts.splice(..2, ["1.20.255.4"]);
                address = parts.into_iter().rev().collect::<Vec<_>>().join(":");
            }
        }
        prop_assume!(address.parse::<Ipv6Addr>().is_ok());
        let line = std::format!("PROXY TCP6 {address} {address} 0 10\r\n");
        prop_assume!(line.len() <= 107);
        for cut in 0..line.len() {
            prop_assert_eq!(parse(&line.as_bytes()[..cut]), Ok(None), "{}", &line[..cut]);
        }
        prop_assert!(matches!(parse(line.as_bytes()), Ok(Some((_, length))) if length == line.len()));
    }

    /// Once refused, always refused; once complete, complete with the same header.
    #[test]
    fn more_octets_change_no_verdict(header in header(), at: prop::sample::Index, octet: u8, version_1: bool) {
        let mut octets = if version_1 { header.encode_v1() } else { header.encode_v2().unwrap() };
        *at.get_mut(&mut octets) = octet;
        let mut last = Ok(None);
        for end in 0..=octets.len() {
            let now = parse(&octets[..end]);
            prop_assert!(last == Ok(None) || last == now, "{:?} then {:?}", last, now);
            last = now;
        }
    }

    #[test]
    fn noise_is_no_header(octets: Vec<u8>) {
        if let Ok(Some((_, length))) = parse(&octets) {
            prop_assert!(length <= octets.len());
        }
        let signed = [b"\r\n\r\n\0\r\nQUIT\n\x21", &octets[..]].concat();
        if let Ok(Some((_, length))) = parse(&signed) {
            prop_assert!(length <= signed.len());
        }
    }
}
