//! What of the decisions the tests do not notice when it is broken: `cargo xtask mutants`.
//!
//! No stage of `cargo xtask test`: it takes an hour, and what survives has to be thought about. What is
//! broken, and which tests have to notice, is in `.cargo/mutants.toml`.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::cargo::cargo;
use crate::{process, project};

/// Where cargo-mutants writes, below the directory that it is told.
const OUTPUT: &str = "target/mutants";

/// How cargo-mutants ends when it did what it was asked for: all was noticed, something was missed,
/// something did not end.
const WELL: [i32; 3] = [0, 2, 3];

/// Runs cargo-mutants, and shows what survived.
pub(crate) fn run() -> Result<()> {
    ensure!(
        process::is_available("cargo", &["mutants", "--version"]),
        "cargo-mutants is not installed; `cargo install --locked cargo-mutants` brings it"
    );
    let mut mutants = cargo();
    mutants.args(["mutants", "--output", OUTPUT, "--package", "lmtp-proto", "--no-shuffle"]);
    println!("$ {}", process::line(&mutants));
    let status = mutants.status().context("cargo mutants cannot be started")?;
    ensure!(status.code().is_some_and(|code| WELL.contains(&code)), "cargo mutants failed: {status}");
    println!("\n{}", survivors()?);
    Ok(())
}

fn survivors() -> Result<String> {
    let directory = project::root().join(OUTPUT).join("mutants.out");
    let list = |name: &str| fs::read_to_string(directory.join(name)).with_context(|| name.to_owned());
    Ok(summary(&list("missed.txt")?, &list("caught.txt")?, &list("timeout.txt")?))
}

/// The files of cargo-mutants in one text: one mutant a line each.
fn summary(missed: &str, caught: &str, timeout: &str) -> String {
    let noticed = caught.lines().count() + timeout.lines().count();
    match missed.lines().count() {
        0 => format!("all of {noticed} mutants were noticed"),
        survived => format!("{survived} survived, {noticed} were noticed; no test fails with\n{missed}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survivors_are_named() {
        assert_eq!(summary("", "a\nb\n", "c\n"), "all of 3 mutants were noticed");
        let some = summary("x.rs:1: replace a with b\n", "a\n", "");
        assert!(some.starts_with("1 survived, 1 were noticed") && some.contains("x.rs:1"), "{some}");
    }
}
