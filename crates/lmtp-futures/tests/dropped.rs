//! Futures that are dropped, at every place where they wait.

mod memory;

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use lmtp_futures::{Builder, Client};
use lmtp_proto::{Envelope, Outcome};
use memory::{InMemory, Peer, Server};

/// Polls to the end, or so often and no more.
fn polled<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = pin!(future);
    (0..polls).find_map(|_| match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    })
}

const ENOUGH: usize = 100_000;

fn envelope() -> Envelope {
    let to = ["bob@x", "eve@x", "joe@x"].map(|to| to.parse().unwrap());
    Envelope::new("ann@x".parse().unwrap(), to).unwrap()
}

fn client(piece: usize) -> (Client<InMemory>, Arc<Mutex<Server>>) {
    let server = Arc::new(Mutex::new(Server::default()));
    let builder: Builder<InMemory> = Client::builder("unix:in-memory").unwrap();
    let client = polled(builder.over(Peer::new(Arc::clone(&server), piece)), ENOUGH).unwrap().unwrap();
    (client, server)
}

/// What is known of a message that was dropped agrees with what the server has.
fn agree(client: &Client<InMemory>, server: &Mutex<Server>, place: usize) {
    let stored = server.lock().unwrap().stored.iter().any(|message| message.contains("First"));
    let Some(report) = client.report() else {
        assert!(!stored, "dropped at {place}: stored, and nobody knows");
        return;
    };
    if report.transaction().0 > 0 {
        // The first was reported before.
        return;
    }
    for recipient in report.recipients() {
        match recipient.outcome() {
            Outcome::Delivered => assert!(stored, "dropped at {place}: {recipient}"),
            Outcome::Unsent => assert!(!stored, "dropped at {place}: {recipient}"),
            Outcome::Permanent => assert_eq!(recipient.path().to_string(), "eve@x"),
            Outcome::Uncertain => {}
            Outcome::Temporary => panic!("dropped at {place}: {recipient}"),
        }
    }
}

/// Whatever was dropped: the next message is stored as it is, or the client is closed.
fn go_on(mut client: Client<InMemory>, server: &Mutex<Server>, place: usize) -> bool {
    let report = polled(client.deliver(&envelope(), "Second\r\n"), ENOUGH).expect("no end").unwrap();
    let server = server.lock().unwrap();
    let seconds: Vec<_> = server.stored.iter().filter(|message| message.contains("Second")).collect();
    match report.error() {
        None => assert_eq!(seconds, ["Second\r\n"], "dropped at {place}"),
        Some(_) => assert!(seconds.is_empty() && !client.is_ready(), "dropped at {place}"),
    }
    report.error().is_none()
}

/// Drops what `act` does with a client after every number of polls; tells how often the
/// client could go on and how often it was closed.
fn dropped_everywhere(piece: usize, act: impl AsyncFn(&mut Client<InMemory>)) -> (usize, usize) {
    let (mut went_on, mut closed) = (0, 0);
    for place in 0.. {
        let (mut client, server) = client(piece);
        let whole = polled(act(&mut client), place).is_some();
        if !whole {
            agree(&client, &server, place);
        }
        match go_on(client, &server, place) {
            true => went_on += 1,
            false => closed += 1,
        }
        if whole {
            break;
        }
    }
    (went_on, closed)
}

#[test]
fn deliver_may_be_dropped_anywhere() {
    for piece in [1, 7, usize::MAX] {
        let (went_on, closed) = dropped_everywhere(piece, async |client| {
            let _ = client.deliver(&envelope(), "First\r\n").await.unwrap();
        });
        assert!(went_on > 0 && closed > 0, "{piece}: {went_on} went on, {closed} closed");
    }
}

#[test]
fn many_messages_may_be_dropped_anywhere() {
    for piece in [7, usize::MAX] {
        let (went_on, closed) = dropped_everywhere(piece, async |client| {
            let mut reports = client.deliver_all([(envelope(), "First\r\n"), (envelope(), "Third\r\n")]);
            while reports.next().await.is_some() {}
        });
        assert!(went_on > 0 && closed > 0, "{piece}: {went_on} went on, {closed} closed");
    }
}

#[test]
fn steps_may_be_dropped_anywhere() {
    for piece in [1, usize::MAX] {
        let (went_on, closed) = dropped_everywhere(piece, async |client| {
            let mut transaction = client.mail("ann@x".parse().unwrap()).await.unwrap();
            for to in ["bob@x", "eve@x", "joe@x"] {
                let _ = transaction.rcpt(to.parse().unwrap()).await.unwrap();
            }
            let mut content = transaction.data().await.unwrap();
            content.write("First\r\n").await.unwrap();
            let _ = content.finish().await;
        });
        assert!(went_on > 0 && closed > 0, "{piece}: {went_on} went on, {closed} closed");
    }
}

/// The future of one report is dropped again and again, and nothing is lost or sent twice.
#[test]
fn a_report_may_be_asked_for_again() {
    let (mut client, server) = client(3);
    let mut reports = client.deliver_all(["First\r\n", "Second\r\n"].map(|message| (envelope(), message)));
    let mut seen = 0;
    for _ in 0..ENOUGH {
        match polled(reports.next(), 1) {
            Some(Some(report)) => {
                assert!(report.error().is_none());
                seen += 1;
            }
            Some(None) => break,
            None => {}
        }
    }
    assert_eq!(seen, 2);
    assert_eq!(server.lock().unwrap().stored, ["First\r\n", "Second\r\n"]);
}
