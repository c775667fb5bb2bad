//! `lmtp conformance server`: the checks against a server on a socket.

mod profile;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Args;
use lmtp_blocking::{ClientTls, ForwardPath};
use lmtp_conformance::property::{self, Settings};
use lmtp_conformance::{
    Addresses, Check, Conversation, Lost, Outcome, Socket, SocketTarget, Tls, Verdict, catalogue, run as play,
};
use serde_json::json;

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
    /// LMTP_AUTH_PASSWORD.
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
    let set_up = || -> Result<_, String> {
        let profile = args.profile.as_deref().map_or(Ok(Profile::default()), Profile::read)?;
        let tls = ClientTls::builder();
        let tls = match &args.ca_file {
            Some(file) => tls.ca_file(file),
            None => tls.dangerous_without_verification(),
        };
        Ok((args.addresses(&profile)?, profile.skip, tls.build().map_err(|error| error.to_string())?.config()))
    };
    let (addresses, skip, tls) = match set_up() {
        Ok(set_up) => set_up,
        Err(why) => {
            console.error(&why);
            return Exit::Configuration;
        }
    };
    let makes_up = args.cases > 0 && args.choice.only.as_deref().is_none_or(|only| MADE_UP.starts_with(only));
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
        tls,
    };
    if let Err(error) = target.connect(line.deadline, Some(&line.tls)) {
        console.error(&format!("no connection: {error}"));
        return Exit::TryLater;
    }
    let bar = super::bar(checks.len(), &console);
    let mut results: Vec<(Check, Verdict)> = Vec::new();
    for check in checks {
        bar.set_message(check.id.clone());
        let verdict = match skip.get(&check.id) {
            Some(why) => not_run(format!("skipped by the profile: {why}")),
            None => match line.open().0 {
                Ok(mut socket) => play(&check, &addresses, &mut socket),
                Err(error) => not_run(format!("{GONE}{error}")),
            },
        };
        results.push((check, verdict));
        bar.inc(1);
    }
    console.set_status(None);
    let gone =
        results.iter().any(|(_, verdict)| matches!(&verdict.outcome, Outcome::NotRun(why) if why.starts_with(GONE)));
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
    if let Some(file) = &args.junit
        && let Err(error) = std::fs::write(file, super::junit(heads(&results)))
    {
        console.error(&format!("{}: {error}", file.display()));
        return Exit::Configuration;
    }
    if gone {
        console.error("the server could not be reached for all of the checks");
        return Exit::TryLater;
    }
    let failed = results.iter().any(|(_, verdict)| super::failed(verdict));
    if failed || matches!(made_up, Some(Err(_))) { Exit::NotAsScripted } else { Exit::Done }
}

/// What is said where there was no connection.
const GONE: &str = "no connection: ";

fn not_run(why: String) -> Verdict {
    Verdict { outcome: Outcome::NotRun(why), transcript: Vec::new() }
}

/// The name of the made-up conversations among the checks.
const MADE_UP: &str = "made-up";

type MadeUp = Result<(), property::Counterexample>;

struct Line<'t> {
    target: &'t SocketTarget,
    deadline: Duration,
    pause: Duration,
    tls: Tls,
}

impl Line<'_> {
    fn open(&self) -> Link {
        thread::sleep(self.pause);
        Link(self.target.connect(self.deadline, Some(&self.tls)))
    }

    fn offers_chunking(&self, addresses: &Addresses) -> bool {
        let check = catalogue().into_iter().find(|check| check.id == "chunking/data-still-there").expect("a check");
        !matches!(play(&check, addresses, &mut self.open()).outcome, Outcome::NotApplicable(_))
    }
}

/// A connection, or none: then nobody answers.
struct Link(std::io::Result<Socket>);

impl Conversation for Link {
    fn send(&mut self, octets: &[u8]) {
        if let Ok(socket) = &mut self.0 {
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
  lmtp conformance server lmtps://mail.example.org:24 --good bob@example.org --full full@example.org --junit lmtp.xml
  lmtp conformance server 'exec:my-server --stdio' --good bob@x --profile my-server.toml
  lmtp conformance server lmtp://127.0.0.1:24 --good bob@example.org --only replies --json

Some hundred small messages are delivered to the good address: give one whose mail nobody reads.

Exit codes:
   0  all that was checked is as it should be
   1  something is not
  64  the command line is wrong
  75  the server cannot be reached
  78  a file cannot be read or written";
