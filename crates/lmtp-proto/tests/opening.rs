//! Between the greeting and the first message: TLS and AUTH, whatever the server
//! does.

use std::fmt::Write as _;
use std::time::Duration;

use lmtp_proto::auth::{Mechanism, encode_line};
use lmtp_proto::bytes::Buf;
use lmtp_proto::client::{Client, Config, Event, StartTls};
use lmtp_proto::{Content, Envelope, Error, FaultKind, Instant, Machine, Misuse, Output, Phase};
use lmtp_testkit::auth::Scripted;
use lmtp_testkit::effort::cases;
use lmtp_testkit::evil::{EvilServer, acts, converse};
use lmtp_testkit::memory::{Message, Session, Waiting};
use proptest::prelude::*;

fn envelope() -> Envelope {
    Envelope::new("ann@x".parse().unwrap(), ["bob@x".parse().unwrap()]).unwrap()
}

fn boxed(mechanism: Scripted) -> Vec<Box<dyn Mechanism>> {
    vec![Box::new(mechanism)]
}

const OFFERS: [&[&str]; 4] = [
    &["PIPELINING", "STARTTLS", "AUTH PLAIN EXTERNAL", "CHUNKING", "XCLIENT ADDR"],
    &["STARTTLS"],
    &["PIPELINING", "AUTH PLAIN EXTERNAL", "CHUNKING", "XCLIENT ADDR"],
    &[],
];

proptest! {
    #![proptest_config(cases(1000))]

    /// Invariant 34: where TLS is required nothing leaves without it but LHLO and
    /// STARTTLS, whatever the server says.
    #[test]
    fn nothing_leaves_in_the_clear_where_tls_is_required(
        acts in prop_oneof![acts(4, true), acts(4, false)],
        offer in 0..OFFERS.len(),
        external in any::<bool>(),
        auth_in_clear in any::<bool>(),
        pace in (prop_oneof![Just(1_usize), Just(usize::MAX)], prop_oneof![Just(1_usize), Just(usize::MAX)]),
    ) {
        let mut config = Config::default();
        config.starttls = StartTls::Required;
        config.auth_in_clear = auth_in_clear;
        config.xclient = "ADDR".parse().ok().map(|name| {
            lmtp_proto::value::ClientAttributes::new([(name, lmtp_proto::value::AttributeValue::Unavailable)]).unwrap()
        });
        let mut server = EvilServer::new(acts, OFFERS[offer]);
        let mut session = Session::new(config, envelope(), Message::new("Hi\r\n"));
        let name = if external { "EXTERNAL" } else { "PLAIN" };
        session.client.authenticate(boxed(Scripted::new(name, false, [b"secret".to_vec()]))).unwrap();
        converse(&mut session, &mut server, pace, |_, _| {});
        let clear = String::from_utf8_lossy(&session.sent[..session.clear.unwrap_or(session.sent.len())]).into_owned();
        for line in clear.lines() {
            prop_assert!(["LHLO localhost", "STARTTLS"].contains(&line), "{:?} in the clear", line);
        }
        if session.clear.is_none() {
            prop_assert!(!server.stored);
        }
    }

    /// Invariant 40: no secret shows in any event, error or `Debug`.
    #[test]
    fn no_secret_is_shown(
        secret in "[A-Za-z0-9]{12,20}",
        replies in prop::collection::vec(prop_oneof![
            4 => Just("334 \r\n"), 1 => Just("334 YWJj\r\n"), 2 => Just("235 2.7.0 in\r\n"), 1 => Just("535 no\r\n"), 1 => Just("334 ?\r\n"), 1 => Just("rubbish\r\n"),
        ], 1..5),
        listens in any::<bool>(),
        parts in 1_usize..4,
    ) {
        let mut config = Config::default();
        (config.transcript, config.auth_in_clear) = (true, true);
        let mut session = Session::new(config, envelope(), Message::new("Hi\r\n"));
        let says = vec![secret.clone().into_bytes(); parts];
        session.client.authenticate(boxed(Scripted::new("PLAIN", listens, says))).unwrap();
        let mut shown = String::new();
        for said in ["220 mx\r\n", "250-mx\r\n250 AUTH PLAIN\r\n"].into_iter().chain(replies) {
            while session.settle() == Waiting::ToSend {
                write!(shown, "{:?}", session.client).unwrap();
                session.step(usize::MAX);
            }
            write!(shown, "{:?}", session.client).unwrap();
            session.hear(said.as_bytes());
        }
        session.run();
        write!(shown, "{:#?} {:?} {:?} {:?}", session.client, session.error, session.events, session.report).unwrap();
        for event in &session.events {
            if let Event::Line(line) = event {
                shown += &line.to_string();
            }
        }
        if let Some(error) = &session.error {
            shown += &error.to_string();
        }
        prop_assert!(session.sent.windows(encode_line(secret.as_bytes()).len()).any(|octets| octets == encode_line(secret.as_bytes()).as_bytes()) || listens);
        prop_assert!(!shown.contains(&secret), "the secret is shown");
        prop_assert!(!shown.contains(&encode_line(secret.as_bytes())), "the response is shown");
    }
}

