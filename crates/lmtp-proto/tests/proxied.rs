//! A server behind a proxy: whatever the cuts, it is the server without one.

use std::net::Ipv4Addr;
use std::time::Duration;

use lmtp_proto::bytes::Buf;
use lmtp_proto::proxy::{Error, Network, Proxied, ProxiedError, ProxyError, ProxyHeader, Tlv};
use lmtp_proto::server::{self, Config, Event, Peer, Server};
use lmtp_proto::{Instant, Machine, Output};

const PATIENCE: Duration = Duration::from_secs(10);

/// A machine, and all that was written and heard.
struct Driven {
    machine: Proxied<Server>,
    now: Instant,
    sent: Vec<u8>,
    content: Vec<u8>,
}

impl Driven {
    fn new(machine: Proxied<Server>) -> Self {
        Self { machine, now: Instant::ORIGIN, sent: Vec::new(), content: Vec::new() }
    }

    fn behind_proxy() -> Self {
        Self::new(Proxied::new(Server::new(Config::default()), PATIENCE))
    }

    /// Runs up to a wait, the end or an error; everybody is accepted.
    fn run(&mut self) -> Result<Output<()>, Error<server::Error>> {
        loop {
            match self.machine.poll_output(self.now)? {
                Output::Transmit => {
                    let queue = self.machine.transmit();
                    self.sent.extend_from_slice(queue.chunk());
                    queue.advance(queue.chunk().len());
                }
                Output::Event(Event::Question(question)) => self.machine.inner_mut().accept(question).unwrap(),
                Output::Event(Event::Content(_, octets)) => self.content.extend_from_slice(&octets),
                Output::Event(Event::End(id)) => {
                    let verdict = lmtp_proto::Reply::stored();
                    self.machine.inner_mut().verdict(id, lmtp_proto::RecipientId(0), verdict).unwrap();
                }
                Output::Event(_) => {}
                Output::Receive => return Ok(Output::Receive),
                Output::Closed => return Ok(Output::Closed),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Hands it these octets as a driver does: never more than there is room for.
    fn hear(&mut self, mut octets: &[u8]) -> Result<Output<()>, Error<server::Error>> {
        let mut output = self.run()?;
        while !octets.is_empty() && output == Output::Receive {
            let input = self.machine.input();
            let room = (input.capacity() - input.len()).min(octets.len());
            assert!(room > 0, "asked to read without room");
            let (now, later) = octets.split_at(room);
            input.extend_from_slice(now);
            octets = later;
            output = self.run()?;
        }
        Ok(output)
    }
}

fn conversation() -> Vec<u8> {
    // More than the machine has room for at once.
    let noops = "NOOP\r\n".repeat(500);
    let letter = "Subject: hi\r\n\r\n..hello\r\n.\r\n";
    format!("LHLO mx\r\n{noops}MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n{letter}QUIT\r\n").into_bytes()
}

fn headers() -> Vec<(Vec<u8>, Option<String>)> {
    let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 24\r\n";
    let (header, _) = lmtp_proto::proxy::parse(line).unwrap().unwrap();
    let ProxyHeader::Proxied { endpoints, .. } = header.clone() else { panic!() };
    let tlvs = vec![Tlv { kind: Tlv::UNIQUE_ID, value: vec![7; 3000] }];
    let long = ProxyHeader::Proxied { endpoints, tlvs }.encode_v2().unwrap();
    let source = Some("192.0.2.1:40000".to_owned());
    vec![
        (line.to_vec(), source.clone()),
        (header.encode_v2().unwrap(), source.clone()),
        (long, source),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (ProxyHeader::Local.encode_v2().unwrap(), None),
    ]
}

#[test]
fn what_is_behind_the_header_is_the_conversation_at_every_cut() {
    lmtp_testkit::proves!("PROXY-2-a", "PROXY-2.2-a", "PROXY-2.2-b");
    let mut direct = Driven::new(Proxied::direct(Server::new(Config::default())));
    assert_eq!(direct.hear(&conversation()), Ok(Output::Closed));
    assert!(direct.sent.ends_with(b"Bye\r\n") && direct.content == b"Subject: hi\r\n\r\n.hello\r\n");
    for (header, source) in headers() {
        let octets = [header.clone(), conversation()].concat();
        for cut in 0..header.len() + 64 {
            let mut proxied = Driven::behind_proxy();
            let (left, right) = octets.split_at(cut);
            assert_eq!(proxied.hear(left), Ok(Output::Receive));
            assert!(cut >= header.len() || proxied.sent.is_empty(), "a word before the header was whole");
            assert_eq!(proxied.hear(right), Ok(Output::Closed), "cut at {cut}");
            assert!(proxied.sent == direct.sent && proxied.content == direct.content, "cut at {cut}");
            let told = proxied.machine.header().expect("a header").source();
            assert_eq!(told.map(|address| address.to_string()), source);
        }
    }
}

#[test]
fn a_header_octet_by_octet() {
    for (header, _) in headers() {
        let mut proxied = Driven::behind_proxy();
        for octet in &header {
            assert!(proxied.sent.is_empty());
            assert_eq!(proxied.hear(&[*octet]), Ok(Output::Receive));
        }
        assert!(proxied.sent.starts_with(b"220 "));
    }
}

#[test]
fn a_stream_that_ends_right_behind_its_words() {
    for (header, _) in headers() {
        let mut proxied = Driven::behind_proxy();
        _ = proxied.run();
        proxied.machine.input().extend_from_slice(&header);
        proxied.machine.handle_eof();
        // Who goes without a word after connecting does no wrong.
        assert_eq!(proxied.run(), Ok(Output::Closed));
        assert!(proxied.sent.starts_with(b"220 "));
    }
}

#[test]
fn without_a_header_nothing_is_said() {
    lmtp_testkit::proves!("PROXY-2-a", "PROXY-2-b", "PROXY-2.1-b");
    for (octets, error) in [
        (&b"LHLO mx\r\n"[..], ProxyError::Absent),
        (b"PROXY TCP4 192.0.2.1\r\n", ProxyError::Line),
        (b"\x16\x03\x01\x02\x00\x01", ProxyError::Absent),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", ProxyError::TooLong),
    ] {
        let mut proxied = Driven::behind_proxy();
        let failed = Err(Error::Proxy(ProxiedError::Header(error)));
        assert_eq!(proxied.hear(octets), failed);
        assert_eq!(proxied.run(), failed, "an error is final and repeats");
        assert!(proxied.sent.is_empty());
        assert_eq!(proxied.machine.poll_timeout(), None);
    }
    let mut proxied = Driven::behind_proxy();
    assert_eq!(proxied.hear(b"PROXY TCP4 192."), Ok(Output::Receive));
    proxied.machine.handle_eof();
    assert_eq!(proxied.run(), Err(Error::Proxy(ProxiedError::Closed)));
}

#[test]
fn a_header_has_its_time_however_it_trickles() {
    let mut proxied = Driven::behind_proxy();
    assert_eq!(proxied.run(), Ok(Output::Receive));
    let deadline = Instant::after_origin(PATIENCE);
    assert_eq!(proxied.machine.poll_timeout(), Some(deadline));
    proxied.now = Instant::after_origin(PATIENCE / 2);
    assert_eq!(proxied.hear(b"PROXY"), Ok(Output::Receive));
    assert_eq!(proxied.machine.poll_timeout(), Some(deadline), "an octet gains no time");
    proxied.machine.handle_timeout(proxied.now);
    assert_eq!(proxied.run(), Ok(Output::Receive), "before the deadline nothing happens");
    proxied.now = deadline;
    proxied.machine.handle_timeout(deadline);
    assert_eq!(proxied.run(), Err(Error::Proxy(ProxiedError::TimedOut)));
    assert!(proxied.sent.is_empty());
}

#[test]
fn behind_the_header_the_time_is_the_machines() {
    let mut proxied = Driven::behind_proxy();
    assert_eq!(proxied.hear(b"PROXY UNKNOWN\r\nLHLO mx\r\n"), Ok(Output::Receive));
    let deadline = proxied.machine.poll_timeout().expect("for the next command");
    assert_eq!(Some(deadline), proxied.machine.inner().poll_timeout());
    proxied.now = deadline;
    proxied.machine.handle_timeout(deadline);
    assert_eq!(proxied.run(), Err(Error::Machine(server::Error::TimedOut)));
    assert!(proxied.sent.ends_with(b"421 4.4.2 Timed out, closing\r\n"));
}

#[test]
fn a_network_is_asked_about_the_peer_not_about_what_it_says() {
    let network: Network = "192.0.2.0/24".parse().unwrap();
    let mut peer = Peer::tcp((Ipv4Addr::new(198, 51, 100, 1), 1).into());
    let (header, _) = lmtp_proto::proxy::parse(b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 24\r\n").unwrap().unwrap();
    peer.proxy = Some(header);
    assert!(!network.contains(&peer));
    assert_eq!(peer.client().unwrap().to_string(), "192.0.2.1:40000");
}
