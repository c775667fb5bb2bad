//! Whole sessions, implicit TLS and STARTTLS, however the octets come.

mod support;

use std::time::Duration;

use bytes::Buf as _;
use lmtp_proto::client::{self, Client};
use lmtp_proto::server::{self, Server};
use lmtp_proto::{Content, Instant, Machine, Output};
use lmtp_rustls::rustls::version::{TLS12, TLS13};
use lmtp_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};
use lmtp_rustls::{ClientTls, ServerTls, Tls};
use proptest::prelude::*;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use support::pki::PKI;
use support::{BOTH, Begin, Joined, MESSAGE, client_tls, envelope, server_tls};

#[test]
fn a_session_goes_through_and_nothing_is_to_be_read_on_the_way() {
    for begin in BOTH {
        let mut joined = Joined::new(begin);
        (joined.to_server.kept, joined.to_client.kept) = (Some(Vec::new()), Some(Vec::new()));
        assert!(!joined.client.is_encrypted() && joined.client.protocol_version().is_none());
        joined.run().assert_well();
        assert!(joined.client.is_encrypted() && joined.server.is_encrypted());
        assert!(joined.server.inner().is_secured());
        assert_eq!(joined.client.protocol_version(), Some("TLSv1.3"));
        assert_eq!(joined.client.cipher_suite(), joined.server.cipher_suite());
        assert!(joined.client.cipher_suite().unwrap().starts_with("TLS13_"));
        assert_eq!(joined.server.requested_name(), Some("mx.example.org"));
        assert_eq!(joined.client.peer_certificates().unwrap().len(), 1);
        for kept in [&joined.to_server.kept, &joined.to_client.kept] {
            let kept = kept.as_ref().unwrap();
            for word in [&b"MAIL"[..], b"bob", b"Hello", b"stored", b"PIPELINING\r\n250-ENHANCED"] {
                let clear = kept.windows(word.len()).any(|part| part == word);
                // LHLO is answered once in the clear, before STARTTLS.
                let expected = begin == Begin::StartTls
                    && word.starts_with(b"PIPE")
                    && joined.to_client.kept.as_ref() == Some(kept);
                assert_eq!(clear, expected, "{begin:?}: {}", word.escape_ascii());
            }
        }
    }
}

