//! `lmtp conformance`: the checks of `lmtp-conformance` against a server on a socket, or a client that is a program.

mod client;
mod server;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lmtp_conformance::{Level, Outcome, Verdict};
use serde_json::{Value, json};

use crate::console::{self, Console};
use crate::exit::Exit;

/// Check whether a server or a client keeps the rules of LMTP.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Conformance {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Server(Box<server::Server>),
    Client(client::Client),
}

/// Runs the command.
pub(crate) fn run(args: &Conformance) -> Exit {
    match &args.what {
        What::Server(args) => server::run(args),
        What::Client(args) => client::run(args),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LevelChoice {
    Must,
    Should,
    All,
}

/// Which checks.
#[derive(Debug, Args)]
struct Choice {
    /// List the checks and run none.
    #[arg(long)]
    list: bool,

    /// Run this check, or those whose names begin so.
    #[arg(long, value_name = "ID")]
    only: Option<String>,

    /// Run the checks of this level and above.
    #[arg(long, value_enum, default_value_t = LevelChoice::All)]
    level: LevelChoice,
}

impl Choice {
    fn covers(&self, check: &Head<'_>) -> bool {
        let is_high = match self.level {
            LevelChoice::Must => check.level == Level::Must,
            LevelChoice::Should => check.level <= Level::Should,
            LevelChoice::All => true,
        };
        is_high && self.only.as_ref().is_none_or(|only| check.id.starts_with(only.as_str()))
    }
}

/// A check, of whichever kind, as it is told of.
#[derive(Debug, Clone, Copy)]
struct Head<'c> {
    id: &'c str,
    level: Level,
    section: &'c str,
    rules: &'c [String],
    about: &'c str,
}

macro_rules! heads {
    ($($check:ty),+) => {$(
        impl<'c> From<&'c $check> for Head<'c> {
            fn from(check: &'c $check) -> Self {
                let (id, section, about) = (&check.id, &check.section, &check.about);
                Self { id, level: check.level, section, rules: &check.rules, about }
            }
        }
    )+};
}

heads!(lmtp_conformance::Check, lmtp_conformance::client::Check);

fn list<'c>(checks: impl Iterator<Item = Head<'c>>) -> Exit {
    for Head { id, level, section, rules, about } in checks {
        let (level, rules) = (level.name(), rules.join(","));
        console::result(&format!("{id}  {level}  {section}  {rules}  {about}"));
    }
    Exit::Done
}

fn words(outcome: &Outcome) -> (&'static str, Option<&str>) {
    match outcome {
        Outcome::Passed => ("passed", None),
        Outcome::Failed(why) => ("failed", Some(why)),
        Outcome::NotApplicable(why) => ("not applicable", Some(why)),
        Outcome::NotRun(why) => ("not run", Some(why)),
    }
}

fn failed(verdict: &Verdict) -> bool {
    matches!(verdict.outcome, Outcome::Failed(_))
}

/// By what failed that binds the most.
fn exit<'c>(results: impl Iterator<Item = (Head<'c>, &'c Verdict)>) -> Exit {
    match results.filter_map(|(check, verdict)| broken(check.level, verdict)).min() {
        None => Exit::Done,
        Some(Level::Must) => Exit::NotAsScripted,
        Some(Level::Should) => Exit::NotAsAdvised,
        Some(Level::May) => Exit::NotAsExpected,
    }
}

/// How strongly binds what was broken, if anything was. What always holds for clients has its own level, and says so.
fn broken(level: Level, verdict: &Verdict) -> Option<Level> {
    let Outcome::Failed(why) = &verdict.outcome else { return None };
    let own = [Level::Must, Level::Should].into_iter().find(|level| why.contains(&format!("({} RFC ", level.name())));
    Some(own.map_or(level, |own| own.min(level)))
}

/// What did not pass, with the conversation where it failed.
fn print_verdicts<'c>(results: impl Iterator<Item = (Head<'c>, &'c Verdict)>) {
    for (check, verdict) in results {
        let (outcome, Some(why)) = words(&verdict.outcome) else { continue };
        console::result(&format!("{outcome}: {} ({} {}): {why}", check.id, check.level.name(), check.section));
        if failed(verdict) {
            console::result(&format!("  {} [{}]", check.about, check.rules.join(", ")));
            verdict.transcript.iter().for_each(|line| console::result(&format!("  {line}")));
        }
    }
}

