//! Everything that is tested, as stages: `cargo xtask test`.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr;

use anyhow::{Result, bail};

use crate::args::Args;
use crate::cargo::cargo;
use crate::stage::{Outcome, Stage, run_all};
use crate::{fuzz, interop, process, project, requirements, tidy};

/// How long to look. The stages are the same; what searches at random searches longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Effort {
    #[default]
    Quick,
    Ci,
    Long,
}

impl Effort {
    /// The name, which the tests find in `LMTP_EFFORT`.
    fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Ci => "ci",
            Self::Long => "long",
        }
    }

    /// Of each target.
    fn fuzz_seconds(self) -> u64 {
        match self {
            Self::Quick => 5,
            Self::Ci => 20,
            Self::Long => 300,
        }
    }
}

impl FromStr for Effort {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        let all = [Self::Quick, Self::Ci, Self::Long];
        match all.into_iter().find(|effort| effort.name() == name) {
            Some(effort) => Ok(effort),
            None => bail!("no such effort; there are quick, ci and long"),
        }
    }
}

/// What `cargo xtask test` was asked for.
#[derive(Debug, Default)]
pub(crate) struct Options {
    effort: Effort,
    strict: bool,
}

impl Options {
    pub(crate) fn parse(mut args: Args) -> Result<Self> {
        let effort = args.value("--effort")?.unwrap_or_default();
        let strict = args.flag("--strict");
        args.finish()?;
        Ok(Self { effort, strict })
    }
}

/// Runs all stages, cheap ones first.
pub(crate) fn run(options: &Options) -> Result<()> {
    let effort = options.effort;
    let recorded = OnceCell::new();
    let mut stages = vec![
        Stage::new("format", format),
        Stage::new("tidy", || tidy::run().map(|()| Outcome::Passed)),
        Stage::new("clippy", clippy),
        Stage::new("docs", docs),
        Stage::new("least features", least_features),
        Stage::new("tests", || tests(effort, &recorded)),
        Stage::new("requirements", || proofs(&recorded)),
    ];
    for target in fuzz::targets()? {
        let name = format!("fuzz {target}");
        stages.push(Stage::new(name, move || fuzz::fuzz(&target, effort.fuzz_seconds())));
    }
    for peer in interop::PEERS {
        let name = format!("interop {}", peer.name());
        stages.push(Stage::new(name, move || interop::check(peer)));
    }
    run_all(stages, options.strict)
}

fn format() -> Result<Outcome> {
    if let Some(skipped) = missing_component("fmt", "rustfmt") {
        return Ok(skipped);
    }
    // rustfmt colours its differences without looking where they go.
    let colour = if project::wants_colours() { "always" } else { "never" };
    let check = ["--check", "--", "--color", colour];
    all_passed([
        cargo().args(["fmt", "--all"]).args(check),
        // No `--all` here: it would format the crates that the targets depend on a second time.
        cargo().args(["fmt", "--manifest-path", fuzz::MANIFEST]).args(check),
    ])
}

fn clippy() -> Result<Outcome> {
    if let Some(skipped) = missing_component("clippy", "clippy") {
        return Ok(skipped);
    }
    let workspace = ["clippy", "--workspace", "--all-targets", "--all-features", "--locked"];
    let fuzz = ["clippy", "--manifest-path", fuzz::MANIFEST, "--all-targets", "--locked"];
    let deny = ["--", "-D", "warnings"];
    all_passed([
        cargo().args(workspace).args(deny),
        // Linting links nothing, so libFuzzer itself need not be compiled: name a library nobody opens.
        cargo().args(fuzz).args(deny).env("CUSTOM_LIBFUZZER_PATH", "unused/libfuzzer.a"),
    ])
}

fn docs() -> Result<Outcome> {
    let workspace = ["--workspace", "--no-deps", "--all-features", "--document-private-items"];
    let mut doc = cargo();
    doc.arg("doc").args(workspace).arg("--locked");
    all_passed([doc.env("RUSTDOCFLAGS", "-D warnings")])
}

/// The core without std, the mechanisms without random numbers of the system. Alone, because next
/// to the other crates cargo would switch on the features that they ask for.
fn least_features() -> Result<Outcome> {
    all_passed([
        cargo().args(["build", "-p", "lmtp-proto", "--locked"]),
        // Whoever brings his own random numbers.
        cargo().args(["build", "-p", "lmtp-sasl", "--no-default-features", "--locked"]),
        // The other cryptography, and servers only.
        cargo().args(["build", "-p", "lmtp-rustls", "--no-default-features", "--features", "ring", "--locked"]),
    ])
}

/// Doctests are among them: `cargo test` without a target selection runs those too.
/// What they prove is `recorded` for the next stage.
fn tests(effort: Effort, recorded: &OnceCell<PathBuf>) -> Result<Outcome> {
    let mut tests = cargo();
    tests.args(["test", "--workspace", "--all-features", "--locked"]);
    // Nobody else sets it.
    let _ = recorded.set(requirements::recording(&mut tests)?);
    all_passed([tests.env("LMTP_EFFORT", effort.name())])
}

fn proofs(recorded: &OnceCell<PathBuf>) -> Result<Outcome> {
    requirements::run(recorded.get().cloned(), true)?;
    Ok(Outcome::Passed)
}

fn all_passed<'a>(commands: impl IntoIterator<Item = &'a mut Command>) -> Result<Outcome> {
    commands.into_iter().try_for_each(process::run)?;
    Ok(Outcome::Passed)
}

fn missing_component(subcommand: &str, component: &str) -> Option<Outcome> {
    let is_there = process::is_available("cargo", &[subcommand, "--version"]);
    (!is_there).then(|| Outcome::Skipped(format!("no {component}; rustup component add {component} brings it")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn efforts_have_names() {
        for effort in [Effort::Quick, Effort::Ci, Effort::Long] {
            assert_eq!(effort.name().parse::<Effort>().unwrap(), effort);
        }
        assert!("thorough".parse::<Effort>().is_err());
    }
}
