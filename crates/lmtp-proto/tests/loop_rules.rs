//! The five rules of a driver, from the machine's side.

use std::time::Duration;

use lmtp_proto::bytes::{Buf, Bytes};
use lmtp_proto::client::{Client, Config, Event};
use lmtp_proto::{Content, Envelope, Error, Instant, Limit, Machine, Misuse, Outcome, Output, Phase, Timeouts};
use lmtp_testkit::memory::{Message, Session, Waiting};
use lmtp_testkit::transcript::{self, Cut};

fn envelope(to: usize) -> Envelope {
    let to = (0..to).map(|place| format!("user{place}@example.org").parse().unwrap());
    Envelope::new("ann@example.org".parse().unwrap(), to).unwrap()
}

fn session(octets: &str) -> Session {
    Session::new(Config::default(), envelope(1), Message::new(octets))
}

const LHLO_OK: &[u8] = b"250-mx\r\n250 PIPELINING\r\n";

/// The server greets and offers PIPELINING.
fn greet(session: &mut Session) {
    for said in [&b"220 mx\r\n"[..], LHLO_OK] {
        session.run();
        session.hear(said);
    }
}

/// A session that was told to send the content.
fn amid_content(octets: &str) -> Session {
    let mut session = session(octets);
    for said in [&b"220 mx\r\n"[..], LHLO_OK, b"250 ok\r\n250 ok\r\n354 go\r\n"] {
        session.run();
        session.hear(said);
    }
    session
}

/// Rule 1: what is not done is asked for again, and nothing else with it.
#[test]
fn rule_1_asking_twice_changes_nothing() {
    let mut session = amid_content("Subject: hi\r\n\r\nHello\r\n");
    loop {
        match session.settle() {
            Waiting::ToSend => {
                let queued = session.client.transmit().len();
                assert_eq!(session.settle(), Waiting::ToSend);
                assert_eq!(session.client.transmit().len(), queued);
                session.step(7);
            }
            Waiting::ToReceive => {
                for _ in 0..3 {
                    assert_eq!(session.client.poll_output(Instant::ORIGIN), Ok(Output::Receive));
                }
                break;
            }
            Waiting::Over | Waiting::ToEncrypt => panic!("{:?}", session.error),
        }
    }
}

/// Rule 2: everything is in the machine. Half a reply read, half a command
/// written, content half given: another driver goes on from there. (The evil
/// server's properties drop the client at every step and look at its report.)
#[test]
fn rule_2_a_new_driver_goes_on_where_the_old_one_was_dropped() {
    for transcript in transcript::all().into_iter().filter(|transcript| transcript.name == "three-outcomes") {
        let whole = transcript.play(Cut::Whole);
        // `Session` keeps nothing that the machine needs, so each of its calls is
        // a driver of its own: one octet read, one octet written.
        let mut session = Session::new(transcript.config.clone(), transcript.envelope.clone(), transcript.message);
        for turn in transcript.turns {
            if let transcript::Turn::Server(octets) = turn {
                while session.settle() == Waiting::ToSend {
                    session.step(1);
                }
                octets.chunks(1).for_each(|octet| session.hear(octet));
            }
            session.settle();
        }
        assert_eq!(session.results(), whole.results());
    }
}

