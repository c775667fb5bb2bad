//! How much a server takes, and for how long: the least that it must take, what it
//! announces, and the end of a session that brings nothing.

use std::time::Duration;

use lmtp_proto::server::{Ask, Config, Error};
use lmtp_proto::value::{Capabilities, LimitsOffered};
use lmtp_proto::{Instant, Machine, Output, Phase, Reply, Timeouts};
use lmtp_testkit::effort::cases;
use lmtp_testkit::served::Served;
use proptest::prelude::*;

use crate::driven::{Driven, seconds};

/// A server of the testkit, behind LHLO.
fn served(set: impl FnOnce(&mut Config)) -> Served {
    let mut config = Config::default();
    set(&mut config);
    let mut served = Served::new(config);
    served.run();
    served.hear(b"LHLO client.example\r\n");
    served.sent.clear();
    served
}

/// What it says to this.
fn answer(served: &mut Served, line: &str) -> String {
    served.sent.clear();
    served.hear(line.as_bytes());
    String::from_utf8(served.sent.clone()).unwrap()
}

/// A line of so many octets with its CRLF.
fn filled(start: &str, length: usize) -> String {
    format!("{start}{}\r\n", "x".repeat(length - start.len() - 2))
}

#[test]
fn long_commands_are_taken() {
    lmtp_testkit::proves!("R5321-4.5.3.1.4-a", "R3461-5.4-a", "R8689-2-a");
    let mut served = served(|config| {
        (config.offer.dsn, config.offer.unknown_parameters, config.secured) = (true, true, true);
        (config.offer.require_tls, config.offer.deliver_by, config.offer.priority) = (true, Some(0), Some("X".into()));
        config.offer.auth = vec!["PLAIN".parse().unwrap()];
    });
    assert_eq!(answer(&mut served, &filled("NOOP ", 512)), "250 2.0.0 Ok\r\n");
    assert!(answer(&mut served, &filled("VRFY ", 512)).starts_with("252 "));
    // The longest path, and every parameter at its longest.
    let path = format!("{}@{}.{}", "l".repeat(64), "d".repeat(63), "e".repeat(63));
    let mail = format!(
        "MAIL FROM:<{path}> SIZE=00000000000000000001 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID={} AUTH={path} \
         BY=-999999999;NT MT-PRIORITY=-9 REQUIRETLS\r\n",
        "e".repeat(100)
    );
    assert_eq!(answer(&mut served, &mail), "250 2.1.0 Sender ok\r\n");
    let rcpt = format!("RCPT TO:<{path}> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;{} X=", "o".repeat(493));
    assert_eq!(answer(&mut served, &filled(&rcpt, 1036)), "250 2.1.5 Recipient ok\r\n");
}

/// 998 octets and CRLF, and one more for a dot that is doubled.
#[test]
fn long_lines_of_content_are_taken() {
    lmtp_testkit::proves!("R5321-4.5.3.1.6-a");
    let mut served = served(|_| {});
    let lines = [filled("", 1000), filled(".", 1000), filled("..", 1000)];
    let stuffed: String =
        lines.iter().map(|line| if line.starts_with('.') { format!(".{line}") } else { line.clone() }).collect();
    let replies = answer(&mut served, &format!("MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nDATA\r\n{stuffed}.\r\n"));
    assert!(replies.ends_with("250 2.0.0 stored\r\n"), "{replies}");
    assert_eq!(served.stored[0].content, lines.concat().into_bytes());
}

#[test]
fn large_messages_are_taken() {
    lmtp_testkit::proves!("R5321-4.5.3.1.7-a");
    let mut served = served(|_| {});
    let content = filled("Subject: large", 78).repeat(65_536 / 78 + 1);
    let replies = answer(&mut served, &format!("MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nDATA\r\n{content}.\r\n"));
    assert!(replies.ends_with("250 2.0.0 stored\r\n"), "{replies}");
    assert_eq!(served.stored[0].content, content.into_bytes());
}

