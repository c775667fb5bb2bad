//! What is kept whatever happens: secrets, deadlines, and the end.

use std::time::Duration;

use lmtp_proto::bytes::Buf;
use lmtp_proto::server::{Error, Event};
use lmtp_proto::{Machine, Output, RecipientId, Reply, Timeouts, TransactionId};

use crate::driven::{Driven, seconds, with_auth};

/// Secrets are in no transcript, and in no `Debug`, whatever line they are on
/// and however far it has been read (invariant 40).
#[test]
fn no_secret_is_shown() {
    let secret = "c2VjcmV0"; // "secret"
    let lines = [
        format!("AUTH PLAIN {secret}\r\n"),
        format!("AUTH PLAIN {secret}!\r\n"),
        format!(" AUTH PLAIN {secret}\r\n"),
        format!("\tauth\tPLAIN\t{secret}\r\n"),
        // A client that does not see that its exchange is over.
        format!("AUTH FOO\r\n{secret}\r\n"),
        format!("AUTH FOO\r\nYW5u\r\n {secret} x\r\n"),
        format!("AUHT PLAIN {secret}\r\n"),
        format!("AUTH PLAIN {secret}"),
    ];
    for line in lines {
        for octet_by_octet in [false, true] {
            let mut driven = Driven::greeted(with_auth);
            let size = if octet_by_octet { 1 } else { line.len() };
            for piece in line.as_bytes().chunks(size) {
                driven.server.input().extend_from_slice(piece);
                let shown = format!("{:?} {:#?}", driven.server, driven.server);
                assert!(!shown.contains(secret), "{line:?}: {shown}");
                _ = driven.run().unwrap();
                let shown = format!("{:?} {:#?} {:?}", driven.server, driven.server, driven.open);
                assert!(!shown.contains(secret), "{line:?}: {shown}");
            }
            assert!(!driven.lines.concat().contains(secret), "{line:?}: {:?}", driven.lines);
            assert!(!driven.sent.contains(secret), "{line:?}: {:?}", driven.sent);
        }
    }
}

/// A letter is nobody's business either.
#[test]
fn no_content_is_shown() {
    let mut driven = Driven::greeted(|_| {});
    _ = driven.hear(b"MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nDATA\r\n").unwrap();
    driven.server.input().extend_from_slice(b"Dear Bob\r\n");
    assert!(!format!("{:?}", driven.server).contains("Dear"));
    let Ok(Output::Event(event)) = driven.server.poll_output(driven.now) else { panic!() };
    assert!(matches!(&event, Event::Content(_, octets) if octets == "Dear Bob\r\n"));
    assert_eq!(format!("{event:?}"), "Content(TransactionId(0), 10 octets)");
}

/// What is over stays over, as it was, whatever the driver does.
#[test]
fn the_end_is_final() {
    let mut driven = Driven::greeted(|_| {});
    assert_eq!(driven.hear(b"QUIT\r\n"), Ok(Output::Closed));
    assert_eq!(driven.server.poll_timeout(), None);
    driven.said();
    driven.now = seconds(100_000);
    driven.server.handle_timeout(driven.now);
    driven.server.give_up();
    driven.server.shut_down();
    driven.server.handle_eof();
    driven.server.handle_tls();
    assert_eq!(driven.hear(b"NOOP\r\n"), Ok(Output::Closed));
    driven.server.handle_write_closed();
    assert_eq!(driven.run(), Ok(Output::Closed));
    assert_eq!(driven.said(), "");

    let mut driven = Driven::greeted(|_| {});
    driven.now = driven.server.poll_timeout().unwrap();
    // Told twice of the same deadline, it says 421 once.
    driven.server.handle_timeout(driven.now);
    driven.server.handle_timeout(driven.now);
    assert_eq!(driven.run(), Err(Error::TimedOut));
    assert_eq!(driven.said(), "421 4.4.2 Timed out, closing\r\n");
    driven.now = seconds(100_000);
    driven.server.handle_timeout(driven.now);
    assert_eq!(driven.run(), Err(Error::TimedOut));
    assert_eq!(driven.said(), "");
    assert_eq!(driven.server.poll_timeout(), None);
}