/// The handshake has its time, and is asked for until it is done.
#[test]
fn the_handshake_has_a_deadline() {
    let mut config = Config::default();
    config.starttls = StartTls::Required;
    let mut client = Client::new(config.clone());
    let mut said = [&b"220 mx\r\n"[..], b"250-mx\r\n250 STARTTLS\r\n", b"220 go\r\n"].into_iter();
    let now = Instant::after_origin(Duration::from_secs(1));
    loop {
        match client.poll_output(now).unwrap() {
            Output::Transmit => {
                let count = client.transmit().len();
                client.transmit().advance(count);
            }
            Output::Receive => client.input().extend_from_slice(said.next().unwrap()),
            Output::StartTls => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(client.phase(), Phase::Tls);
    assert_eq!(client.poll_output(now), Ok(Output::StartTls));
    let deadline = client.poll_timeout().unwrap();
    assert_eq!(deadline, now.saturating_add(config.timeouts.of(Phase::Tls)));
    assert!(client.capabilities().is_some());
    client.handle_timeout(deadline);
    assert_eq!(client.poll_output(deadline), Err(Error::TimedOut { phase: Phase::Tls }));
}

/// A stream that is TLS from the start: told by the driver before the greeting.
#[test]
fn tls_from_the_start_needs_no_starttls() {
    let mut config = Config::default();
    config.starttls = StartTls::Required;
    let mut session = Session::new(config, envelope(), Message::new(""));
    session.settle();
    session.client.handle_tls();
    session.hear(b"220 mx\r\n");
    session.run();
    session.hear(b"250-mx\r\n250 STARTTLS\r\n");
    session.run();
    assert!(session.sent.ends_with(b"MAIL FROM:<ann@x>\r\n"), "{}", session.sent.escape_ascii());
}

/// Told too late, `handle_tls` changes nothing.
#[test]
fn tls_cannot_be_claimed_later() {
    let mut config = Config::default();
    config.starttls = StartTls::Required;
    let mut session = Session::new(config, envelope(), Message::new(""));
    session.run();
    session.hear(b"220 mx\r\n");
    session.run();
    session.client.handle_tls();
    session.hear(b"250 mx\r\n");
    session.run();
    assert_eq!(session.error, Some(Error::NoTls { reply: None }));
    assert_eq!(session.report.unwrap().error().unwrap().kind(), FaultKind::Tls);
}

#[test]
fn mechanisms_are_named_before_the_session_opens() {
    let mut session = Session::idle(Config::default(), Message::new(""));
    for said in [&b"220 mx\r\n"[..], b"250 mx\r\n"] {
        session.run();
        session.hear(said);
    }
    session.run();
    let late = session.client.authenticate(boxed(Scripted::new("PLAIN", false, [])));
    assert_eq!(late, Err(Misuse::TooLate));
    assert!(session.client.deliver(envelope(), Content::UNKNOWN).is_ok());
}
