//! AUTH on the server: its lines, its order, and what it is worth afterwards
//! (RFC 4954).

use lmtp_proto::auth::{AuthError, Identity, Mechanism, Step, encode_line};
use lmtp_proto::server::{Ask, Config};
use lmtp_proto::trace::{Date, Received};
use lmtp_proto::{Machine, Output};

use crate::driven::{Driven, with_auth};

/// Says AUTH and is believed.
fn log_in(driven: &mut Driven) {
    _ = driven.hear(b"AUTH PLAIN AGFubgBh\r\n").unwrap();
    let question = driven.open.take().unwrap();
    let identity = Identity { authcid: "ann".into(), authzid: None };
    driven.server.authenticated(question, identity).unwrap();
    _ = driven.run().unwrap();
    assert_eq!(driven.said(), "235 2.7.0 Authenticated\r\n");
}

#[test]
fn auth_has_its_place() {
    lmtp_testkit::proves!("R4954-4-a", "R4954-4-b");
    let mut driven = Driven::greeted(with_auth);
    _ = driven.hear(b"MAIL FROM:<>\r\nAUTH PLAIN AGFubgBh\r\nRCPT TO:<a@x>\r\nAUTH PLAIN\r\nRSET\r\n").unwrap();
    let said = driven.said();
    let codes: Vec<_> = said.lines().map(|line| &line[..9]).collect();
    assert_eq!(codes, ["250 2.1.0", "503 5.5.1", "250 2.1.5", "503 5.5.1", "250 2.0.0"], "{said}");
    assert!(driven.open.is_none(), "it was asked for all the same");
    log_in(&mut driven);
    _ = driven.hear(b"AUTH PLAIN AGFubgBh\r\n").unwrap();
    assert_eq!(driven.said(), "503 5.5.1 Already authenticated\r\n");
    assert!(driven.open.is_none(), "it was asked for all the same");
}

/// A challenge is base64 and nothing else, and without octets keeps its blank.
#[test]
fn a_challenge_is_base64() {
    lmtp_testkit::proves!("R4954-4-d");
    for challenge in [&b""[..], b"Username:", b"\r\n250 ", b"\0\xff", &[b'x'; 9000]] {
        let mut driven = Driven::greeted(with_auth);
        _ = driven.hear(b"AUTH PLAIN\r\n").unwrap();
        let question = driven.open.take().unwrap();
        driven.server.challenge(question, challenge).unwrap();
        _ = driven.run().unwrap();
        assert_eq!(driven.said(), format!("334 {}\r\n", encode_line(challenge)));
    }
}

/// A response of 12288 octets is heard, in one piece or octet by octet; one more
/// is not.
#[test]
fn long_responses_are_heard() {
    lmtp_testkit::proves!("R4954-4-k");
    for (length, heard) in [(12_288, true), (12_292, false)] {
        for by_octet in [false, true] {
            let mut driven = Driven::greeted(with_auth);
            _ = driven.hear(b"AUTH PLAIN\r\n").unwrap();
            let question = driven.open.take().unwrap();
            driven.server.challenge(question, b"").unwrap();
            _ = driven.run().unwrap();
            driven.said();
            let line = [vec![b'A'; length], b"\r\n".to_vec()].concat();
            for piece in line.chunks(if by_octet { 1 } else { line.len() }) {
                _ = driven.hear(piece).unwrap();
            }
            if let Some(question) = driven.open.take() {
                assert!(heard);
                let octets = vec![0; length / 4 * 3];
                assert!(matches!(question.ask(), Ask::AuthResponse(it) if it.as_bytes() == octets));
            } else {
                assert!(!heard, "{}", driven.sent);
                assert!(driven.sent.starts_with("500 5.5.6 "), "{}", driven.sent);
            }
        }
    }
}

/// Whoever the client is, MAIL may say AUTH.
#[test]
fn mail_may_say_auth() {
    lmtp_testkit::proves!("R4954-5-a");
    for logged_in in [false, true] {
        let mut driven = Driven::greeted(with_auth);
        if logged_in {
            log_in(&mut driven);
        }
        for value in ["<>", "e+3Dmc2@example.com"] {
            _ = driven.hear(format!("MAIL FROM:<ann@x> AUTH={value}\r\nRSET\r\n").as_bytes()).unwrap();
            assert_eq!(driven.said(), "250 2.1.0 Sender ok\r\n250 2.0.0 Ok\r\n", "{value}");
        }
    }
}

/// On a clear line OAUTHBEARER is neither offered nor taken, though PLAIN may be.
#[test]
fn oauthbearer_needs_tls() {
    lmtp_testkit::proves!("R7628-3-a");
    for (secured, in_clear, offered) in [
        (false, false, "250-AUTH SCRAM-SHA-256\r\n"),
        (false, true, "250-AUTH PLAIN SCRAM-SHA-256\r\n"),
        (true, false, "250-AUTH OAUTHBEARER PLAIN SCRAM-SHA-256\r\n"),
    ] {
        let mut driven = Driven::new(|config| {
            config.offer.auth = ["OAUTHBEARER", "PLAIN", "SCRAM-SHA-256"].map(|name| name.parse().unwrap()).into();
            (config.secured, config.offer.auth_in_clear) = (secured, in_clear);
        });
        _ = driven.run();
        _ = driven.hear(b"LHLO client.example\r\n");
        assert!(driven.said().contains(offered), "{secured} {in_clear}");
        _ = driven.hear(b"AUTH OAUTHBEARER bixhPWFubg==\r\n").unwrap();
        assert_eq!(driven.open.is_some(), secured);
        assert_eq!(driven.said().starts_with("504 5.5.4 "), !secured);
    }
}