/// The time of one question is not taken from the message: told twice that it is
/// over, the machine gives up once.
#[test]
fn one_deadline_passes_once() {
    let mut driven = Driven::greeted(|_| {});
    _ = driven.hear(b"MAIL FROM:<>\r\nRCPT TO:<a@x>\r\n").unwrap();
    driven.asks_me = true;
    _ = driven.hear(b"RCPT TO:<b@x>\r\n").unwrap();
    driven.said();
    driven.now = driven.server.poll_timeout().unwrap();
    driven.server.handle_timeout(driven.now);
    driven.server.handle_timeout(driven.now);
    driven.asks_me = false;
    _ = driven.hear(b"DATA\r\n").unwrap();
    assert_eq!(driven.said(), "451 4.3.0 Internal error, try again later\r\n354 End data with <CR><LF>.<CR><LF>\r\n");
    assert_eq!(driven.over, 0, "the message was refused");
    let late = driven.open.take().unwrap();
    assert!(driven.server.accept(late).is_err(), "a late answer is stale");
}

/// Nor is it taken from a question that was answered, or a verdict that was given,
/// before the machine was asked again.
#[test]
fn an_answer_outruns_its_deadline() {
    let mut driven = Driven::greeted(|_| {});
    _ = driven.hear(b"MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\n").unwrap();
    driven.said();
    driven.asks_me = true;
    _ = driven.hear(b"DATA\r\n").unwrap();
    let question = driven.open.take().unwrap();
    driven.server.accept(question).unwrap();
    driven.now = driven.server.poll_timeout().unwrap();
    driven.server.handle_timeout(driven.now);
    _ = driven.hear(b".\r\n").unwrap();
    let verdict = |id| (TransactionId(0), RecipientId(id), Reply::new(250, None, "2.0.0 so").unwrap());
    let (transaction, recipient, reply) = verdict(0);
    driven.server.verdict(transaction, recipient, reply).unwrap();
    driven.now = driven.server.poll_timeout().unwrap();
    driven.server.handle_timeout(driven.now);
    let (transaction, recipient, reply) = verdict(1);
    driven.server.verdict(transaction, recipient, reply).unwrap();
    _ = driven.run().unwrap();
    assert_eq!(driven.said(), "354 End data with <CR><LF>.<CR><LF>\r\n250 2.0.0 so\r\n250 2.0.0 so\r\n");
}

/// What comes in small pieces is kept in few buffers: a kept slice of one octet
/// must not hold on to 64 KiB of its own.
#[test]
fn trickled_content_shares_buffers() {
    let mut driven = Driven::greeted(|_| {});
    _ = driven.hear(b"MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nDATA\r\n").unwrap();
    for _ in 0..4000 {
        _ = driven.hear(b"x").unwrap();
    }
    let buffers = driven.content.windows(2).filter(|pair| pair[0].as_ptr_range().end != pair[1].as_ptr()).count() + 1;
    assert_eq!(driven.content.len(), 4000);
    assert!(buffers <= 4, "{buffers} buffers");
}

/// A policy has 1 to 20 characters; what could end the line is not said, whoever
/// configured it.
#[test]
fn no_option_can_add_a_line() {
    lmtp_testkit::proves!("R6710-3-a");
    for policy in ["MIXER\r\n250 EVIL", "MIX ER", "", "a-policy-of-21-letters"] {
        let mut driven = Driven::new(|config| config.offer.priority = Some(policy.into()));
        _ = driven.run().unwrap();
        _ = driven.hear(b"LHLO client.example\r\n").unwrap();
        assert!(driven.sent.ends_with("\r\n250 MT-PRIORITY\r\n"), "{}", driven.sent);
    }
    let mut driven = Driven::new(|config| config.offer.priority = Some("a-policy_of.20.chars".into()));
    _ = driven.run().unwrap();
    _ = driven.hear(b"LHLO client.example\r\n").unwrap();
    assert!(driven.sent.ends_with("\r\n250 MT-PRIORITY a-policy_of.20.chars\r\n"), "{}", driven.sent);
}

/// A greeting is 220, in ASCII, in lines that are not too long.
#[test]
fn a_greeting_is_a_greeting() {
    lmtp_testkit::proves!("R5321-4.2-h", "R5321-4.2-i", "R5321-4.5.3.1.5-a");
    let mut driven = Driven::new(|_| {});
    driven.asks_me = true;
    _ = driven.run().unwrap();
    let text = format!("mx.example gr\u{fc}\u{df}t \u{1b}[1m{}", "x".repeat(600));
    let question = driven.open.take().unwrap();
    driven.server.answer(question, Reply::new(250, None, &text).unwrap()).unwrap();
    _ = driven.run().unwrap();
    assert!(driven.sent.starts_with("220-mx.example gr??t ?[1mxxx"), "{}", driven.sent);
    assert!(driven.sent.split_inclusive('\n').all(|line| line.starts_with("220") && line.len() <= 512));
}