/// Rule 3: whatever a driver is told to wait for, there is a deadline for it,
/// unless the session is idle.
#[test]
fn rule_3_every_wait_has_a_deadline() {
    lmtp_testkit::proves!("R5321-4.5.3.2-a");
    let mut session = session("Hello\r\n");
    let mut phases = Vec::new();
    let said = [&b"220 mx\r\n"[..], LHLO_OK, b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 done\r\n"];
    let mut said = said.iter();
    loop {
        let waiting = session.settle();
        if session.report.is_some() {
            break;
        }
        if !session.wants_content() {
            assert!(session.client.poll_timeout().is_some(), "{waiting:?} in {}", session.client.phase());
            phases.push(session.client.phase());
        }
        match waiting {
            Waiting::ToSend => session.step(usize::MAX),
            Waiting::ToReceive => session.hear(said.next().unwrap()),
            Waiting::Over | Waiting::ToEncrypt => panic!("{:?}", session.error),
        }
    }
    phases.dedup();
    assert_eq!(
        phases,
        [Phase::Greeting, Phase::Lhlo, Phase::Mail, Phase::Rcpt, Phase::Data, Phase::Body, Phase::Final]
    );
    session.run();
    assert_eq!(session.client.poll_timeout(), None, "idle");
}

/// Rule 3: octets that make no whole unit gain no time, on either way.
#[test]
fn rule_3_trickling_gains_no_time() {
    let mut session = session("");
    session.run();
    let deadline = session.client.poll_timeout().unwrap();
    for octet in b"220-a\r\n220-b\r\n220" {
        session.hear(&[*octet]);
        session.pass(Duration::from_secs(10));
        session.run();
        assert_eq!(session.client.poll_timeout(), Some(deadline));
    }

    let mut session = amid_content(&"x".repeat(60_000));
    while session.settle() == Waiting::ToSend && session.wants_content() {
        session.step(0);
    }
    let deadline = session.client.poll_timeout().unwrap();
    for _ in 0..100 {
        session.step(1);
        session.pass(Duration::from_secs(1));
        assert_eq!(session.settle(), Waiting::ToSend);
        assert_eq!(session.client.poll_timeout(), Some(deadline));
    }
}

/// Rule 3: each block of content has its time, and each final reply.
#[test]
fn rule_3_each_unit_has_its_time() {
    lmtp_testkit::proves!("R5321-4.5.3.2-a", "R5321-4.5.3.2.6-a", "R2033-5-i");
    let timeouts = Timeouts::default();
    assert!(timeouts.final_reply >= Duration::from_secs(600));
    let mut client = Client::new(Config::default());
    client.deliver(envelope(2), Content::UNKNOWN).unwrap();
    let mut now = Instant::ORIGIN;
    let mut given = 0;
    let mut said = [&b"220 mx\r\n"[..], LHLO_OK, b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"].into_iter();
    loop {
        match client.poll_output(now).unwrap() {
            Output::Event(Event::BodyWanted(_)) => {
                // The application takes its time; that is not the peer's fault.
                now = now.saturating_add(Duration::from_secs(100_000));
                given += 1;
                if given > 10 { client.end() } else { client.body(Bytes::from(vec![b'x'; 65_536])) }.unwrap();
            }
            Output::Event(_) => {}
            Output::Transmit => {
                assert!(client.poll_timeout().unwrap() > now, "no time left in {}", client.phase());
                // Each block takes nearly as long as it may.
                if client.phase() == Phase::Body {
                    now = now.saturating_add(timeouts.body.saturating_sub(Duration::from_secs(1)));
                }
                let count = client.transmit().chunk().len();
                client.transmit().advance(count);
            }
            Output::Receive if client.poll_timeout() == Some(now) => client.handle_timeout(now),
            Output::Receive => match said.next() {
                Some(octets) => client.input().extend_from_slice(octets),
                None => break,
            },
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(client.phase(), Phase::Final);
    assert_eq!(client.poll_timeout(), Some(now.saturating_add(timeouts.final_reply)));
    now = now.saturating_add(timeouts.final_reply.saturating_sub(Duration::from_secs(1)));
    client.input().extend_from_slice(b"250 one\r\n");
    assert!(matches!(client.poll_output(now), Ok(Output::Event(Event::Final(..)))));
    assert_eq!(client.poll_output(now), Ok(Output::Receive));
    assert_eq!(client.poll_timeout(), Some(now.saturating_add(timeouts.final_reply)));
    // Too early, then not.
    client.handle_timeout(now);
    assert_eq!(client.poll_output(now), Ok(Output::Receive));
    client.handle_timeout(now.saturating_add(timeouts.final_reply));
    assert_eq!(client.poll_output(now), Err(Error::TimedOut { phase: Phase::Final }));
}

/// Rule 4: what was read after a failed write is understood before the end of
/// the stream: the 421 explains it.
#[test]
fn rule_4_the_last_words_are_heard() {
    lmtp_testkit::proves!("R5321-4.3.2-c");
    let mut session = amid_content("Hello\r\n");
    session.settle();
    session.hear(b"421 4.3.2 shutting down\r\n");
    session.eof();
    session.run();
    let Some(Error::Closing { phase: Phase::Body, reply }) = session.error else { panic!("{:?}", session.error) };
    assert_eq!(reply.to_string(), "421 4.3.2 shutting down");
    // And nothing is written any more.
    assert!(session.client.transmit().is_empty());
}

/// Rule 5: an error is final and repeats, whatever is done.
#[test]
fn rule_5_an_error_is_final() {
    let mut session = session("");
    session.run();
    session.hear(b"rubbish\r\n");
    assert_eq!(session.settle(), Waiting::Over);
    let error = session.error.clone().unwrap();
    session.hear(b"220 mx\r\n");
    session.eof();
    session.client.handle_timeout(Instant::after_origin(Duration::from_secs(1_000_000)));
    session.client.handle_tls();
    for _ in 0..3 {
        assert_eq!(session.client.poll_output(Instant::ORIGIN), Err(error.clone()));
    }
    // Another message gets a report, not an error: every recipient unsent.
    session.client.deliver(envelope(3), Content::UNKNOWN).unwrap();
    let report = session.client.take_report().unwrap();
    assert_eq!(report.recipients().len(), 3);
    assert_eq!(report.error().unwrap().protocol_error(), Some(&error));
    assert!(!session.client.is_ready());
}

/// A call at the wrong moment changes nothing.
#[test]
fn misuse_changes_nothing() {
    let mut config = Config::default();
    config.depth = 1;
    let mut session = Session::new(config, envelope(1), Message::new("Hello\r\n"));
    assert_eq!(session.client.body(Bytes::new()), Err(Misuse::NoBodyWanted));
    assert_eq!(session.client.end(), Err(Misuse::NoBodyWanted));
    assert_eq!(session.client.fail_body(), Err(Misuse::NoBodyWanted));
    assert_eq!(session.client.deliver(envelope(1), Content::UNKNOWN), Err(Misuse::Busy));
    assert_eq!(session.client.quit(), Err(Misuse::Busy));
    for said in [&b"220 mx\r\n"[..], LHLO_OK, b"250 ok\r\n250 ok\r\n354 go\r\n", b"250 ok\r\n"] {
        session.run();
        session.hear(said);
    }
    session.run();
    assert_eq!(session.results(), ["user0@example.org delivered final 250"]);
    assert!(session.client.is_ready());
    session.client.deliver(envelope(1), Content::UNKNOWN).unwrap();
    assert!(!session.client.is_ready(), "a message waits already");
    assert_eq!(session.client.quit(), Err(Misuse::Busy));
}

/// As many as were allowed, and no more; reports are taken in order.
#[test]
fn messages_are_taken_up_to_the_depth() {
    let mut session = Session::idle(Config::default(), Message::new("Hi\r\n"));
    assert!(session.client.has_room());
    session.deliver(envelope(1));
    assert!(session.client.has_room() && !session.client.is_ready());
    session.deliver(envelope(1));
    assert!(!session.client.has_room());
    assert_eq!(session.client.deliver(envelope(1), Content::UNKNOWN), Err(Misuse::Busy));
    assert_eq!(session.client.reports().count(), 2);
    for said in [&b"220 mx\r\n"[..], LHLO_OK, b"250 ok\r\n250 ok\r\n354 go\r\n"] {
        session.run();
        session.hear(said);
    }
    assert_eq!(session.client.quit(), Err(Misuse::Busy));
    session.run();
    // The second stands at MAIL, whatever the first one waits for.
    let phases: Vec<_> = session.client.reports().map(|report| report.recipients().next().unwrap().phase()).collect();
    assert_eq!(phases, [Phase::Final, Phase::Mail]);
    session.hear(b"250 ok\r\n");
    session.run();
    assert!(session.client.has_room() && !session.client.is_ready());
    session.hear(b"250 ok\r\n250 ok\r\n354 go\r\n");
    session.run();
    session.hear(b"250 ok\r\n");
    session.run();
    assert_eq!(session.reports.len(), 2);
    assert!(session.reports.iter().all(lmtp_proto::Report::all_delivered));
    assert!(session.client.is_ready());
}

/// The window counts commands and octets of both transactions, and no content.
#[test]
fn the_window_holds_across_messages() {
    let mut config = Config::default();
    (config.limits.pipelined_commands, config.limits.pipelined_octets) = (4, 100);
    let mut session = Session::new(config, envelope(2), Message::new("x".repeat(1000)));
    greet(&mut session);
    session.deliver(envelope(2));
    session.run();
    session.hear(b"250 ok\r\n250 ok\r\n250 ok\r\n");
    session.run();
    session.hear(b"354 go\r\n");
    session.run();
    // Two final replies are due, so two commands may leave.
    let sent = String::from_utf8(session.sent.clone()).unwrap();
    let (_, behind) = sent.split_once("\r\n.\r\n").unwrap();
    assert_eq!(behind, "MAIL FROM:<ann@example.org>\r\nRCPT TO:<user0@example.org>\r\n");
    session.hear(b"250 ok\r\n");
    session.run();
    assert!(session.sent.ends_with(b"RCPT TO:<user1@example.org>\r\n"));
}

/// Another message's content is no fault of those behind it.
#[test]
fn a_failed_body_is_its_own_message_s_fault() {
    let message = Message { fails_at: Some(2), ..Message::new("Hi\r\n") };
    let mut session = Session::new(Config::default(), envelope(1), message);
    session.deliver(envelope(1));
    for said in [&b"220 mx\r\n"[..], LHLO_OK, b"250 ok\r\n250 ok\r\n354 go\r\n"] {
        session.run();
        session.hear(said);
    }
    session.run();
    let kinds: Vec<_> = session.reports.iter().map(|report| report.error().unwrap().kind().name()).collect();
    assert_eq!(kinds, ["body", "closed"]);
}

#[test]
fn nothing_follows_quit() {
    let mut session = Session::idle(Config::default(), Message::new(""));
    greet(&mut session);
    session.run();
    session.client.quit().unwrap();
    assert_eq!(session.client.quit(), Err(Misuse::Over));
    assert_eq!(session.client.deliver(envelope(1), Content::UNKNOWN), Err(Misuse::Over));
    assert!(!session.client.has_room() && !session.client.is_ready());
}

/// The end of the body and the dot leave in one piece, however the body came.
#[test]
fn the_end_leaves_with_the_last_of_the_body() {
    for chunk in [1, 100, 65_536, usize::MAX] {
        let message = Message { chunk, ..Message::new("x".repeat(200_000) + "\r\n") };
        let mut session = Session::new(Config::default(), envelope(1), message);
        for said in [&b"220 mx\r\n"[..], LHLO_OK, b"250 ok\r\n250 ok\r\n354 go\r\n"] {
            session.run();
            session.hear(said);
        }
        let mut last = Vec::new();
        while session.settle() == Waiting::ToSend {
            if session.wants_content() {
                session.step(0);
            } else {
                // One vectored write of all that is queued.
                let queue = session.client.transmit();
                last = queue.copy_to_bytes(queue.remaining()).to_vec();
            }
        }
        assert!(last.ends_with(b"x\r\n.\r\n"), "chunk {chunk}: last write {:?}", last.escape_ascii().to_string());
    }
}

/// The window keeps a million recipients from filling both directions.
#[test]
fn a_group_is_never_longer_than_the_window() {
    lmtp_testkit::proves!("R2920-3.1-h");
    let mut session = Session::new(Config::default(), envelope(10_000), Message::new(""));
    greet(&mut session);
    session.run();
    let lines = |session: &Session| String::from_utf8_lossy(&session.sent).lines().count();
    let mut answered = 1; // LHLO
    while !session.sent.ends_with(b"DATA\r\n") {
        assert!(lines(&session) - answered <= 256);
        assert!(lines(&session) > answered);
        session.hear(b"250 ok\r\n");
        answered += 1;
        session.run();
    }
    assert_eq!(lines(&session), 10_003);
}

/// The boundary of *unsent* and *uncertain* is the first octet of the end of the
/// data; a reply counts from the last octet of its command.
#[test]
fn the_first_octet_of_the_end_makes_it_uncertain() {
    let mut session = amid_content("Hi\r\n");
    while session.settle() == Waiting::ToSend && session.wants_content() {
        session.step(0);
    }
    session.settle();
    let outcome = |session: &Session| {
        let report = session.client.report().unwrap();
        let recipient = report.recipients().next().unwrap();
        (recipient.outcome(), recipient.phase())
    };
    session.step(b"Hi\r\n".len());
    assert!(session.sent.ends_with(b"DATA\r\nHi\r\n"));
    assert_eq!(outcome(&session), (Outcome::Unsent, Phase::Body));
    session.step(1);
    assert_eq!(outcome(&session), (Outcome::Uncertain, Phase::Final));
    session.step(1);
    // All but the last octet of ".CRLF" is written: it is too early for a reply.
    session.hear(b"250 ok\r\n");
    assert_eq!(session.settle(), Waiting::Over);
    assert!(matches!(session.error, Some(Error::Unsolicited { phase: Phase::Body, .. })), "{:?}", session.error);
    assert_eq!(session.results(), ["user0@example.org uncertain final", "error protocol body"]);
}

#[test]
fn what_was_not_written_when_it_failed_is_never_written() {
    let mut session = amid_content(&"x".repeat(1000));
    while session.settle() == Waiting::ToSend && session.wants_content() {
        session.step(0);
    }
    assert_eq!(session.settle(), Waiting::ToSend);
    assert!(!session.client.transmit().is_empty());
    session.hear(b"552 5.3.4 too big\r\n");
    assert_eq!(session.settle(), Waiting::Over);
    assert!(session.client.transmit().is_empty());
}

/// Where the session stands is what a report of this moment says.
#[test]
fn a_report_can_be_asked_for_at_any_moment() {
    let mut session = session("Hi\r\n");
    let phase = |session: &Session| session.client.report().unwrap().recipients().next().unwrap().phase();
    session.run();
    assert_eq!(phase(&session), Phase::Greeting);
    session.hear(b"220 mx\r\n");
    session.run();
    assert_eq!(phase(&session), Phase::Lhlo);
    session.hear(b"250 mx\r\n");
    session.run();
    assert_eq!(phase(&session), Phase::Mail);
    session.hear(b"250 ok\r\n");
    session.run();
    assert_eq!(phase(&session), Phase::Rcpt);
}

/// The 421 is in the error, whatever came of it.
#[test]
fn a_421_explains_the_end() {
    lmtp_testkit::proves!("R5321-4.3.2-c");
    for end in ["close", "time out"] {
        let mut session = Session::new(Config::default(), envelope(2), Message::new("Hi\r\n"));
        for said in [&b"220 mx\r\n"[..], LHLO_OK, b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", b"421 4.3.2 bye\r\n"] {
            session.run();
            session.hear(said);
        }
        session.run();
        if end == "close" {
            session.eof();
        } else {
            assert!(session.time_out());
        }
        session.run();
        let Some(Error::Closing { phase: Phase::Final, reply }) = &session.error else { panic!("{:?}", session.error) };
        assert_eq!(reply.to_string(), "421 4.3.2 bye");
    }
}

/// The window counts octets as well as commands.
#[test]
fn the_window_counts_octets() {
    lmtp_testkit::proves!("R2920-3.1-h");
    let mut config = Config::default();
    config.limits.pipelined_octets = 100;
    let mut session = Session::new(config, envelope(50), Message::new(""));
    greet(&mut session);
    session.run();
    let group = session.sent.len() - b"LHLO localhost\r\n".len();
    // The command that goes past the window is the last to leave.
    assert!((100..150).contains(&group), "{group} octets");
}

/// A look at the line before each transaction and before the end of the data:
/// what came there is found before it can be taken for an answer.
#[test]
fn a_glance_is_taken_where_the_server_has_nothing_to_say() {
    let mut client = Client::new(Config::default());
    let mut now = Instant::ORIGIN;
    let mut glances = Vec::new();
    let mut said =
        [&b"220 mx\r\n"[..], b"250 mx\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 ok\r\n"].into_iter();
    client.deliver(envelope(1), Content::UNKNOWN).unwrap();
    loop {
        now = now.saturating_add(Duration::from_secs(1));
        match client.poll_output(now).unwrap() {
            Output::Event(Event::BodyWanted(_)) => client.end().unwrap(),
            Output::Event(Event::Done(_)) => break,
            Output::Event(_) => {}
            Output::Transmit => {
                let count = client.transmit().remaining();
                client.transmit().advance(count);
            }
            Output::Receive if client.poll_timeout() == Some(now) => {
                glances.push(client.phase());
                client.handle_timeout(now);
            }
            Output::Receive => client.input().extend_from_slice(said.next().unwrap()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(glances, [Phase::Mail, Phase::Body]);
}

/// A peer that takes no more is listened to, but not for ever.
#[test]
fn last_words_have_their_time() {
    let mut session = amid_content("Hi\r\n");
    session.settle();
    session.client.handle_write_closed();
    // Content is neither asked for nor written any more.
    assert!(session.wants_content());
    let client = &mut session.client;
    assert_eq!(client.poll_output(Instant::ORIGIN), Ok(Output::Receive));
    let deadline = client.poll_timeout().unwrap();
    assert!(deadline.since_origin() <= Duration::from_secs(5));
    client.handle_timeout(deadline);
    assert_eq!(client.poll_output(deadline), Err(Error::Closed { phase: Phase::Body }));
}

/// A write that fails before the end has left: *unsent*, at the content.
#[test]
fn a_write_that_fails_within_the_end_is_told_as_what_it_is() {
    for (octets, outcome) in [(4, Outcome::Unsent), (5, Outcome::Uncertain), (6, Outcome::Uncertain)] {
        let mut session = amid_content("Hi\r\n");
        while session.settle() == Waiting::ToSend && session.wants_content() {
            session.step(0);
        }
        session.settle();
        session.step(octets);
        session.client.handle_write_closed();
        session.eof();
        session.run();
        assert_eq!(session.error, Some(Error::Closed { phase: Phase::Body }));
        assert_eq!(session.report.unwrap().recipients().next().unwrap().outcome(), outcome);
    }
}

/// A report that is not taken is not thrown away.
#[test]
fn a_report_is_taken_before_the_next_message() {
    let mut client = Client::new(Config::default());
    client.handle_eof();
    assert!(client.poll_output(Instant::ORIGIN).is_err());
    client.deliver(envelope(1), Content::UNKNOWN).unwrap();
    assert_eq!(client.deliver(envelope(1), Content::UNKNOWN), Err(Misuse::ReportNotTaken));
    assert!(client.take_report().is_some());
    client.deliver(envelope(1), Content::UNKNOWN).unwrap();
}

/// A server cannot fill the memory with its answers.
#[test]
fn answers_are_bounded() {
    lmtp_testkit::proves!("R5321-4.5.3.1.5-b");
    let mut config = Config::default();
    config.limits.answers = 10;
    config.limits.reply_size = 200;
    let mut session = Session::new(config, envelope(50), Message::new(""));
    greet(&mut session);
    let mut heard = 0;
    while session.run() == Waiting::ToReceive {
        session.hear(format!("250 {}\r\n", "x".repeat(100)).as_bytes());
        heard += 100;
    }
    assert_eq!(session.error, Some(Error::Limit { phase: Phase::Rcpt, limit: Limit::Answers }));
    assert_eq!(heard, 800, "the budget is 200 and 10 for each of 50 recipients");
}

/// A pool keeps many of them: what an idle client weighs beside its buffers.
#[test]
fn an_idle_client_is_small() {
    assert!(size_of::<Client>() < 1536, "{} octets", size_of::<Client>());
}