/// What `Received` says of the line, in each of its states.
#[test]
fn received_says_how_the_message_came() {
    lmtp_testkit::proves!("R3848-1-a", "R3848-1-b", "R3848-1-c", "R3848-1-d", "R6531-3.7.3-a");
    let with_all = |config: &mut Config| {
        with_auth(config);
        config.offer.starttls = true;
    };
    for (tls, auth, utf8, word) in [
        (false, false, false, "LMTP"),
        (false, true, false, "LMTPA"),
        (true, false, false, "LMTPS"),
        (true, true, false, "LMTPSA"),
        (false, false, true, "UTF8LMTP"),
        (false, true, true, "UTF8LMTPA"),
        (true, false, true, "UTF8LMTPS"),
        (true, true, true, "UTF8LMTPSA"),
    ] {
        let mut driven = Driven::greeted(with_all);
        if tls {
            // What was proved in clear is forgotten.
            log_in(&mut driven);
            assert_eq!(driven.hear(b"STARTTLS\r\n"), Ok(Output::StartTls));
            driven.server.handle_tls();
            _ = driven.hear(b"LHLO client.example\r\n").unwrap();
            driven.said();
        }
        if auth {
            log_in(&mut driven);
        }
        let mail: &[u8] = if utf8 { b"MAIL FROM:<> SMTPUTF8\r\n" } else { b"MAIL FROM:<>\r\n" };
        _ = driven.hear(mail).unwrap();
        let (from, by) = (driven.server.client_name().unwrap(), "mda.example".parse().unwrap());
        let received = Received::new(from, &by, driven.server.protocol(), Date::new(0, 0).unwrap()).to_string();
        assert!(received.contains(&format!(" with {word};")), "{received}");
    }
}

/// A line of an AUTH exchange that cannot be read ends the exchange: what comes
/// next is a command (RFC 4954 section 4).
#[test]
fn a_bad_line_ends_an_auth_exchange() {
    lmtp_testkit::proves!("R4954-4-e");
    for (line, reply) in [
        ("A".repeat(300), "500 5.5.6 "),
        ("AAAA\0AAA".into(), "500 5.5.2 "),
        ("AA\rAA".into(), "500 5.5.2 "),
        (format!("BDAT {}", "A".repeat(300)), "500 5.5.6 "),
        ("*".into(), "501 5.7.0 "),
        ("A!BC".into(), "501 5.5.2 "),
    ] {
        for by_octet in [false, true] {
            let mut driven = Driven::greeted(|config| {
                with_auth(config);
                config.limits.auth_line = 200;
            });
            _ = driven.hear(b"AUTH LOGIN\r\n").unwrap();
            let question = driven.open.take().unwrap();
            driven.server.challenge(question, b"Username:").unwrap();
            _ = driven.run().unwrap();
            assert_eq!(driven.said(), "334 VXNlcm5hbWU6\r\n");
            let octets = format!("{line}\r\nNOOP\r\n").into_bytes();
            for piece in octets.chunks(if by_octet { 1 } else { octets.len() }) {
                _ = driven.hear(piece).unwrap();
            }
            let said = driven.said();
            assert!(said.starts_with(reply), "{said}");
            assert!(said.ends_with("\r\n250 2.0.0 Ok\r\n"), "{said}");
            assert_eq!(said.lines().count(), 2, "{said}");
            assert!(driven.open.is_none(), "a command was taken for a response");
        }
    }
}

/// A mechanism that fails in one way.
#[derive(Debug)]
struct Failing(AuthError);

impl Mechanism for Failing {
    fn name(&self) -> &'static str {
        "PLAIN"
    }

    fn reveals_secret(&self) -> bool {
        true
    }

    fn step(&mut self, _: Option<&[u8]>) -> Result<Step, AuthError> {
        Err(self.0)
    }

    fn is_complete(&self) -> bool {
        false
    }
}

/// R4954-4-l, RFC 4954 section 6: the codes that [`AuthError`] promises.
#[test]
fn a_failed_mechanism_has_its_own_code() {
    for (error, reply) in [
        (AuthError::Malformed, "501 5.5.2 "),
        (AuthError::TooManySteps, "501 5.5.2 "),
        (AuthError::Aborted, "501 5.7.0 "),
        (AuthError::Unavailable, "454 4.7.0 "),
        (AuthError::Refused, "535 5.7.8 "),
        (AuthError::Unacceptable, "535 5.7.8 "),
    ] {
        let mut driven = Driven::greeted(with_auth);
        _ = driven.hear(b"AUTH PLAIN AGFubgBh\r\n").unwrap();
        let question = driven.open.take().unwrap();
        driven.server.authenticate(question, &mut Failing(error)).unwrap();
        _ = driven.run().unwrap();
        assert!(driven.sent.starts_with(reply), "{error:?}: {}", driven.sent);
    }
}
