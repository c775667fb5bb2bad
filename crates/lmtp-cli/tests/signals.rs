//! SIGINT and SIGTERM: the connection is closed, the report is printed.

mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use support::{Run, Server, lmtp, send, signal};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn while_a_final_reply_is_awaited() {
    let server = Server::acting(|peer| {
        peer.accept_message();
        peer.say("250 2.0.0 Saved");
        peer.wait_for_close();
    });
    for name in ["TERM", "INT"] {
        let mut command = send(&server, &["b@x", "c@x"], &["--body", "hello", "--json", "--transcript"]);
        let mut child = command.spawn().unwrap();
        let transcript = BufReader::new(child.stderr.take().unwrap());
        let saved = transcript.lines().map_while(Result::ok).find(|line| line.ends_with("S: 250 2.0.0 Saved"));
        assert!(saved.is_some(), "the first reply is read");
        signal(&child, name);
        let run = Run::of(child.wait_with_output().unwrap());
        assert_eq!(run.code, Some(75), "{run:?}");
        run.assert_outcomes(&[("delivered", "final"), ("uncertain", "final")]);
        let json = run.json();
        assert_eq!((&json["error"]["kind"], &json["error"]["phase"]), (&"closed".into(), &"final".into()));
        assert!(json["error"]["message"].as_str().unwrap().contains("signal"), "{run:?}");
    }
}

#[test]
fn while_standard_input_has_nothing() {
    let server = Server::acting(|peer| {
        peer.accept_until_data();
        peer.tell();
        peer.wait_for_close();
        peer.tell();
    });
    let mut command = send(&server, &["b@x"], &["--json"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let pipe = child.stdin.take(); // open, and nothing is written
    server.told.recv_timeout(SOON).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    signal(&child, "INT");
    let run = Run::of(child.wait_with_output().unwrap());
    drop(pipe);
    assert_eq!(run.code, Some(75), "{run:?}");
    assert_eq!(run.outcomes()[0].0, "unsent");
    server.told.recv_timeout(SOON).expect("the connection is closed");
    assert_eq!(server.seen().content, None, "the end was never sent");
}

/// Sent to the process and to its group, a signal comes twice: the report is
/// printed all the same.
#[test]
fn twice_at_once() {
    let server = Server::acting(|peer| {
        peer.accept_until_data();
        peer.tell();
        peer.wait_for_close();
    });
    let mut child = send(&server, &["b@x"], &["--json"]).stdin(Stdio::piped()).spawn().unwrap();
    let pipe = child.stdin.take();
    server.told.recv_timeout(SOON).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    signal(&child, "TERM");
    signal(&child, "TERM");
    let run = Run::of(child.wait_with_output().unwrap());
    drop(pipe);
    assert_eq!(run.code, Some(75), "{run:?}");
    assert_eq!(run.outcomes()[0].0, "unsent");
}

#[test]
fn while_probing() {
    let server = Server::acting(|peer| {
        peer.tell();
        peer.wait_for_close();
    });
    let child = lmtp(["probe", &server.url, "--json", "--timeout", "8"]).spawn().unwrap();
    server.told.recv_timeout(SOON).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    signal(&child, "TERM");
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!(run.code, Some(75), "{run:?}");
    assert!(run.json()["error"]["message"].as_str().unwrap().contains("signal"));
}
