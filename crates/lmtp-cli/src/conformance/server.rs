//! `lmtp conformance server`: the checks against a server on a socket.

use std::thread;
use std::time::Duration;

use clap::Args;
use lmtp_blocking::ForwardPath;
use lmtp_conformance::property::{self, Settings};
use lmtp_conformance::{
    Addresses, Check, Conversation, Lost, Outcome, Socket, SocketTarget, Verdict, catalogue, run as play,
};
use serde_json::json;

use super::{Head, LevelChoice};
use crate::console::{self, Console};
use crate::exit::Exit;

/// Check a server. It delivers small messages to the address given with --good.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Server {
    /// Where the server is: lmtp://HOST:PORT or unix:PATH.
    #[arg(value_parser = SocketTarget::parse, required_unless_present = "list")]
    url: Option<SocketTarget>,

    /// An address that the server accepts. It gets messages.
    #[arg(long, value_name = "ADDRESS", required_unless_present = "list")]
    good: Option<ForwardPath>,

    /// An address that the server refuses; without it some checks are not run.
    #[arg(long, value_name = "ADDRESS")]
    bad: Option<ForwardPath>,

    /// List the checks and connect to nothing.
    #[arg(long)]
    list: bool,

    /// Run this check, or those whose names begin so.
    #[arg(long, value_name = "ID")]
    only: Option<String>,

    /// Run the checks of this level and above.
    #[arg(long, value_enum, default_value_t = LevelChoice::All)]
    level: LevelChoice,

    /// How many conversations to make up.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    cases: u32,

    /// The same seed makes up the same conversations.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// How long to wait for a reply.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,

    /// How many connections a second at most.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    rate: u64,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Server) -> Exit {
    let chosen = |check: &Check| {
        args.level.covers(check.level) && args.only.as_ref().is_none_or(|only| check.id.starts_with(only.as_str()))
    };
    let checks: Vec<Check> = catalogue().into_iter().filter(chosen).collect();
    let console = Console::new();
    if checks.is_empty() && args.only.as_deref() != Some(MADE_UP) {
        console.error("no check has this name and level");
        return Exit::Usage;
    }
    let (false, Some(target), Some(good)) = (args.list, &args.url, &args.good) else {
        return super::list(checks.iter().map(Head::from));
    };
    let addresses = Addresses { good: good.to_string(), bad: args.bad.as_ref().map(ToString::to_string) };
    let makes_up = args.cases > 0 && args.only.as_deref().is_none_or(|only| MADE_UP.starts_with(only));
    if !args.json {
        let cases = if makes_up { args.cases } else { 0 };
        console::result(&format!(
            "{} checks and {cases} made-up conversations (seed {}), a connection each, at most {} a second; \
             messages of at most 65 KiB go to {}",
            checks.len(),
            args.seed,
            args.rate,
            addresses.good
        ));
    }
    let line = Line {
        target,
        deadline: Duration::from_secs(args.timeout),
        pause: Duration::from_secs(1) / u32::try_from(args.rate).unwrap_or(1),
    };
    if let Err(error) = target.connect(line.deadline) {
        console.error(&format!("no connection: {error}"));
        return Exit::TryLater;
    }
    let mut results: Vec<(Check, Verdict)> = Vec::new();
    for check in checks {
        let verdict = play(&check, &addresses, &mut line.open());
        results.push((check, verdict));
    }
    let made_up = makes_up.then(|| {
        let settings = Settings {
            seed: args.seed,
            cases: args.cases,
            good: addresses.good.clone(),
            chunking: line.offers_chunking(&addresses),
        };
        property::hold(&settings, || line.open())
    });
    if args.json {
        print_json(&results, made_up.as_ref(), args.seed);
    } else {
        print(&results, made_up.as_ref(), args.seed);
    }
    let failed = results.iter().any(|(_, verdict)| super::failed(verdict));
    if failed || matches!(made_up, Some(Err(_))) { Exit::NotAsScripted } else { Exit::Done }
}

/// The name of the made-up conversations among the checks.
const MADE_UP: &str = "made-up";

type MadeUp = Result<(), property::Counterexample>;

struct Line<'t> {
    target: &'t SocketTarget,
    deadline: Duration,
    pause: Duration,
}

impl Line<'_> {
    fn open(&self) -> Link {
        thread::sleep(self.pause);
        Link(self.target.connect(self.deadline).ok())
    }

    fn offers_chunking(&self, addresses: &Addresses) -> bool {
        let check = catalogue().into_iter().find(|check| check.id == "chunking/data-still-there").expect("a check");
        !matches!(play(&check, addresses, &mut self.open()).outcome, Outcome::NotApplicable(_))
    }
}

/// A connection, or none: then nobody answers.
struct Link(Option<Socket>);

impl Conversation for Link {
    fn send(&mut self, octets: &[u8]) {
        if let Some(socket) = &mut self.0 {
            socket.send(octets);
        }
    }

    fn read(&mut self) -> Result<Vec<u8>, Lost> {
        self.0.as_mut().map_or(Err(Lost::Closed), Conversation::read)
    }
}

fn heads(results: &[(Check, Verdict)]) -> impl Iterator<Item = (Head<'_>, &Verdict)> {
    results.iter().map(|(check, verdict)| (Head::from(check), verdict))
}

fn print(results: &[(Check, Verdict)], made_up: Option<&MadeUp>, seed: u64) {
    super::print_verdicts(heads(results));
    if let Some(Err(found)) = made_up {
        console::result(&format!("failed: {MADE_UP} (seed {seed}): {}", found.why));
        found.transcript.iter().for_each(|line| console::result(&format!("  {line}")));
    }
    super::print_summary(heads(results));
}

fn print_json(results: &[(Check, Verdict)], made_up: Option<&MadeUp>, seed: u64) {
    let made_up = made_up.map(|result| match result {
        Ok(()) => json!({"outcome": "passed", "why": null, "transcript": null}),
        Err(found) => json!({"outcome": "failed", "why": found.why, "transcript": found.transcript}),
    });
    console::result(&json!({"seed": seed, "checks": super::in_json(heads(results)), "made_up": made_up}));
}

const EXAMPLES: &str = "\
Examples:
  lmtp conformance server --list
  lmtp conformance server unix:/run/dovecot/lmtp --good bob@example.org --bad nobody@example.org
  lmtp conformance server lmtp://127.0.0.1:24 --good bob@example.org --only replies --json

Some hundred small messages are delivered to the good address: give one whose mail nobody reads.

Exit codes:
   0  all that was checked is as it should be
   1  something is not
  64  the command line is wrong
  75  the server cannot be reached";