#[test]
fn many_recipients_are_taken() {
    lmtp_testkit::proves!("R5321-4.5.3.1.8-a");
    let mut served = served(|_| {});
    answer(&mut served, "MAIL FROM:<>\r\n");
    for number in 0..100 {
        assert_eq!(answer(&mut served, &format!("RCPT TO:<u{number}@x>\r\n")), "250 2.1.5 Recipient ok\r\n");
    }
    answer(&mut served, "DATA\r\n");
    assert_eq!(answer(&mut served, "hi\r\n.\r\n"), "250 2.0.0 stored\r\n".repeat(100));
    assert_eq!(served.stored[0].to.len(), 100);
}

/// Every octet above 127, as it came.
#[test]
fn eight_bits_are_kept() {
    lmtp_testkit::proves!("R6152-3-a");
    let content: Vec<u8> = (128..=255).chain(*b"\r\n.").chain(128..=255).chain(*b"\r\n").collect();
    for mail in [&b"MAIL FROM:<>\r\n"[..], b"MAIL FROM:<> BODY=8BITMIME\r\n", b"MAIL FROM:<> SMTPUTF8\r\n"] {
        let mut served = served(|_| {});
        served.hear(&[mail, b"RCPT TO:<a@x>\r\nDATA\r\n"].concat());
        let dot = content.iter().position(|&octet| octet == b'.').unwrap();
        served.hear(&[&content[..dot], b".", &content[dot..], b".\r\n"].concat());
        assert_eq!(served.stored[0].content, content);
    }
}

/// The limits in a reply to LHLO.
fn announced(config: &Config) -> LimitsOffered {
    let mut served = Served::new(config.clone());
    served.run();
    let reply = answer(&mut served, "LHLO client.example\r\n");
    let lines: Vec<&str> = reply.lines().map(|line| &line[4..]).collect();
    Capabilities::from(&Reply::new(250, None, &lines.join("\n")).unwrap()).limits()
}

/// Whatever is set, what is announced is a number from 1 to 999999.
#[test]
fn limits_are_announced_as_they_may_be() {
    lmtp_testkit::proves!("R9422-3-a", "R9422-4.2-a");
    for (set, said) in [(0, 1), (1, 1), (100, 100), (999_999, 999_999), (1_000_000, 999_999), (usize::MAX, 999_999)] {
        let mut config = Config::default();
        (config.limits.recipients, config.limits.transactions) = (set, Some(set));
        let limits = announced(&config);
        assert_eq!((limits.rcpt_max, limits.mail_max, limits.rcpt_domain_max), (Some(said), Some(said), None), "{set}");
    }
}

/// What a client may do with a transaction or a recipient, and what is said to it.
const MAILS: [(&str, &str); 4] = [
    ("MAIL FROM:<ann@x>\r\nRSET\r\n", "250 2.1.0 "),
    ("MAIL FROM:<no@x>\r\n", "550 5.1.0 "),
    ("MAIL FROM:<ann@x> RET=FULL\r\n", "555 5.5.4 "),
    ("MAIL FROM:ann\r\n", "501 5.1.7 "),
];
const RCPTS: [(&str, &str); 4] = [
    ("RCPT TO:<a@x>\r\n", "250 2.1.5 "),
    ("RCPT TO:<no@x>\r\n", "550 5.1.1 "),
    ("RCPT TO:<a@x> NOTIFY=NEVER\r\n", "555 5.5.4 "),
    ("RCPT TO:a\r\n", "501 5.1.3 "),
];

