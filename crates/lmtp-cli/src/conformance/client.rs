//! `lmtp conformance client`: a server that does as it is told, and a program that sends it mail.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::{Args, ValueEnum};
use lmtp_conformance::client::{Adapter, Check, Place, Program, Settings, catalogue, made_up, run as play, run_all};
use lmtp_conformance::{Outcome, Verdict};
use serde_json::json;

use super::{Choice, Head};
use crate::console::{self, Console};
use crate::exit::Exit;

/// Check a client, a program: it sends messages to a server of ours that misbehaves.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Client {
    /// The command: words as in a shell, with {url} {host} {port} {socket} {from} {to*} {file} {timeout}.
    #[arg(long, value_name = "TEMPLATE", required_unless_present = "list")]
    cmd: Option<String>,

    /// How the client tells what became of a message.
    #[arg(long, value_enum, default_value_t = AdapterChoice::Json)]
    adapter: AdapterChoice,

    #[command(flatten)]
    choice: Choice,

    /// How many checks to make up.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    cases: u32,

    /// The same seed makes up the same checks.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// What {timeout} stands for, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,

    /// How long the client may take for a message before it is killed.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    deadline: u64,

    /// How many checks to run at a time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,

    /// Write the results to this file, too, as test suites do for build servers.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AdapterChoice {
    /// As `lmtp send --json`: {"recipients": [{"recipient": ADDRESS, "outcome": WORD}, …]}.
    Json,
    /// By the exit code: 0 is success, 75 is try again, any other is failure.
    Exit,
}

/// Runs the command.
pub(super) fn run(args: &Client) -> Exit {
    let chosen = |check: &Check| args.choice.covers(&Head::from(check));
    let made_up = if args.choice.list { Vec::new() } else { made_up(args.seed, args.cases) };
    let checks: Vec<Check> = catalogue().into_iter().chain(made_up).filter(chosen).collect();
    let console = Console::new();
    let Some(first) = checks.first() else {
        console.error("no check has this name and level");
        return Exit::Usage;
    };
    let (false, Some(command)) = (args.choice.list, &args.cmd) else {
        return super::list(checks.iter().map(Head::from));
    };
    let adapter = match args.adapter {
        AdapterChoice::Json => Adapter::Json,
        AdapterChoice::Exit => Adapter::Exit,
    };
    let program = match Program::new(command, adapter) {
        Ok(program) => program,
        Err(why) => {
            console.error(&format!("--cmd: {why}"));
            return Exit::Usage;
        }
    };
    let settings = Settings {
        place: if program.wants_socket() { Place::Unix } else { Place::Tcp },
        timeout: Duration::from_secs(args.timeout),
        deadline: Duration::from_secs(args.deadline),
        jobs: args.jobs.into(),
    };
    // What cannot be started once will not be a hundred times.
    if first.needs.is_none()
        && let Outcome::NotRun(why) = play(first, &program, &settings).outcome
    {
        console.error(&format!("--cmd: {why}"));
        return Exit::Usage;
    }
    let verdicts = watched(&checks, &program, &settings, &console);
    let results = || checks.iter().map(Head::from).zip(&verdicts);
    if args.json {
        console::result(&json!({"seed": args.seed, "checks": super::in_json(results())}));
    } else {
        super::print_verdicts(results());
        super::print_summary(results());
    }
    if let Some(file) = &args.junit
        && let Err(error) = std::fs::write(file, super::junit(results()))
    {
        console.error(&format!("{}: {error}", file.display()));
        return Exit::Configuration;
    }
    // A check that needs what is not there is no fault; one that could not be run all the same is.
    let stopped = |(check, verdict): (&Check, &Verdict)| {
        check.needs.is_none() && !matches!(verdict.outcome, Outcome::Passed | Outcome::Failed(_))
    };
    if checks.iter().zip(&verdicts).any(stopped) { Exit::NotAsScripted } else { super::exit(results()) }
}

/// Runs the checks with a bar below, where there is a terminal.
fn watched(checks: &[Check], program: &Program, settings: &Settings, console: &Console) -> Vec<Verdict> {
    let bar = super::bar(checks.len(), console);
    let count = AtomicU64::new(0);
    let verdicts = run_all(checks, program, settings, &|check| {
        bar.set_message(check.id.clone());
        bar.set_position(count.fetch_add(1, Ordering::Relaxed) + 1);
    });
    console.set_status(None);
    verdicts
}

const EXAMPLES: &str = "\
Examples:
  lmtp conformance client --list
  lmtp conformance client --cmd 'lmtp send {url} --from {from} --to {to*}... --json --timeout {timeout} {file}'
  lmtp conformance client --adapter exit --cmd 'my-client --socket {socket} -f {from} {to*}' --only outcomes

No shell is involved. {to*} is there once for each recipient, and so is a word that holds it, as in --to={to*}; a word \
{to*}... repeats the word before it, too. {from} is <> for the null sender. Without {file} the message is on \
standard input. With {socket} the server listens on a Unix socket, else on a port of 127.0.0.1. Without {timeout} the \
checks with a silent server are not run.

Exit codes:
   0  all that was checked is as it should be
   1  a MUST is not kept, or a check could not be run
   2  every MUST is kept, a SHOULD is not
   3  every MUST and SHOULD is kept, something that peers expect is not
  64  the command line is wrong, or the command cannot be run";
