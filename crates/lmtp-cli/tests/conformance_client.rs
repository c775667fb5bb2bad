//! `lmtp conformance client`, the program, with `lmtp send` as the client, and with programs that are none.

use std::process::Command;

use serde_json::Value;

const LMTP: &str = env!("CARGO_BIN_EXE_lmtp");

fn check(template: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let mut check = Command::new(LMTP);
    check.args(["conformance", "client", "--cmd", template]).args(more);
    let output = check.output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// What did not pass.
fn left(told: &str) -> (usize, Vec<Value>) {
    let told: Value = serde_json::from_str(told).unwrap_or_else(|error| panic!("{error}: {told}"));
    let checks = told["checks"].as_array().unwrap();
    (checks.len(), checks.iter().filter(|check| check["outcome"] != "passed").cloned().collect())
}

#[test]
fn our_client_passes_all_of_it() {
    let template =
        format!("'{LMTP}' send {{url}} --from {{from}} --to {{to*}}... --json --timeout {{timeout}} {{file}}");
    let (code, said, _) = check(&template, &["--json", "--cases", "50", "--timeout", "4", "--jobs", "12"]);
    let (count, left) = left(&said);
    assert_eq!(code, Some(0), "{left:#?}");
    assert!(count >= 200, "{count} checks");
    // A command line cannot hold it.
    assert!(left.iter().all(|check| check["id"] == "values/nul-in-a-recipient"), "{left:#?}");
}

#[test]
fn our_exit_codes_tell_it_too() {
    let template = format!("'{LMTP}' send unix:{{socket}} --from={{from}} --to={{to*}} {{file}}");
    let (code, said, _) = check(&template, &["--json", "--adapter", "exit"]);
    let (_, left) = left(&said);
    assert_eq!(code, Some(0), "{left:#?}");
    // Nobody told it how long to wait.
    assert!(left.iter().all(|check| check["outcome"] == "not run"), "{left:#?}");
    assert!(left.len() >= 8, "{left:#?}");
}

#[test]
fn what_sends_nothing_and_says_that_it_did_is_found() {
    let (code, said, _) = check("true {to*}", &["--adapter", "exit", "--only", "session/plain"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("without a 2yz of its own") && said.contains("R2033-4.1-f"), "{said}");
}

#[test]
fn what_is_told_in_other_words_is_found() {
    let (code, said, _) = check("echo fine {to*}", &["--only", "session/plain"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no JSON"), "{said}");
}

#[test]
fn what_does_not_end_is_killed() {
    let more = ["--adapter", "exit", "--only", "session/plain", "--deadline", "1"];
    let (code, said, _) = check("sh -c 'exec sleep 60' {to*}", &more);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("killed"), "{said}");
}

/// The level says what counts, and the conversation is shown.
#[test]
fn a_fault_shows_its_conversation_and_counts_by_level() {
    let template = format!("'{LMTP}' send {{url}} --from ann@example.org --to={{to*}} --json {{file}} --no-pipelining");
    let more = ["--only", "values/quoted"];
    assert_eq!(check(&template, &more).0, Some(0));
    // The wrong sender.
    let template = template.replace("ann@", "eve@");
    let (code, said, _) = check(&template, &more);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("C: MAIL FROM:<eve@example.org>") && said.contains("S: 250 2.1.0 Ok"), "{said}");
    assert_eq!(check(&template, &["--only", "session/late-greeting", "--level", "must"]).0, Some(64));
}

#[test]
fn a_command_that_cannot_be_is_no_verdict() {
    for template in ["/no/such/program {to*}", "p", "p {to*} {what}", "p {to*} 'x"] {
        let (code, _, told) = check(template, &["--only", "session"]);
        assert_eq!(code, Some(64), "{template}: {told}");
        assert!(told.contains("--cmd"), "{template}: {told}");
    }
}

#[test]
fn the_list_needs_no_command() {
    let output = Command::new(LMTP).args(["conformance", "client", "--list"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.lines().count() >= 60, "{said}");
    assert!(said.contains("lost/at-second-final  MUST  RFC 2033 5  R2033-5-j"), "{said}");
}
