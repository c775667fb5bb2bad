//! A test in a process of its own, and how much the tests do.

use std::process::Command;

use lmtp_testkit::effort::Effort;

const ALONE: &str = "LMTP_CONTRACT_ALONE";

/// Runs a test again in a process of its own, so that memory is its own; there, and only
/// there, this is true.
pub(crate) fn is_alone(module: &str, test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let (_, module) = module.split_once("::").unwrap();
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", &format!("{module}::{test}"), "--nocapture"]).env(ALONE, "1");
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
    print!("{said}");
    false
}

/// How many octets or polls lie between two places that are tried.
pub(crate) fn step() -> usize {
    match Effort::current() {
        Effort::Quick => 23,
        Effort::Ci => 7,
        Effort::Long => 1,
    }
}

/// A size by effort.
pub(crate) fn size(quick: u32, ci: u32, long: u32) -> u32 {
    match Effort::current() {
        Effort::Quick => quick,
        Effort::Ci => ci,
        Effort::Long => long,
    }
}

/// So many octets of memory, by its name in `/proc`.
pub(crate) fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