proptest! {
    #![proptest_config(cases(256))]

    /// So many are taken as were announced, whatever becomes of them, and no more.
    #[test]
    fn what_is_announced_is_what_is_taken(
        most in 0_usize..5,
        mails in prop::collection::vec(0..MAILS.len(), 0..5),
        rcpts in prop::collection::vec(0..RCPTS.len(), 0..5),
    ) {
        lmtp_testkit::proves!("R9422-4.1-a", "R9422-4.2-a");
        let set = |config: &mut Config| {
            (config.limits.recipients, config.limits.transactions) = (most, Some(most + 1));
        };
        let mut config = Config::default();
        set(&mut config);
        let limits = announced(&config);
        let mut served = served(set);
        for (number, (line, reply)) in (1..).zip(mails.iter().map(|&which| MAILS[which])) {
            let said = answer(&mut served, line);
            if number <= limits.mail_max.unwrap() || reply.starts_with("501") {
                prop_assert!(said.starts_with(reply), "{line}: {said}");
            } else {
                prop_assert_eq!(said, "421 4.4.5 Too many messages on one connection, closing\r\n");
                return Ok(());
            }
        }
        let mail = answer(&mut served, "MAIL FROM:<ann@x>\r\n");
        prop_assert_eq!(mail.starts_with("250 "), mails.len() < limits.mail_max.unwrap() as usize);
        if !mail.starts_with("250 ") {
            return Ok(());
        }
        for (number, (line, reply)) in (1..).zip(rcpts.iter().map(|&which| RCPTS[which])) {
            let said = answer(&mut served, line);
            let asked = number <= limits.rcpt_max.unwrap() || reply.starts_with('5') && !reply.starts_with("550");
            let reply = if asked { reply } else { "452 4.5.3 Too many recipients\r\n" };
            prop_assert!(said.starts_with(reply), "{line}: {said}");
        }
        // The next message has its own.
        if mails.len() + 1 < limits.mail_max.unwrap() as usize {
            answer(&mut served, "RSET\r\nMAIL FROM:<ann@x>\r\n");
            prop_assert_eq!(answer(&mut served, "RCPT TO:<a@x>\r\n"), "250 2.1.5 Recipient ok\r\n");
        }
    }
}

/// Invariant 17: whatever a client says between two messages, or within one that
/// does not come, it gains no time by it.
#[test]
fn a_session_without_messages_ends() {
    let total = Timeouts::default().between_messages;
    for (opening, again) in [
        ("", "NOOP\r\n"),
        ("", "LHLO client.example\r\n"),
        ("", "MAIL FROM:<>\r\nRSET\r\n"),
        ("", "nonsense\r\n"),
        ("MAIL FROM:<>\r\n", "RCPT TO:<a@x>\r\n"),
        ("MAIL FROM:<>\r\n", "NOOP\r\n"),
        ("MAIL FROM:<>\r\nRCPT TO:<a@x>\r\n", "BDAT 0\r\n"),
        // Answers for nobody are none.
        ("", "MAIL FROM:<>\r\nBDAT 0 LAST\r\n"),
    ] {
        let mut driven = Driven::greeted(|_| {});
        _ = driven.hear(opening.as_bytes()).unwrap();
        let mut commands = 0;
        let over = loop {
            let deadline = driven.server.poll_timeout().unwrap();
            driven.now = driven.now.saturating_add(Duration::from_secs(299)).min(deadline);
            driven.server.handle_timeout(driven.now);
            commands += 1;
            match driven.hear(again.as_bytes()) {
                Ok(_) => assert!(commands < 100, "{opening:?} {again:?}: it never ends"),
                Err(error) => break error,
            }
        };
        assert_eq!(over, Error::TimedOut, "{opening:?} {again:?}");
        assert!(driven.said().ends_with("421 4.4.2 Timed out, closing\r\n"), "{opening:?} {again:?}");
        assert_eq!(driven.now, Instant::after_origin(total), "{opening:?} {again:?}");
    }
}

/// The same for one that reads as slowly as it may.
#[test]
fn a_session_of_slow_reading_ends() {
    let mut driven = Driven::greeted(|_| {});
    for _ in 0..100 {
        driven.server.input().extend_from_slice(b"NOOP\r\n");
        let output = driven.server.poll_output(driven.now);
        if output.is_err() {
            break;
        }
        assert_eq!(output, Ok(Output::Transmit));
        let deadline = driven.server.poll_timeout().unwrap();
        driven.now = driven.now.saturating_add(Duration::from_secs(299)).min(deadline);
        driven.server.handle_timeout(driven.now);
        _ = driven.run();
    }
    assert_eq!(driven.server.error(), Some(&Error::TimedOut));
    assert_eq!(driven.now, Instant::after_origin(Timeouts::default().between_messages));
}

