//! Futures that are dropped at every poll, over streams that split, stall, write short,
//! reset and close half: through the loop of the front end itself.
//!
//! What is dropped where, over a stream that does what it should, is tested in
//! `lmtp-futures`.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use lmtp_proto::{Envelope, Outcome, Report};

use super::front::Client;
use crate::stream::{End, Faults, Faulty, Line};

/// Polls to the end, or so often and no more.
fn polled<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = pin!(future);
    (0..polls).find_map(|_| match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    })
}

const ENOUGH: usize = 20_000;

/// Two are taken, two refused: at RCPT and behind the content.
fn envelope() -> Envelope {
    let to = ["ann@x", "nobody@x", "full@x", "zoe@x"].map(|to| to.parse().unwrap());
    Envelope::new("sender@x".parse().unwrap(), to).unwrap()
}

/// One outcome a recipient, none of which the server contradicts, and every status in it
/// that was read.
fn agrees(report: &Report, line: &Line, place: &str) {
    assert_eq!(report.recipients().len(), 4, "{place}");
    let stored = line.served.stored.iter().any(|message| message.content == b"First\r\n");
    for recipient in report.recipients() {
        let is_taken = ["ann@x", "zoe@x"].contains(&recipient.path().to_string().as_str());
        match recipient.outcome() {
            Outcome::Delivered => assert!(stored && is_taken, "{place}: {recipient}"),
            Outcome::Unsent => assert!(!stored || !is_taken, "{place}: {recipient}"),
            Outcome::Permanent => assert!(!is_taken, "{place}: {recipient}"),
            Outcome::Uncertain => {}
            Outcome::Temporary => panic!("{place}: {recipient}"),
        }
    }
    // Of the final replies, in the order of those who were accepted.
    let (_, replies) = line.heard().split_once("\r\n354").unwrap_or_default();
    let finals = replies.matches("\r\n").count().saturating_sub(1);
    let accepted = report.recipients().filter(|recipient| recipient.path().to_string() != "nobody@x");
    for recipient in accepted.take(finals) {
        assert!(recipient.reply().is_some(), "{place}: {recipient}, whose status was read: {}", line.heard());
    }
}

/// Drops a delivery after every number of polls.
fn dropped_everywhere(faults: Faults) {
    for polls in 0.. {
        let place = format!("{faults:?}, dropped after {polls}");
        let (stream, line) = Faulty::new(faults);
        let builder = Client::builder("unix:in-memory").unwrap();
        let Ok(mut client) = polled(builder.over(stream), ENOUGH).expect("no end") else {
            // So early has it ended.
            return assert!(line.lock().unwrap().served.stored.is_empty(), "{place}");
        };
        let report = polled(client.deliver(&envelope(), "First\r\n"), polls);
        let whole = report.is_some();
        match report.map_or_else(|| client.report(), |report| Some(report.unwrap())) {
            Some(report) => agrees(&report, &line.lock().unwrap(), &place),
            None => assert!(line.lock().unwrap().served.stored.is_empty(), "{place}: stored, and nobody knows"),
        }
        // The next one goes whole, or the client is closed.
        let next = polled(client.deliver(&envelope(), "Second\r\n"), ENOUGH).expect("no end").unwrap();
        let line = line.lock().unwrap();
        let seconds: Vec<&[u8]> = line
            .served
            .stored
            .iter()
            .map(|message| &*message.content)
            .filter(|content| *content != b"First\r\n")
            .collect();
        if next.error().is_none() {
            assert_eq!(seconds, [b"Second\r\n"], "{place}");
        } else {
            assert!(!client.is_ready(), "{place}");
            assert!(seconds.is_empty() || faults.end.is_some(), "{place}: {seconds:?}");
        }
        if whole {
            return;
        }
    }
}

#[test]
fn streams_that_split_stall_and_write_short() {
    run!({
        for piece in [1, 3, 64, usize::MAX] {
            dropped_everywhere(Faults { piece, end: None });
        }
    });
}

#[test]
fn streams_that_end_anywhere() {
    run!({
        let (whole, line) = Faulty::new(Faults { piece: usize::MAX, end: None });
        let mut client = polled(Client::builder("unix:in-memory").unwrap().over(whole), ENOUGH).unwrap().unwrap();
        assert!(polled(client.deliver(&envelope(), "First\r\n"), ENOUGH).unwrap().unwrap().error().is_none());
        let octets = line.lock().unwrap().read;
        for place in (0..=octets).step_by(crate::alone::step()) {
            for end in [End::Half, End::Reset, End::WriteFails] {
                dropped_everywhere(Faults { piece: 40, end: Some((place, end)) });
            }
        }
    });
}