/// How many passed and did not, by document and level.
fn print_summary<'c>(results: impl Iterator<Item = (Head<'c>, &'c Verdict)>) {
    let mut summary: BTreeMap<(&str, Level), BTreeMap<&str, u32>> = BTreeMap::new();
    for (check, verdict) in results {
        let document = check.section.rsplit_once(' ').map_or("", |(document, _)| document);
        let (outcome, _) = words(&verdict.outcome);
        *summary.entry((document, check.level)).or_default().entry(outcome).or_default() += 1;
    }
    for ((document, level), counts) in summary {
        let counts: Vec<String> = counts.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        console::result(&format!("{document} {}: {}", level.name(), counts.join(", ")));
    }
}

/// A bar below what is said, where there is a terminal.
fn bar(checks: usize, console: &Console) -> ProgressBar {
    let style = ProgressStyle::with_template("[{bar:30}] {pos} of {len} {msg}");
    let bar = ProgressBar::with_draw_target(Some(checks as u64), ProgressDrawTarget::stderr())
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    console.set_status(Some(bar.clone()));
    bar
}

/// The results as build servers read them.
fn junit<'c>(results: impl Iterator<Item = (Head<'c>, &'c Verdict)>) -> String {
    let (mut cases, mut counts) = (String::new(), [0; 3]);
    for (check, verdict) in results {
        let (group, name) = check.id.split_once('/').unwrap_or(("", check.id));
        let (outcome, why) = words(&verdict.outcome);
        let why = escaped(why.unwrap_or_default());
        let about = escaped(&format!("{} {}: {}", check.level.name(), check.section, check.about));
        counts[0] += 1;
        // Writing to a String cannot fail.
        let _ = write!(cases, "  <testcase classname=\"{group}\" name=\"{name}\">");
        let _ = match verdict.outcome {
            Outcome::Passed => Ok(()),
            Outcome::Failed(_) => {
                counts[1] += 1;
                let said = escaped(&verdict.transcript.join("\n"));
                write!(cases, "<failure message=\"{why}\">{about}\n{said}</failure>")
            }
            _ => {
                counts[2] += 1;
                write!(cases, "<skipped message=\"{outcome}: {why}\"/>")
            }
        };
        cases.push_str("</testcase>\n");
    }
    let [tests, failures, skipped] = counts;
    let head = format!("name=\"lmtp conformance\" tests=\"{tests}\" failures=\"{failures}\" skipped=\"{skipped}\"");
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite {head}>\n{cases}</testsuite>\n")
}

/// Text within XML, without what XML does not know.
fn escaped(text: &str) -> String {
    let known: String = text.chars().filter(|char| !char.is_control() || *char == '\n').collect();
    known.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fn in_json<'c>(results: impl Iterator<Item = (Head<'c>, &'c Verdict)>) -> Vec<Value> {
    let checks = results.map(|(check, verdict)| {
        let (outcome, why) = words(&verdict.outcome);
        let transcript = failed(verdict).then_some(&verdict.transcript);
        json!({"id": check.id, "level": check.level.name(), "section": check.section, "rules": check.rules, "about": check.about,
               "outcome": outcome, "why": why, "transcript": transcript})
    });
    checks.collect()
}

const EXAMPLES: &str = "\
Examples:
  lmtp conformance server unix:/run/dovecot/lmtp --good bob@example.org --bad nobody@example.org
  lmtp conformance client --cmd 'lmtp send {url} --from {from} --to {to*}... --json {file}'
  lmtp conformance client --list

`lmtp conformance server --help` and `lmtp conformance client --help` have more of them, and the exit codes.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_binds_the_most_counts() {
        let verdict = |outcome| Verdict { outcome, transcript: Vec::new() };
        let failed = |why: &str| verdict(Outcome::Failed(why.to_owned()));
        let law = "r1 was reported as delivered (MUST RFC 2033 4.2, R2033-4.2-j)";
        for (level, verdict, expected) in [
            (Level::May, failed("421 where 250 was due"), Some(Level::May)),
            (Level::May, failed(law), Some(Level::Must)),
            (Level::Must, failed("it did not wait (SHOULD RFC 5321 4.3.1, R5321-4.3.1-a)"), Some(Level::Must)),
            (Level::Must, verdict(Outcome::Passed), None),
            (Level::Must, verdict(Outcome::NotRun(law.to_owned())), None),
        ] {
            assert_eq!(broken(level, &verdict), expected, "{verdict:?}");
        }
    }
}