/// Whatever stands in clear behind STARTTLS is not obeyed within TLS, whether it
/// came with it or behind the 220.
#[test]
fn nothing_said_in_clear_is_obeyed_in_tls() {
    lmtp_testkit::proves!("R3207-6-b");
    let mut driven = Driven::greeted(|config| config.offer.starttls = true);
    assert_eq!(driven.hear(b"STARTTLS\r\nNOOP\r\n"), Err(Error::ClearOctets));
    assert_eq!(driven.said(), "421 4.7.0 Nothing may follow STARTTLS before TLS, closing\r\n");

    let mut driven = Driven::greeted(|config| config.offer.starttls = true);
    assert_eq!(driven.hear(b"STARTTLS\r\n"), Ok(Output::StartTls));
    assert_eq!(driven.said(), "220 2.0.0 Ready for TLS\r\n");
    driven.server.input().extend_from_slice(b"NOOP\r\n");
    driven.server.handle_tls();
    assert_eq!(driven.run(), Err(Error::ClearOctets));
    assert_eq!(driven.said(), "");
}

/// TLS does not begin when the 220 could not be said, and nothing is said in
/// clear while it does.
#[test]
fn nothing_is_said_in_clear_behind_starttls() {
    let starttls = || {
        let mut driven = Driven::greeted(|config| config.offer.starttls = true);
        driven.server.input().extend_from_slice(b"STARTTLS\r\n");
        driven
    };
    let mut driven = starttls();
    assert_eq!(driven.server.poll_output(driven.now), Ok(Output::Transmit));
    driven.server.handle_write_closed();
    assert_eq!(driven.run(), Err(Error::Closed));

    let mut driven = starttls();
    assert_eq!(driven.run(), Ok(Output::StartTls));
    driven.said();
    driven.now = driven.server.poll_timeout().unwrap();
    driven.server.handle_timeout(driven.now);
    assert_eq!(driven.run(), Err(Error::TimedOut));
    assert_eq!(driven.said(), "");
}

/// Invariant 17: octets that make nothing whole gain no time.
#[test]
fn trickling_gains_no_time() {
    let openings: [&[u8]; 5] = [
        b"",
        b"MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nDATA\r\n",
        b"MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nBDAT 999999\r\n",
        b"BDAT 9999\r\n",
        b"\n",
    ];
    for opening in openings {
        let mut driven = Driven::greeted(|_| {});
        _ = driven.hear(opening).unwrap();
        for _ in 0..20 {
            driven.now = driven.now.saturating_add(Duration::from_secs(60)).min(driven.server.poll_timeout().unwrap());
            if driven.server.poll_timeout() == Some(driven.now) {
                driven.server.handle_timeout(driven.now);
            }
            if driven.hear(b"x").is_err() {
                break;
            }
        }
        assert_eq!(driven.server.error(), Some(&Error::TimedOut), "{opening:?}");
        assert!(driven.now <= seconds(300), "{:?} for {opening:?}", driven.now);
    }
}

/// Invariants 17 and 18: a client that reads an octet a minute gains no time by
/// it, and a slow application none for the client.
#[test]
fn a_client_has_to_read() {
    for asks_me in [false, true] {
        let mut driven = Driven::greeted(|_| {});
        driven.asks_me = asks_me;
        driven.server.input().extend_from_slice(b"HELP\r\nMAIL FROM:<>\r\nHELP\r\n");
        let mut over = None;
        while over.is_none() {
            match driven.server.poll_output(driven.now) {
                Ok(Output::Event(Event::Question(question))) if asks_me => driven.open = Some(question),
                Ok(Output::Event(Event::Question(question))) => driven.server.accept(question).unwrap(),
                Ok(Output::Event(_)) => {}
                Ok(Output::Transmit) => {
                    driven.server.transmit().advance(1);
                    let deadline = driven.server.poll_timeout().unwrap();
                    driven.now = driven.now.saturating_add(Duration::from_secs(60)).min(deadline);
                    driven.server.handle_timeout(driven.now);
                }
                other => over = Some(other),
            }
        }
        assert_eq!(over, Some(Err(Error::TimedOut)));
        let most = if asks_me { Timeouts::default().handler.as_secs() + 300 } else { 300 };
        assert_eq!(driven.now, seconds(most));
    }
}

