//! What somebody in between can do, and peers that break off: injection, truncation, clear text.

mod support;

use std::time::Duration;

use bytes::Buf as _;
use lmtp_proto::client::{self, Client, StartTls};
use lmtp_proto::server::{self, Server};
use lmtp_proto::{Content, Instant, Machine, Outcome, Output, Phase};
use lmtp_rustls::{Error, Tls, TlsProblem};

use support::{BOTH, Begin, Joined, client_tls, envelope, server_tls};

/// A client up to STARTTLS, which is written.
fn client_at_starttls() -> Tls<Client> {
    let mut config = client::Config::default();
    config.starttls = StartTls::Required;
    let mut client = Tls::new(Client::new(config), client_tls().handshake(Some("mx.example.org")).unwrap());
    client.inner_mut().deliver(envelope(), Content::UNKNOWN).unwrap();
    for said in ["220 mx\r\n", "250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n"] {
        assert_eq!(client.poll_output(Instant::ORIGIN), Ok(Output::Receive));
        client.input().extend_from_slice(said.as_bytes());
        while let Ok(Output::Event(_)) = client.poll_output(Instant::ORIGIN) {}
        let queued = client.transmit().remaining();
        client.transmit().advance(queued);
    }
    client
}

/// Whatever stands behind the 220 in the clear, a part of a line too, was put there by somebody: nothing of it
/// is used, and nothing more is said.
#[test]
fn a_reply_behind_the_220() {
    let behind = [
        "250-mx\r\n250 AUTH PLAIN\r\n",
        "2",
        "250 o",
        "\r\n",
        "\x16\x03\x03\x00\x02\x02\x28",
        "\x15\x03\x03\x00\x02\x02\x28",
    ];
    for behind in behind {
        // In the same read, and in the next one before the driver has asked again.
        for cut in [0, 1, behind.len()] {
            let mut client = client_at_starttls();
            let (first, rest) = behind.split_at(cut);
            assert_eq!(client.poll_output(Instant::ORIGIN), Ok(Output::Receive));
            client.input().extend_from_slice(b"220 go\r\n");
            client.input().extend_from_slice(first.as_bytes());
            client.input().extend_from_slice(rest.as_bytes());
            let error = client.poll_output(Instant::ORIGIN).unwrap_err();
            assert_eq!(error, Error::Machine(lmtp_proto::Error::OctetsBeforeTls), "{behind:?}");
            assert_eq!(client.poll_output(Instant::ORIGIN), Err(error));
            assert!(client.transmit().is_empty() && !client.is_encrypted());
            let report = client.inner_mut().take_report().unwrap();
            assert!(report.recipients().all(|to| to.outcome() == Outcome::Unsent));
        }
    }
}

/// What comes once the handshake has begun is TLS, or the end.
#[test]
fn a_reply_in_the_handshake() {
    for injected in ["250-mx\r\n250 AUTH PLAIN\r\n", "220 again\r\n"] {
        let mut client = client_at_starttls();
        assert_eq!(client.poll_output(Instant::ORIGIN), Ok(Output::Receive));
        client.input().extend_from_slice(b"220 go\r\n");
        assert_eq!(client.poll_output(Instant::ORIGIN), Ok(Output::Transmit));
        assert_eq!(client.transmit().chunk()[0], 0x16, "the ClientHello");
        let queued = client.transmit().remaining();
        client.transmit().advance(queued);
        assert_eq!(client.poll_output(Instant::ORIGIN), Ok(Output::Receive));
        client.input().extend_from_slice(injected.as_bytes());
        while client.poll_output(Instant::ORIGIN) == Ok(Output::Transmit) {
            let queued = client.transmit().remaining();
            client.transmit().advance(queued);
        }
        let error = client.poll_output(Instant::ORIGIN).unwrap_err();
        assert_eq!(error.tls().unwrap().problem(), TlsProblem::NotTls);
        assert!(
            client.inner().capabilities().is_none_or(lmtp_proto::value::Capabilities::start_tls),
            "only what was said before"
        );
    }
}