/// When no time is left there is some to say so: the time for one command.
#[test]
fn the_last_word_has_time_of_its_own() {
    let timeouts = Timeouts::default();
    let mut driven = Driven::greeted(|config| config.timeouts.between_messages = timeouts.command);
    driven.now = driven.server.poll_timeout().unwrap();
    driven.server.handle_timeout(driven.now);
    assert_eq!(driven.server.poll_output(driven.now), Ok(Output::Transmit));
    assert_eq!(driven.server.poll_timeout(), Some(driven.now.saturating_add(timeouts.command)));
}

/// Neither the application's time nor that of the content counts, and with each
/// message all of it is there again.
#[test]
fn a_session_with_messages_goes_on() {
    let mut driven = Driven::greeted(|_| {});
    let pass = |driven: &mut Driven, count| {
        driven.now = driven.now.saturating_add(Duration::from_secs(count));
        driven.server.handle_timeout(driven.now);
        _ = driven.run().expect("the session goes on");
    };
    for _ in 0..20 {
        for _ in 0..5 {
            pass(&mut driven, 299);
            _ = driven.hear(b"NOOP\r\n").unwrap();
        }
        driven.asks_me = true;
        _ = driven.hear(b"MAIL FROM:<>\r\n").unwrap();
        for command in ["RCPT TO:<a@x>\r\n", "RCPT TO:<b@x>\r\n", "DATA\r\n"] {
            pass(&mut driven, 89);
            let question = driven.open.take().unwrap();
            driven.server.accept(question).unwrap();
            _ = driven.hear(command.as_bytes()).unwrap();
        }
        let question = driven.open.take().unwrap();
        driven.server.accept(question).unwrap();
        _ = driven.run().unwrap();
        driven.asks_me = false;
        for _ in 0..30 {
            pass(&mut driven, 179);
            _ = driven.hear(filled("", 1000).repeat(20).as_bytes()).unwrap();
        }
        _ = driven.hear(b".\r\n").unwrap();
        pass(&mut driven, 500);
        driven.server.give_up();
        _ = driven.run().unwrap();
    }
    assert!(driven.now > seconds(24 * 3600));
}

/// A question that nobody answers has its 451 while the client still waits, also
/// for DATA, where it waits least (RFC 5321 section 4.5.3.2.4).
#[test]
fn a_stuck_handler_is_answered_in_time() {
    let (client, margin) = (Timeouts::default(), Duration::from_secs(30));
    for (opening, command, phase) in [
        ("", "", Phase::Greeting),
        ("", "LHLO client.example\r\n", Phase::Lhlo),
        ("LHLO client.example\r\n", "MAIL FROM:<>\r\n", Phase::Mail),
        ("LHLO client.example\r\nMAIL FROM:<>\r\n", "RCPT TO:<a@x>\r\n", Phase::Rcpt),
        ("LHLO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@x>\r\n", "DATA\r\n", Phase::Data),
        ("LHLO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@x>\r\n", "BDAT 0\r\n", Phase::Data),
    ] {
        let mut driven = Driven::new(|_| {});
        if phase != Phase::Greeting {
            _ = driven.run();
            _ = driven.hear(opening.as_bytes());
            driven.said();
        }
        driven.asks_me = true;
        _ = driven.hear(command.as_bytes());
        assert!(driven.open.as_ref().is_some_and(|question| !matches!(question.ask(), Ask::Auth(..))), "{command}");
        assert_eq!(driven.said(), "", "{command}");
        driven.now = driven.server.poll_timeout().unwrap();
        driven.server.handle_timeout(driven.now);
        _ = driven.run();
        assert_eq!(driven.said(), "451 4.3.0 Internal error, try again later\r\n", "{command}");
        assert!(driven.now.since_origin() + margin <= client.of(phase), "{command}: {:?}", driven.now);
    }
}