/// What ends a group is answered at once, with nothing behind it.
#[test]
fn nothing_lingers() {
    lmtp_testkit::proves!("R2920-3.2-e");
    let mut driven = Driven::greeted(|_| {});
    for (group, replies) in [
        ("NOOP\r\n", &["250 2.0.0 Ok"][..]),
        ("VRFY bob\r\n", &["252 2.5.2 "]),
        ("EXPN all\r\n", &["502 5.5.1 "]),
        ("RSET\r\nMAIL FROM:<>\r\nRSET\r\nNOOP\r\n", &["250 ", "250 ", "250 ", "250 "]),
        ("LHLO client.example\r\n", &["250-localhost", "250-", "250-", "250-", "250-", "250-", "250-", "250 "]),
        ("MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nDATA\r\n", &["250 ", "250 ", "354 "]),
        (".\r\n", &[]),
        ("QUIT\r\n", &["221 "]),
    ] {
        // The application gives no verdict; but what it was not asked for is there.
        _ = driven.hear(group.as_bytes());
        let said = driven.said();
        assert_eq!(said.lines().count(), replies.len(), "{group:?}: {said}");
        assert!(said.lines().zip(replies).all(|(line, reply)| line.starts_with(reply)), "{group:?}: {said}");
        if group == ".\r\n" {
            driven.server.give_up();
            _ = driven.run();
            driven.said();
        }
    }
}

/// A verdict that is known leaves at once, before the next recipient takes its time.
#[test]
fn a_verdict_waits_for_nobody_behind_it() {
    lmtp_testkit::proves!("R2033-5-h");
    let mut driven = Driven::greeted(|_| {});
    _ = driven.hear(b"MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n.\r\n").unwrap();
    driven.said();
    for place in 0..2 {
        let text = format!("2.0.0 for {place}");
        driven.server.verdict(TransactionId(0), RecipientId(place), Reply::new(250, None, &text).unwrap()).unwrap();
        _ = driven.run().unwrap();
        assert_eq!(driven.said(), format!("250 {text}\r\n"));
    }
}

/// Each line of a reply has the code of the first, those that were too long and
/// were broken among them.
#[test]
fn every_line_has_the_same_enhanced_code() {
    lmtp_testkit::proves!("R2034-4-c");
    let mut driven = Driven::greeted(|_| {});
    driven.asks_me = true;
    _ = driven.hear(b"MAIL FROM:<>\r\n").unwrap();
    let text = format!("5.7.1 one\ntwo\n\n{}", "long ".repeat(300));
    let reply = Reply::new(550, None, &text).unwrap();
    let question = driven.open.take().unwrap();
    driven.server.answer(question, reply).unwrap();
    _ = driven.run().unwrap();
    let said = driven.said();
    assert!(said.lines().count() >= 6, "{said}");
    for line in said.lines() {
        assert!(line.starts_with("550"), "{line}");
        assert_eq!(line[4..].split(' ').next(), Some("5.7.1"), "{line}");
    }
}

/// 354 is a yes to the content, however it comes; another 3yz is none.
#[test]
fn a_yes_to_content_is_the_same_for_data_and_bdat() {
    for (code, data, bdat) in [
        (354, "354 End data with <CR><LF>.<CR><LF>\r\n", "250 2.0.0 Chunk received\r\n"),
        (250, "354 End data with <CR><LF>.<CR><LF>\r\n", "250 2.0.0 Chunk received\r\n"),
        (334, "451 4.3.0 Internal error, try again later\r\n", "451 4.3.0 Internal error, try again later\r\n"),
        (452, "452 4.3.1 so\r\n", "452 4.3.1 so\r\n"),
    ] {
        for (command, expected) in [(&b"DATA\r\n"[..], data), (b"BDAT 2\r\nhi", bdat)] {
            let mut driven = Driven::greeted(|_| {});
            _ = driven.hear(b"MAIL FROM:<>\r\nRCPT TO:<a@x>\r\n").unwrap();
            driven.said();
            driven.asks_me = true;
            _ = driven.hear(command).unwrap();
            let text = if code == 452 { "4.3.1 so" } else { "so" };
            let question = driven.open.take().unwrap();
            driven.server.answer(question, Reply::new(code, None, text).unwrap()).unwrap();
            _ = driven.run().unwrap();
            assert_eq!(driven.said(), expected, "{code} to {}", command.escape_ascii());
        }
    }
}
