//! `lmtp conformance`, the program, against `lmtp serve`: as it is, and with a fault.

mod support;

use std::process::Command;

use serde_json::Value;
use support::served::{Served, mailbox};

/// A server for Bob, and what is found of it.
fn check(faults: &[&str], more: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    for user in ["bob", "eve", "full"] {
        mailbox(&folder.path().join("mail/x").join(user));
    }
    let served = Served::on(folder.path(), faults);
    let mut check = Command::new(env!("CARGO_BIN_EXE_lmtp"));
    check.args(["conformance", "server", &served.place(), "--good", "bob@x", "--bad", "nobody@x", "--rate", "1000"]);
    let output = check.args(more).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn our_server_passes_all_of_it() {
    let (code, said) = check(&[], &["--json", "--cases", "10"]);
    let told: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(code, Some(0), "{told}");
    let results = told["checks"].as_array().unwrap_or_else(|| panic!("{told}"));
    assert!(results.len() >= 120, "{} checks", results.len());
}

/// One answer too few: it is found, and the conversation is shown.
#[test]
fn a_wrong_count_is_found() {
    let faults = ["--wrong-count", "fewer"];
    let (code, said) = check(&faults, &["--only", "replies/2-recipients", "--cases", "0", "--timeout", "1"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("C: DATA"), "{said}");
}

#[test]
fn nobody_there_is_no_verdict() {
    let mut check = Command::new(env!("CARGO_BIN_EXE_lmtp"));
    check.args(["conformance", "server", "unix:/no/such/socket", "--good", "bob@x"]);
    assert_eq!(check.output().unwrap().status.code(), Some(75));
}

/// What is known of a server stands in a file; what is skipped has a reason; a build server reads the results.
#[test]
fn a_profile_and_a_file_for_build_servers() {
    let folder = tempfile::tempdir().unwrap();
    let (profile, junit) = (folder.path().join("profile.toml"), folder.path().join("results.xml"));
    let text = "good = [\"bob@x\", \"eve@x\"]\nfull = \"bob@x\"\n[skip]\n\"replies/2-recipients\" = \"known & old\"\n";
    std::fs::write(&profile, text).unwrap();
    let more = [
        "--profile",
        profile.to_str().unwrap(),
        "--junit",
        junit.to_str().unwrap(),
        "--cases",
        "0",
        "--only",
        "replies/2",
    ];
    let (code, said) = check(&[], &more);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("not run: replies/2-recipients") && said.contains("skipped by the profile: known & old"),
        "{said}"
    );
    let xml = std::fs::read_to_string(&junit).unwrap();
    assert!(
        xml.contains("skipped=\"1\"") && xml.contains("known &amp; old") && xml.contains("failures=\"0\""),
        "{xml}"
    );
    std::fs::write(&profile, "god = []\n").unwrap();
    assert_eq!(check(&[], &["--profile", profile.to_str().unwrap()]).0, Some(78));
}

/// Who is full at the end, and who says nothing: the checks of that are run where they can be.
#[test]
fn what_is_known_of_a_server_is_checked_too() {
    let faults = ["--fail", "final=452:full@x", "--idle-timeout", "1"];
    let more = ["--json", "--cases", "0", "--full", "full@x", "--good", "eve@x", "--idle", "1", "--only"];
    for (group, count) in [("verdicts/", 8), ("timeouts/", 4)] {
        let (code, said) = check(&faults, &[&more[..], &[group]].concat());
        let told: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
        let passed = told["checks"].as_array().unwrap().iter().filter(|check| check["outcome"] == "passed").count();
        assert_eq!((code, passed), (Some(0), count), "{told:#}");
    }
}

/// The same seed, the same words.
#[test]
fn two_runs_print_the_same() {
    let run = || check(&["--fail", "rcpt=450:30%", "--seed", "1"], &["--json", "--only", "made-up", "--seed", "9"]);
    let names = |text: String| text.replace(|char: char| char.is_ascii_digit(), "0");
    let (one, two) = (run(), run());
    assert_eq!(one.0, Some(1), "{}", one.1);
    assert_eq!(names(one.1), names(two.1));
}
