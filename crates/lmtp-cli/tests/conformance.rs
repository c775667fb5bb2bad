//! `lmtp conformance`, the program, against `lmtp serve`: as it is, and with a fault.

mod support;

use std::process::Command;

use serde_json::Value;
use support::served::{Served, mailbox};

/// A server for Bob, and what is found of it.
fn check(faults: &[&str], more: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    mailbox(&folder.path().join("mail/x/bob"));
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
