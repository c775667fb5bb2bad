//! Handlers that are late, gone, or out of order, and clients that leave them alone.

use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use lmtp_blocking::{
    BodyError, Client, Ending, Envelope, ForwardPath, Peer, RcptParams, RecipientId, Reply, ReversePath, Server,
    Session, send,
};

use crate::running::{Deliver, Running, codes, store};

#[test]
fn from_client_to_handler() {
    let (sender, mail) = channel();
    let server = Running::new(move |mut message, verdicts| {
        let text = message.body.read_all().unwrap();
        sender.send((message.envelope.from().to_string(), text)).unwrap();
        verdicts.give(RecipientId(1), Reply::mailbox_full()).unwrap();
        verdicts.give(RecipientId(1), Reply::stored()).unwrap_err();
        verdicts.give(RecipientId(0), Reply::stored()).unwrap();
    });
    let to = ["bob@x", "nobody@x", "eve@x"];
    let report = send(server.endpoint().as_str(), "ann@x", to, "Hi\r\n.\r\n").unwrap();
    let results = lmtp_testkit::memory::results(&report);
    assert_eq!(
        results,
        ["bob@x delivered final 250 2.0.0", "nobody@x permanent rcpt 550 5.1.1", "eve@x temporary final 452 4.2.2"]
    );
    assert_eq!(mail.recv().unwrap(), ("ann@x".into(), "Hi\r\n.\r\n".into()));
    assert_eq!(server.ending(), Ending::Answered);
}

/// Nobody is known, and nothing is taken, until the application says so.
#[test]
fn the_defaults_are_safe() {
    struct Nothing;
    impl Session for Nothing {}
    struct Anybody;
    impl Session for Anybody {
        fn rcpt(&mut self, _: &ForwardPath, _: &RcptParams) -> Result<(), Reply> {
            Ok(())
        }
    }
    let (ours, theirs) = UnixStream::pair().unwrap();
    let served = thread::spawn(move || Server::new(|_: &Peer| Nothing).serve_stream(theirs, Peer::default()));
    let mut client = Client::builder("unix:pair").unwrap().over(ours).unwrap();
    let envelope = Envelope::new(ReversePath::Null, ["bob@x".parse().unwrap()]).unwrap();
    let report = client.deliver(&envelope, "Hi\r\n").unwrap();
    assert_eq!(lmtp_testkit::memory::results(&report), ["bob@x permanent rcpt 550 5.1.1"]);
    client.quit().unwrap();
    served.join().unwrap().unwrap();

    let (ours, theirs) = UnixStream::pair().unwrap();
    let served = thread::spawn(move || Server::new(|_: &Peer| Anybody).serve_stream(theirs, Peer::default()));
    let mut client = Client::builder("unix:pair").unwrap().over(ours).unwrap();
    let report = client.deliver(&envelope, "Hi\r\n").unwrap();
    assert_eq!(lmtp_testkit::memory::results(&report), ["bob@x temporary final 451 4.3.0"]);
    client.quit().unwrap();
    served.join().unwrap().unwrap();
}

