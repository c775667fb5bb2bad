//! How real servers do in the checks of `lmtp conformance server`: `cargo xtask conformance`.
//!
//! To add a server, write a [`Target`] and name it in [`TARGETS`]. What comes out is printed, and with `--write`
//! put between the marks of a page of the book, where what it means is written by hand.

mod ours;
mod page;
mod results;
mod theirs;

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::conformance::page::Page;
use crate::conformance::results::{Results, Sentences};
use crate::interop::Availability;
use crate::interop::program::Program;
use crate::process;
use crate::project::{self, green, red, yellow};

/// The page that the results go to.
const PAGE: &str = "docs/book/src/conformance-results.md";
/// A server that does not answer in time takes the longest.
const LIMIT: Duration = Duration::from_secs(600);

/// A server that is checked.
trait Target {
    fn name(&self) -> &'static str;

    /// As people call it.
    fn title(&self) -> &'static str;

    /// Ours pass everything.
    fn is_ours(&self) -> bool {
        false
    }

    /// Installs what the server needs, where this may be done, or says why it cannot be had.
    fn obtain(&self) -> Result<Availability>;

    /// Which one it is.
    fn version(&self, program: &Program) -> Result<String>;

    fn start(&self, program: &Program) -> Result<Running>;
}

/// A server that runs.
struct Running {
    url: String,
    /// An address that it accepts.
    good: &'static str,
    /// Another one.
    other: Option<&'static str>,
    /// One that it refuses, if it refuses any.
    bad: Option<&'static str>,
    /// One that it accepts and then cannot deliver to.
    full: Option<&'static str>,
    /// Stops it, and proves that nothing of it is left. Dropped, it stops it too.
    stop: Box<dyn FnOnce() -> Result<()>>,
}

/// Every server there is.
const TARGETS: [&dyn Target; 10] = [
    &ours::Serve,
    &ours::FrontEnd { name: "lmtp-blocking", program: "blocking_receive" },
    &ours::FrontEnd { name: "lmtp-tokio", program: "tokio_receive" },
    &ours::FrontEnd { name: "lmtp-smol", program: "smol_receive" },
    &ours::FrontEnd { name: "lmtp-async-std", program: "async_std_receive" },
    &theirs::Dovecot,
    &theirs::Cyrus,
    &theirs::SmtpSink,
    &theirs::Aiosmtpd,
    &theirs::SmtpServer,
];

/// Checks one server, or all.
pub(crate) fn run(name: Option<&str>, write: bool, strict: bool) -> Result<()> {
    let wanted: Vec<_> = TARGETS.into_iter().filter(|target| name.is_none_or(|name| name == target.name())).collect();
    let names = TARGETS.map(Target::name).join(", ");
    ensure!(!wanted.is_empty(), "no server `{}`; there are: {names}", name.unwrap_or_default());
    let program = Program::build()?;
    let sentences = Sentences::parse(&process::capture(process::command(program.path()).args([
        "conformance",
        "server",
        "--list",
    ]))?)?;
    let mut all = Vec::new();
    let mut broken = Vec::new();
    for target in wanted {
        println!("{}", target.name());
        let outcome = check(target, &program, &sentences).with_context(|| target.name())?;
        let Checked::Results(results) = outcome else {
            let Checked::Skipped(why) = outcome else { continue };
            ensure!(!strict, "{} cannot be had: {why}", target.name());
            println!("{} {}", target.name(), yellow(&format!("skipped: {why}")));
            continue;
        };
        print(&results);
        if target.is_ours() && !results.findings.is_empty() {
            broken.push(target.name());
        }
        all.push(results);
    }
    println!("\n{}", page::table(&all.iter().map(page::Row::of).collect::<Vec<_>>()));
    if write {
        put(&all)?;
    }
    ensure!(broken.is_empty(), "our own fail: {}", broken.join(", "));
    Ok(())
}

enum Checked {
    Results(Results),
    Skipped(String),
}

/// Obtains a server, starts it, checks it, stops it.
fn check(target: &dyn Target, program: &Program, sentences: &Sentences) -> Result<Checked> {
    if let Availability::Missing(why) = target.obtain()? {
        return Ok(Checked::Skipped(why));
    }
    let version = target.version(program)?;
    let Running { url, good, other, bad, full, stop } = target.start(program)?;
    let mut command = process::command(program.path());
    command.args(["conformance", "server", &url, "--good", good, "--json"]);
    command.args(["--timeout", "2", "--rate", "1000", "--cases", "20"]);
    for (option, address) in [("--good", other), ("--bad", bad), ("--full", full)] {
        if let Some(address) = address {
            command.args([option, address]);
        }
    }
    let finished = process::finish_within(&mut command, LIMIT)?;
    stop()?;
    // Which of them says what the worst finding is.
    if !matches!(finished.status.code(), Some(0..=3)) {
        bail!("`{}`: {}: {}", process::line(&command), finished.status, finished.stderr);
    }
    let results = results::parse(&finished.stdout, sentences)?;
    Ok(Checked::Results(Results { name: target.name(), title: target.title(), version, ..results }))
}

fn print(results: &Results) {
    for finding in &results.findings {
        println!("  {} {}", red("failed"), finding.headline());
        println!("    {}: {}", finding.sentence, finding.why);
        finding.transcript.iter().for_each(|line| println!("      {line}"));
    }
    let verdict = if results.findings.is_empty() { green("ok") } else { red("failed") };
    println!("{} {} {verdict}", results.name, results.version);
}

/// Writes the page, where each of these stands in its place.
fn put(all: &[Results]) -> Result<()> {
    let path = project::root().join(PAGE);
    let text = fs::read_to_string(&path).with_context(|| PAGE)?;
    let mut page = Page::parse(&text).with_context(|| PAGE)?;
    for results in all {
        for told in page.put(results)? {
            println!("{PAGE}: {told}");
        }
    }
    page.put_table(all, &TARGETS.map(Target::name));
    fs::write(&path, page.text()).with_context(|| PAGE)?;
    println!("{PAGE} is written");
    Ok(())
}
