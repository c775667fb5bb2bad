//! `lmtp conformance server`: the checks against a server on a socket.

mod line;
mod plan;
mod profile;
mod shutdown;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lmtp_blocking::{ClientTls, ForwardPath};
use lmtp_conformance::property;
use lmtp_conformance::{Addresses, Check, Outcome, SocketTarget, Tls, Verdict, catalogue};
use serde_json::json;

use self::line::Line;
use self::plan::{Plan, Planned};
use self::profile::Profile;
use super::{Choice, Head};
use crate::console::{self, Console};
use crate::exit::Exit;

/// Check a server. It delivers small messages to the address given with --good.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Server {
    /// Where the server is: lmtp://HOST:PORT, lmtps://HOST:PORT, unix:PATH, or exec:COMMAND for one that serves its standard
    /// input and output.
    #[arg(value_parser = SocketTarget::parse, required_unless_present = "list")]
    url: Option<SocketTarget>,

    /// An address that the server accepts. It gets messages. A second one is for the checks with two people.
    #[arg(long, value_name = "ADDRESS", required_unless_present_any = ["list", "profile"])]
    good: Vec<ForwardPath>,

    /// An address that the server refuses; without it some checks are not run.
    #[arg(long, value_name = "ADDRESS")]
    bad: Option<ForwardPath>,

    /// An address that the server accepts and cannot deliver to: its mailbox is full, say.
    #[arg(long, value_name = "ADDRESS")]
    full: Option<ForwardPath>,

    /// How long the server waits for a client that says nothing. With it the checks of that are run, and take as long.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    idle: Option<u64>,

    /// Who may log in, for the checks of AUTH. Without the password it is that of --auth-password-file, or of the environment:
    /// `LMTP_AUTH_PASSWORD`.
    #[arg(long, value_name = "USER[:PASSWORD]")]
    auth: Option<String>,

    /// The password of --auth: what is in this file.
    #[arg(long, value_name = "FILE", requires = "auth")]
    auth_password_file: Option<PathBuf>,

    /// A TOML file with `good`, `bad`, `full`, `idle`, `auth`, `auth_password_file`, and a table `skip` of checks that are not run: their names and why.
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,

    /// Authorities to trust in TLS (PEM). Without it no certificate is looked at: this is about LMTP.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    #[command(flatten)]
    choice: Choice,

    /// Deliver no more than so many messages, one for each recipient: the checks that might deliver more are not run.
    #[arg(long, value_name = "N")]
    messages: Option<usize>,

    /// A command that tells the server to stop, as at its end: words without a shell. With it the checks of that are run, the
    /// last of all.
    #[arg(long, value_name = "COMMAND")]
    shutdown: Option<String>,

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

    /// Write the results to this file, too, as test suites do for build servers.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: &Server) -> Exit {
    let chosen = |check: &Check| args.choice.covers(&Head::from(check));
    let checks: Vec<Check> = catalogue().into_iter().filter(chosen).collect();
    let console = Console::new();
    if checks.is_empty() && args.choice.only.as_deref() != Some(MADE_UP) {
        console.error("no check has this name and level");
        return Exit::Usage;
    }
    let (false, Some(target)) = (args.choice.list, &args.url) else {
        return super::list(checks.iter().map(Head::from));
    };
    let (profile, addresses, tls) = match args.set_up() {
        Ok(set_up) => set_up,
        Err(why) => {
            console.error(&why);
            return Exit::Configuration;
        }
    };
    let plan = Plan::new(args, checks, &profile, addresses);
    if !args.json {
        console::result(&plan.told(args));
    }
    let line = Line {
        target,
        deadline: Duration::from_secs(args.timeout),
        pause: Duration::from_secs(1) / u32::try_from(args.rate).unwrap_or(1),
        tls,
    };
    if let Err(error) = target.connect(line.deadline, Some(&line.tls)) {
        console.error(&format!("no connection: {error}"));
        return Exit::TryLater;
    }
    let mut results = checked(&plan, &line, &console);
    let made_up = plan.cases.map(|cases| {
        let chunking = line.offers_chunking(&plan.addresses);
        property::hold_within(&plan.settings(args.seed, cases, chunking), plan.left, || line.open())
    });
    // Behind all else: there is no server any more.
    results.extend(stopped(&plan, &line, args.shutdown.as_deref()));
    if args.json {
        print_json(&results, made_up.as_ref(), args.seed, plan.messages);
    } else {
        print(&results, made_up.as_ref(), args.seed);
    }
    if let Some(file) = &args.junit
        && let Err(error) = std::fs::write(file, super::junit(heads(&results)))
    {
        console.error(&format!("{}: {error}", file.display()));
        return Exit::Configuration;
    }
    if results.iter().any(|(_, verdict)| line::is_gone(verdict)) {
        console.error("the server could not be reached for all of the checks");
        return Exit::TryLater;
    }
    if let Some(why) = results.iter().find_map(|(_, verdict)| shutdown::trouble(verdict)) {
        console.error(why);
        return Exit::Configuration;
    }
    if matches!(made_up, Some(Err(_))) { Exit::NotAsScripted } else { super::exit(heads(&results)) }
}