/// A verdict leaves while the handler still works on the others.
#[test]
fn a_verdict_leaves_at_once() {
    let (go_on, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let server = Running::new(move |mut message, verdicts| {
        message.body.read_all().unwrap();
        verdicts.give(RecipientId(0), Reply::stored()).unwrap();
        wait.lock().unwrap().recv().unwrap();
        verdicts.give(RecipientId(1), Reply::mailbox_full()).unwrap();
    });
    let mut talk = server.talk();
    talk.up_to_data(&["bob@x", "eve@x"]);
    talk.say("Hi\r\n.\r\n");
    assert_eq!(codes(&talk.hear("\r\n")), ["250"]);
    go_on.send(()).unwrap();
    assert_eq!(codes(&talk.hear("\r\n")), ["452"]);
}

/// Early verdicts, in another order, from other threads, while the content comes; and
/// a body that is read by yet another.
#[test]
fn body_and_verdicts_may_go_to_threads_of_their_own() {
    let server = Running::new(|mut message, verdicts| {
        thread::spawn(move || {
            verdicts.give(RecipientId(2), Reply::refused()).unwrap();
            verdicts.give(RecipientId(0), Reply::stored()).unwrap();
            thread::sleep(Duration::from_millis(50));
            verdicts.give(RecipientId(1), Reply::mailbox_full()).unwrap();
        });
        thread::spawn(move || assert_eq!(message.body.read_all().unwrap(), "Hi\r\nHo\r\n"));
    });
    let mut talk = server.talk();
    talk.up_to_data(&["bob@x", "eve@x", "joe@x"]);
    talk.say("Hi\r\n");
    thread::sleep(Duration::from_millis(100));
    talk.say("Ho\r\n.\r\nQUIT\r\n");
    assert_eq!(codes(&talk.rest()), ["250", "452", "550", "221"]);
    assert_eq!(server.ending(), Ending::Answered);
}

/// Whatever the handler does, each recipient is answered for: 451.
#[test]
fn a_handler_that_does_not_do_its_part() {
    let handlers: [(&str, Deliver); 4] = [
        ("does nothing", Arc::new(|_, _| {})),
        ("reads, and says nothing", Arc::new(|mut message, _| drop(message.body.read_all()))),
        ("panics", Arc::new(|_, _| panic!("told to"))),
        (
            "panics behind the content",
            Arc::new(|mut message, _| {
                message.body.read_all().unwrap();
                panic!("told to");
            }),
        ),
    ];
    for (what, deliver) in handlers {
        let server = Running::new(move |message, verdicts| deliver(message, verdicts));
        let mut talk = server.talk();
        talk.up_to_data(&["bob@x", "eve@x"]);
        talk.say("Hi\r\n.\r\nNOOP\r\n");
        let heard = if what.starts_with("panics") { talk.rest() } else { talk.hear("Ok\r\n") };
        let mut codes = codes(&heard);
        if what.starts_with("panics") {
            // NOOP may have had its answer before.
            assert_eq!(codes.pop(), Some("421"), "{what}");
            codes.truncate(2);
            assert_eq!(codes, ["451", "451"], "{what}");
        } else {
            assert_eq!(codes, ["451", "451", "250"], "{what}");
        }
    }
}

/// A handler that is stuck gets its recipients 451 on time, and the client leave.
#[test]
fn a_stuck_handler_is_answered_for() {
    let (release, stuck) = channel::<()>();
    let stuck = Mutex::new(stuck);
    let stale = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&stale);
    let server = Running::hasty(move |mut message, verdicts| {
        message.body.read_all().unwrap();
        let _ = stuck.lock().unwrap().recv();
        counted.fetch_add(usize::from(verdicts.give(RecipientId(0), Reply::stored()).is_err()), Ordering::SeqCst);
    });
    let mut talk = server.talk();
    talk.up_to_data(&["bob@x", "eve@x"]);
    talk.say("Hi\r\n.\r\n");
    let started = Instant::now();
    assert_eq!(codes(&talk.rest()), ["451", "451", "421"]);
    assert!(
        (Duration::from_millis(250)..Duration::from_secs(2)).contains(&started.elapsed()),
        "{:?}",
        started.elapsed()
    );
    // The next one is served, while that one is still stuck.
    assert_eq!(server.shutdown.connections(), 1);
    server.talk();
    release.send(()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while stale.load(Ordering::SeqCst) == 0 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(stale.load(Ordering::SeqCst), 1, "a verdict that came too late counted");
}

/// A handler that does not read is given up; what the client sends is read to its end.
#[test]
fn a_handler_that_does_not_read_is_answered_for() {
    let (release, stuck) = channel::<()>();
    let stuck = Mutex::new(stuck);
    let server = Running::hasty(move |_message, _verdicts| {
        let _ = stuck.lock().unwrap().recv();
    });
    let mut talk = server.talk();
    talk.up_to_data(&["bob@x", "eve@x"]);
    let line = "x".repeat(98) + "\r\n";
    talk.say(&line.repeat(50_000));
    talk.say(".\r\n");
    assert_eq!(codes(&talk.rest()), ["451", "451", "421"]);
    drop(release);
}

#[test]
fn a_stuck_or_panicking_decision_is_answered_for() {
    for from in ["panic@x", "sleep@x"] {
        let server = Running::hasty(store);
        let mut talk = server.talk();
        talk.say(&format!("LHLO c\r\nNOOP\r\nMAIL FROM:<{from}>\r\nRCPT TO:<bob@x>\r\n"));
        let heard = talk.rest();
        assert!(heard.contains("\r\n451 4.3.0") && heard.contains("\r\n421 4.3.2"), "{from}: {heard}");
    }
}

/// A body whose end did not come is an error, whoever reads it and whenever.
#[test]
fn a_client_that_goes_amid_content() {
    let (sender, ends) = channel();
    let server = Running::new(move |mut message, _verdicts| {
        let mut text = String::new();
        let error = message.body.read_to_string(&mut text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        sender.send(message.body.next()).unwrap();
    });
    let mut talk = server.talk();
    talk.up_to_data(&["bob@x"]);
    talk.say("Hi\r\n");
    drop(talk);
    assert_eq!(ends.recv_timeout(Duration::from_secs(5)).unwrap(), Err(BodyError::Abandoned));
    assert_eq!(server.ending(), Ending::Abandoned);
}

/// What nobody reads is read to its end for nobody, and the session goes on.
#[test]
fn a_body_that_is_dropped() {
    let server = Running::new(|message, verdicts| {
        drop(message);
        verdicts.give_rest(&Reply::stored());
    });
    let mut client = Client::connect(server.endpoint().as_str()).unwrap();
    let envelope = Envelope::new(ReversePath::Null, ["bob@x".parse().unwrap()]).unwrap();
    let mail = "x".repeat(76) + "\r\n";
    for _ in 0..3 {
        assert!(client.deliver(&envelope, mail.repeat(20_000)).unwrap().all_delivered());
    }
}

/// The body of one message, kept for longer, is nothing to the next.
#[test]
fn a_body_that_outlives_its_message() {
    let kept = Mutex::new(None);
    let server = Running::new(move |mut message, verdicts| {
        let before = kept.lock().unwrap().take();
        let reader = thread::spawn(move || {
            drop(before);
            let whole = message.body.read_all().is_ok_and(|text| text.len() == 78 * 5000);
            (message.body, whole)
        });
        let (body, whole) = reader.join().unwrap();
        *kept.lock().unwrap() = Some(body);
        verdicts.give_rest(&if whole { Reply::stored() } else { Reply::refused() });
    });
    let mut client = Client::connect(server.endpoint().as_str()).unwrap();
    let envelope = Envelope::new(ReversePath::Null, ["bob@x".parse().unwrap()]).unwrap();
    let mail = "x".repeat(76) + "\r\n";
    for report in client.deliver_all((0..5).map(|_| (envelope.clone(), mail.repeat(5000)))) {
        assert!(report.all_delivered(), "{report:?}");
    }
}
