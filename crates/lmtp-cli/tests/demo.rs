//! `lmtp demo`: three outcomes, and nothing left behind.

mod support;

use std::fs;

use support::{lmtp, run};

#[test]
fn three_outcomes() {
    let directory = tempfile::tempdir().unwrap();
    let plain = run(lmtp(["demo"]).env("TMPDIR", directory.path()));
    assert_eq!((plain.code, plain.stderr.as_str()), (Some(0), ""));
    for text in [
        "bob@example.org     delivered  250 2.0.0 Saved (",
        "  example.org/bob/new/",
        "  Return-Path: <ann@example.org>",
        "nobody@example.org  permanent  550 5.1.1",
        "full@example.org    temporary  452 4.2.2",
        "RFC 2033 4.1",
        "RFC 2033 4.2",
        "RFC 2920 3.1",
        "RFC 5321 4.1.1.4",
    ] {
        assert!(plain.stdout.contains(text), "{text} in {}", plain.stdout);
    }
    assert!(plain.stdout.lines().all(|line| line.len() <= 100));

    let json = run(lmtp(["demo", "--json"]).env("TMPDIR", directory.path()));
    assert_eq!(json.code, Some(0));
    assert_eq!(json.json()["as_scripted"], true);
    let outcomes: Vec<_> =
        json.json()["result"]["recipients"].as_array().unwrap().iter().map(|one| one["outcome"].clone()).collect();
    assert_eq!(outcomes, ["delivered", "permanent", "temporary"]);
    let file = json.json()["files"][0].as_str().unwrap().to_owned();
    assert!(file.starts_with("example.org/bob/new/"), "{file}");
    // Full is told after the content: that is what LMTP is for.
    assert_eq!(json.json()["result"]["recipients"][2]["phase"], "final");

    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "no socket is left behind");
}

#[test]
fn no_place_for_a_socket() {
    let run = run(lmtp(["demo"]).env("TMPDIR", "/nowhere-at-all"));
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.starts_with("error: "), "{run:?}");
}