/// A command behind STARTTLS, or a part of one, or the first octets of TLS: the session ends, and nobody is
/// asked about it.
#[test]
fn a_command_behind_starttls() {
    for behind in ["MAIL FROM:<eve@example.org>\r\n", "M", "RSE", "\r\n", "\x16\x03\x01\x00\x05"] {
        for later in [false, true] {
            let mut config = server::Config::default();
            config.offer.starttls = true;
            let mut server = Tls::new(Server::new(config), server_tls().handshake());
            let mut said = Vec::new();
            let first = b"LHLO eve\r\nSTARTTLS\r\n";
            let mut sent = false;
            let end = loop {
                match server.poll_output(Instant::ORIGIN) {
                    Ok(Output::Event(server::Event::Question(question))) => {
                        assert!(!matches!(question.ask(), server::Ask::Mail(..)), "it is used");
                        server.inner_mut().accept(question).unwrap();
                    }
                    Ok(Output::Event(_)) => {}
                    Ok(Output::Transmit) => {
                        // The answer to STARTTLS is not out yet: what comes now is still in the clear.
                        if later && sent && server.transmit().chunk().ends_with(b"220 2.0.0 Ready for TLS\r\n") {
                            server.input().extend_from_slice(behind.as_bytes());
                        }
                        let queue = server.transmit();
                        said.extend_from_slice(&queue.copy_to_bytes(queue.remaining()));
                    }
                    Ok(Output::Receive) => {
                        assert!(!sent, "it goes on: {}", said.escape_ascii());
                        sent = true;
                        server.input().extend_from_slice(first);
                        if !later {
                            server.input().extend_from_slice(behind.as_bytes());
                        }
                    }
                    Ok(other) => panic!("{other:?}"),
                    Err(error) => break error,
                }
            };
            assert_eq!(end, Error::Machine(server::Error::ClearOctets), "{behind:?}, {later}");
            assert!(!server.is_encrypted() && !server.inner().is_secured());
            let said = String::from_utf8(said).unwrap();
            assert!(!said.contains("250 2.1.0"), "{said}");
            assert_eq!(said.contains("421 4.7.0"), !later, "{said}");
        }
    }
}

/// A server in the clear where TLS was to begin at once, and the other way round.
#[test]
fn clear_text_for_tls() {
    let side = client_tls().handshake(Some("mx.example.org")).unwrap();
    let mut client = Tls::implicit(Client::new(client::Config::default()), side);
    assert_eq!(client.poll_output(Instant::ORIGIN), Ok(Output::Transmit));
    client.input().extend_from_slice(b"220 mx LMTP ready\r\n");
    while client.poll_output(Instant::ORIGIN) == Ok(Output::Transmit) {
        let queued = client.transmit().remaining();
        client.transmit().advance(queued);
    }
    let error = client.poll_output(Instant::ORIGIN).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server does not speak TLS here: it may want STARTTLS, or have TLS on another port"
    );

    let mut server = Tls::implicit(Server::new(server::Config::default()), server_tls().handshake());
    assert_eq!(server.poll_output(Instant::ORIGIN), Ok(Output::Receive));
    server.input().extend_from_slice(b"LHLO client\r\n");
    while server.poll_output(Instant::ORIGIN) == Ok(Output::Transmit) {
        let queued = server.transmit().remaining();
        server.transmit().advance(queued);
    }
    assert_eq!(server.poll_output(Instant::ORIGIN).unwrap_err().to_string(), "the client does not speak TLS here");
}

/// The stream breaks off at every place of either side. What the client reports is what the server has; a break
/// within the session is told as one, and one behind its end is none.
#[test]
fn broken_off_everywhere() {
    for begin in BOTH {
        let joined = || Joined::new(begin);
        let mut whole = joined();
        whole.run().assert_well();
        let (mut handshakes, mut truncated, mut well) = (0, 0, 0);
        for place in 0..whole.to_client.written {
            let mut broken = joined();
            broken.to_client.breaks_at = Some(place);
            broken.run_out().assert_honest();
            match &broken.client_error {
                Some(Error::Tls(error)) => {
                    assert_eq!(error.problem(), TlsProblem::Closed, "{place}: {error}");
                    handshakes += 1;
                }
                Some(error @ Error::Truncated(lmtp_proto::Error::Closed { .. })) => {
                    assert!(error.to_string().ends_with("it was cut off: TLS was not ended (no close_notify)"));
                    truncated += 1;
                }
                // STARTTLS was not reached.
                Some(Error::Machine(lmtp_proto::Error::Closed { .. })) if begin == Begin::StartTls => {}
                None => well += 1,
                other => panic!("{place}: {other:?}"),
            }
        }
        assert!(handshakes > 500 && truncated > 100 && well > 10, "{handshakes} {truncated} {well}");
        for place in 0..whole.to_server.written {
            let mut broken = joined();
            broken.to_server.breaks_at = Some(place);
            broken.run_out().assert_honest();
        }
    }
}