/// Servers out there may know no later version; a dot at the end of the name is no part of it.
#[test]
fn both_versions_of_tls() {
    for version in [&TLS12, &TLS13] {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(PKI.path("ca.pem")).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(provider_of_test().into());
        let config = config.with_protocol_versions(&[version]).unwrap().with_root_certificates(roots);
        let client = ClientTls::from_config(config.with_no_client_auth());
        let chain = vec![CertificateDer::from_pem_file(PKI.path("mx.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(PKI.path("mx.key")).unwrap();
        let config =
            ServerConfig::builder_with_provider(provider_of_test().into()).with_safe_default_protocol_versions();
        let server =
            ServerTls::from_config(config.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap());
        for begin in BOTH {
            let mut joined =
                Joined::with(begin, client.handshake(Some("mx.example.org.")).unwrap(), server.handshake());
            joined.run().assert_well();
            let name = if version == &TLS12 { "TLSv1.2" } else { "TLSv1.3" };
            assert_eq!((joined.client.protocol_version(), joined.server.protocol_version()), (Some(name), Some(name)));
        }
    }
}

fn provider_of_test() -> rustls::crypto::CryptoProvider {
    #[cfg(feature = "aws-lc-rs")]
    return rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc-rs"))]
    return rustls::crypto::ring::default_provider();
}

/// Either stream is cut once, at every place. (Signatures differ in length by a few octets from one session to
/// the next, so the last few cuts may lie behind the end.)
#[test]
fn every_cut() {
    for begin in BOTH {
        let mut whole = Joined::new(begin);
        whole.run().assert_well();
        for cut in 1..whole.to_server.written {
            let mut cut_once = Joined::new(begin);
            cut_once.to_server.cuts = vec![cut];
            cut_once.run().assert_well();
        }
        for cut in 1..whole.to_client.written {
            let mut cut_once = Joined::new(begin);
            cut_once.to_client.cuts = vec![cut];
            cut_once.run().assert_well();
        }
        let mut trickled = Joined::new(begin);
        (trickled.to_server.most, trickled.to_client.most) = (Some(1), Some(1));
        trickled.run().assert_well();
    }
}

proptest! {
    #![proptest_config(lmtp_testkit::effort::cases(48))]

    #[test]
    fn any_cuts(
        implicit in any::<bool>(),
        up in prop::collection::vec(1_usize..4000, 0..20),
        down in prop::collection::vec(1_usize..4000, 0..20),
        most in prop::option::of(1_usize..200),
    ) {
        let mut joined = Joined::new(if implicit { Begin::Implicit } else { Begin::StartTls });
        (joined.to_server.cuts, joined.to_client.cuts, joined.to_client.most) = (up, down, most);
        joined.run().assert_well();
    }

    /// An octet is changed, or the stream breaks off: what the client reports is what the server has, and
    /// nobody takes a part for the whole.
    #[test]
    fn any_damage(implicit in any::<bool>(), up in any::<bool>(), breaks in any::<bool>(), place in 0_usize..5000) {
        let mut joined = Joined::new(if implicit { Begin::Implicit } else { Begin::StartTls });
        let link = if up { &mut joined.to_server } else { &mut joined.to_client };
        if breaks { link.breaks_at = Some(place) } else { link.tampered = Some(place) }
        joined.run_out().assert_honest();
    }
}

/// A handshake has its time, whoever is silent in it; STARTTLS as well.
#[test]
fn a_handshake_has_its_time() {
    let patience = Duration::from_secs(7);
    for begin in BOTH {
        for silent_server in [true, false] {
            let client = ClientTls::builder().ca_file(PKI.path("ca.pem")).handshake_timeout(patience).build().unwrap();
            let server =
                ServerTls::builder(PKI.path("mx.pem"), PKI.path("mx.key")).handshake_timeout(patience).build().unwrap();
            let mut joined = Joined::with(begin, client.handshake(Some("mx.example.org")).unwrap(), server.handshake());
            if silent_server {
                stall(&mut joined, begin, true);
                assert!(joined.client_error.as_ref().unwrap().tls().unwrap().is_timeout(), "{:?}", joined.client_error);
                assert_eq!(joined.client_error.as_ref().unwrap().to_string(), "timed out in the TLS handshake");
                let fault = lmtp_proto::Fault::from(joined.client_error.clone().unwrap());
                assert_eq!((fault.kind().name(), fault.phase().to_string().as_str()), ("timeout", "tls"));
                assert!(
                    joined.report.as_ref().unwrap().recipients().all(|to| to.outcome() == lmtp_proto::Outcome::Unsent)
                );
            } else {
                stall(&mut joined, begin, false);
                assert!(joined.server_error.as_ref().unwrap().tls().unwrap().is_timeout(), "{:?}", joined.server_error);
            }
        }
    }
}

/// Runs the clear part, then one side alone, until its time is up.
fn stall(joined: &mut Joined, begin: Begin, client: bool) {
    if begin == Begin::StartTls {
        // Up to the first octets of TLS.
        loop {
            joined.client_step();
            if joined.client.inner().state() == client::table::State::Tls {
                break;
            }
            while joined.server_step() {}
        }
    }
    let step = |joined: &mut Joined| if client { joined.client_step() } else { joined.server_step() };
    if !client {
        // The ClientHello is lost.
        joined.to_server.lose();
    }
    while step(joined) {}
    let end = if client { joined.client.poll_timeout() } else { joined.server.poll_timeout() };
    assert_eq!(end, Some(Instant::after_origin(Duration::from_secs(7))));
    joined.pass(Duration::from_secs(7) - Duration::from_nanos(1));
    assert!(!step(joined), "too early");
    joined.pass(Duration::from_nanos(1));
    while step(joined) {}
}

/// Without TLS the buffers are the machine's own, and so is what it says.
#[test]
fn in_the_clear_it_adds_nothing() {
    let mut config = client::Config::default();
    config.starttls = client::StartTls::Required;
    let mut client = Tls::new(Client::new(config), None);
    assert_eq!(client.poll_output(Instant::ORIGIN), Ok(Output::Receive));
    client.input().extend_from_slice(b"220 mx\r\n");
    assert_eq!(client.input().as_ptr(), client.inner_mut().input().as_ptr());
    assert_eq!(client.poll_output(Instant::ORIGIN), Ok(Output::Transmit));
    assert_eq!(client.transmit().chunk().as_ptr(), client.inner_mut().transmit().chunk().as_ptr());
    client.transmit().advance(b"LHLO localhost\r\n".len());
    client.input().extend_from_slice(b"250-mx\r\n250 STARTTLS\r\n");
    assert!(matches!(client.poll_output(Instant::ORIGIN), Ok(Output::Event(_) | Output::Transmit)));
    client.transmit().advance(b"STARTTLS\r\n".len());
    client.input().extend_from_slice(b"220 go\r\n");
    // Nobody has said how: the driver has to.
    assert_eq!(client.poll_output(Instant::ORIGIN), Ok(Output::StartTls));
    client.handle_tls();
    assert_eq!(client.poll_output(Instant::ORIGIN), Ok(Output::Transmit));
    assert!(!client.is_encrypted());
}

/// A second session is resumed, as rustls does it by itself.
#[test]
fn sessions_are_resumed() {
    let (client, server) = (client_tls(), server_tls());
    for resumed in [false, true, true] {
        let mut joined =
            Joined::with(Begin::Implicit, client.handshake(Some("mx.example.org")).unwrap(), server.handshake());
        joined.run().assert_well();
        assert_eq!((joined.client.is_resumed(), joined.server.is_resumed()), (resumed, resumed));
    }
}

/// The machine takes an octet for sent when its record is written, not when it is encrypted: so a message of
/// which nothing has left is *unsent*, not *uncertain*.
#[test]
fn what_is_not_written_is_not_sent() {
    let mut joined = Joined::new(Begin::Implicit);
    // Up to the record with the dot.
    loop {
        let output = joined.client.poll_output(joined.now);
        if output == Ok(Output::Transmit) && joined.client.inner_mut().transmit().chunk().ends_with(b"\r\n.\r\n") {
            break;
        }
        assert!(joined.client_does(output) | joined.server_step());
    }
    let whole = joined.client.transmit().len();
    assert!(whole > MESSAGE.len());
    let outcomes = |joined: &Joined| {
        let report = joined.client.inner().report().unwrap();
        report.recipients().map(|to| to.outcome()).collect::<Vec<_>>()
    };
    joined.client.transmit().advance(whole - 1);
    assert_eq!(joined.client.poll_output(joined.now), Ok(Output::Transmit));
    assert_eq!(outcomes(&joined), [lmtp_proto::Outcome::Unsent; 2]);
    joined.client.transmit().advance(1);
    assert_eq!(joined.client.poll_output(joined.now), Ok(Output::Receive));
    assert_eq!(outcomes(&joined), [lmtp_proto::Outcome::Uncertain; 2]);
}

/// A machine that is asked for nothing is not told of anything either.
#[test]
fn a_server_asks_nobody_before_the_handshake() {
    let mut server = Tls::implicit(Server::new(server::Config::default()), server_tls().handshake());
    assert_eq!(server.poll_output(Instant::ORIGIN), Ok(Output::Receive));
    server.handle_eof();
    let error = server.poll_output(Instant::ORIGIN).unwrap_err();
    assert_eq!(error.to_string(), "the connection was closed in the TLS handshake");
    assert_eq!(server.poll_output(Instant::ORIGIN), Err(error));
}

/// A client whose session is idle may be asked for more.
#[test]
fn a_session_goes_on() {
    let mut joined = Joined::new(Begin::StartTls);
    while joined.report.is_none() {
        assert!(joined.client_step() | joined.server_step());
    }
    assert!(joined.report.take().unwrap().all_delivered());
    assert!(joined.client.act().inner_mut().deliver(envelope(), Content::UNKNOWN).is_err(), "QUIT was said");
    joined.run();
    assert!(joined.client_closed && joined.client_error.is_none());
}