type Results<'p> = Vec<(&'p Check, Verdict)>;

/// Runs all that the server outlives, with a bar below, where there is a terminal.
fn checked<'p>(plan: &'p Plan, line: &Line<'_>, console: &Console) -> Results<'p> {
    let planned = || plan.checks.iter().filter(|planned| !shutdown::is_one(&planned.check));
    let bar = super::bar(planned().count(), console);
    let results = planned().map(|Planned { check, not_run: reason }| {
        bar.set_message(check.id.clone());
        let verdict = reason.clone().map_or_else(|| line.check(check, &plan.addresses), not_run);
        bar.inc(1);
        (check, verdict)
    });
    let results = results.collect();
    console.set_status(None);
    results
}

/// Runs what the server does not outlive.
fn stopped<'p>(plan: &'p Plan, line: &Line<'_>, command: Option<&str>) -> Results<'p> {
    let planned = plan.checks.iter().filter(|planned| shutdown::is_one(&planned.check));
    let (mut results, mut due) = (Results::new(), Vec::new());
    for Planned { check, not_run: reason } in planned {
        match reason {
            Some(why) => results.push((check, not_run(why.clone()))),
            None => due.push(check),
        }
    }
    if let Some(command) = command
        && !due.is_empty()
    {
        let verdicts = shutdown::checked(&due, &plan.addresses, line, command);
        results.extend(due.into_iter().zip(verdicts));
    }
    results
}

fn not_run(why: String) -> Verdict {
    Verdict { outcome: Outcome::NotRun(why), transcript: Vec::new() }
}

impl Server {
    fn set_up(&self) -> Result<(Profile, Addresses, Tls), String> {
        let profile = self.profile.as_deref().map_or(Ok(Profile::default()), Profile::read)?;
        let tls = ClientTls::builder();
        let tls = match &self.ca_file {
            Some(file) => tls.ca_file(file),
            None => tls.dangerous_without_verification(),
        };
        let addresses = self.addresses(&profile)?;
        Ok((profile, addresses, tls.build().map_err(|error| error.to_string())?.config()))
    }
}

/// The name of the made-up conversations among the checks.
const MADE_UP: &str = "made-up";

type MadeUp = Result<(), property::Counterexample>;

fn heads<'r>(results: &'r Results<'_>) -> impl Iterator<Item = (Head<'r>, &'r Verdict)> {
    results.iter().map(|(check, verdict)| (Head::from(*check), verdict))
}

fn print(results: &Results<'_>, made_up: Option<&MadeUp>, seed: u64) {
    super::print_verdicts(heads(results));
    if let Some(Err(found)) = made_up {
        console::result(&format!("failed: {MADE_UP} (seed {seed}): {}", found.why));
        found.transcript.iter().for_each(|line| console::result(&format!("  {line}")));
    }
    super::print_summary(heads(results));
}

fn print_json(results: &Results<'_>, made_up: Option<&MadeUp>, seed: u64, messages: usize) {
    let made_up = made_up.map(|result| match result {
        Ok(()) => json!({"outcome": "passed", "why": null, "transcript": null}),
        Err(found) => json!({"outcome": "failed", "why": found.why, "transcript": found.transcript}),
    });
    console::result(
        &json!({"seed": seed, "messages": messages, "checks": super::in_json(heads(results)), "made_up": made_up}),
    );
}

const EXAMPLES: &str = "\
Examples:
  lmtp conformance server --list
  lmtp conformance server unix:/run/dovecot/lmtp --good bob@example.org --bad nobody@example.org
  lmtp conformance server lmtps://mail.example.org:24 --good bob@example.org --full full@example.org --junit lmtp.xml
  lmtp conformance server 'exec:my-server --stdio' --good bob@x --profile my-server.toml
  lmtp conformance server lmtp://127.0.0.1:24 --good bob@example.org --only replies --json
  lmtp conformance server unix:/run/lmtp --good bob@example.org --shutdown 'systemctl stop my-server'

Some hundred small messages are delivered to the good address: give one whose mail nobody reads. How many it would be is \
said up front, and --messages is a bound.

Exit codes:
   0  all that was checked is as it should be
   1  a MUST is not kept
   2  every MUST is kept, a SHOULD is not
   3  every MUST and SHOULD is kept, something that peers expect is not
  64  the command line is wrong
  75  the server cannot be reached
  78  a file cannot be read or written, or the command of --shutdown fails";