/// A peer that says that it ends is believed: the same end is no truncation then.
#[test]
fn close_notify_is_an_end() {
    for says_so in [true, false] {
        let mut joined = Joined::new(Begin::Implicit);
        while joined.client.inner().phase() != Phase::Mail {
            assert!(joined.client_step() | joined.server_step());
        }
        if says_so {
            // Taken for the end of the client, which ends the server without a word of LMTP.
            joined.server.handle_eof();
            joined.pass(Duration::ZERO);
            while joined.server_step() {}
            assert!(joined.to_client.is_readable());
        }
        joined.to_client.closed = true;
        joined.server_closed = true;
        joined.run();
        let closed = lmtp_proto::Error::Closed { phase: Phase::Mail };
        let expected = if says_so { Error::Machine(closed) } else { Error::Truncated(closed) };
        assert_eq!(joined.client_error, Some(expected));
    }
}

/// Rule 4: a write fails, and what the server said before is heard, the alert too.
#[test]
fn the_last_words_are_heard() {
    let mut joined = Joined::new(Begin::Implicit);
    while joined.client.inner().phase() != Phase::Mail {
        assert!(joined.client_step() | joined.server_step());
    }
    joined.shut_down();
    while joined.server_step() {}
    while joined.client.poll_output(joined.now) != Ok(Output::Transmit) {
        assert!(joined.client_step());
    }
    joined.client.handle_write_closed();
    assert!(joined.client.transmit().is_empty());
    joined.run();
    assert!(
        matches!(joined.client_error, Some(Error::Machine(lmtp_proto::Error::Closing { .. }))),
        "{:?}",
        joined.client_error
    );
}

/// Rule 4 in the handshake: the alert is heard behind a failed write, and silence ends in a few seconds.
#[test]
fn a_failed_write_in_the_handshake() {
    let side = client_tls().handshake(Some("mx.example.org")).unwrap();
    for alert in [&b"\x15\x03\x03\x00\x02\x02\x28"[..], b""] {
        let mut client = Tls::implicit(Client::new(client::Config::default()), side.clone());
        assert_eq!(client.poll_output(Instant::ORIGIN), Ok(Output::Transmit));
        client.handle_write_closed();
        assert_eq!(client.poll_output(Instant::ORIGIN), Ok(Output::Receive));
        let deadline = Instant::after_origin(Duration::from_secs(5));
        assert_eq!(client.poll_timeout(), Some(deadline));
        client.input().extend_from_slice(alert);
        if alert.is_empty() {
            client.handle_timeout(deadline);
        }
        let error = client.poll_output(deadline).unwrap_err();
        let problem = error.tls().unwrap().problem();
        assert_eq!(problem, if alert.is_empty() { TlsProblem::TimedOut } else { TlsProblem::Refused });
    }
}

/// A peer that does not read our farewell does without it.
#[test]
fn nobody_waits_for_the_farewell() {
    let mut joined = Joined::new(Begin::Implicit);
    loop {
        let output = joined.client.poll_output(joined.now);
        if joined.client.inner().state() == client::table::State::Over {
            // 221 was read; close_notify is queued.
            assert_eq!(output, Ok(Output::Transmit));
            break;
        }
        assert!(joined.client_does(output) | joined.server_step());
    }
    let deadline = joined.client.poll_timeout().unwrap();
    assert_eq!(deadline, joined.now.saturating_add(Duration::from_secs(5)));
    joined.client.handle_timeout(deadline);
    assert_eq!(joined.client.poll_output(deadline), Ok(Output::Closed));
    assert_eq!(joined.client.poll_output(deadline), Ok(Output::Closed));
}
