//! How real servers and clients do in the checks of `lmtp conformance`: `cargo xtask conformance`.
//!
//! To add one, write a [`Target`] and name it in [`SERVERS`] or [`CLIENTS`]. What comes out is printed, and with
//! `--write` put between the marks of a page of the book, where what it means is written by hand.

mod clients;
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

/// Somebody who does not answer in time takes the longest.
const LIMIT: Duration = Duration::from_secs(600);
/// How long an answer is waited for, in seconds.
const TIMEOUT: &str = "2";

/// Who is checked.
trait Target {
    fn name(&self) -> &'static str;

    /// As people call it.
    fn title(&self) -> &'static str;

    /// Ours pass everything.
    fn is_ours(&self) -> bool {
        false
    }

    /// Installs what is needed, where this may be done, or says why it cannot be had.
    fn obtain(&self) -> Result<Availability>;

    /// Which one it is.
    fn version(&self, program: &Program) -> Result<String>;

    fn start(&self, program: &Program) -> Result<Running>;
}

/// A server that runs, or a client that can be called.
struct Running {
    /// Behind `lmtp conformance`: who is checked.
    args: Vec<String>,
    /// Stops it, and proves that nothing of it is left. Dropped, it stops it too.
    stop: Box<dyn FnOnce() -> Result<()>>,
}

/// The addresses of a server, as far as it has them.
#[derive(Debug, Default, Clone, Copy)]
struct Who {
    /// One that it accepts.
    good: &'static str,
    /// Another one.
    other: Option<&'static str>,
    /// One that it refuses.
    bad: Option<&'static str>,
    /// One that it accepts and then cannot deliver to.
    full: Option<&'static str>,
}

impl Running {
    /// A server, and its addresses.
    fn server(url: &str, who: Who, stop: impl FnOnce() -> Result<()> + 'static) -> Self {
        let mut args = vec!["server", url, "--good", who.good, "--rate", "1000"];
        for (option, address) in [("--good", who.other), ("--bad", who.bad), ("--full", who.full)] {
            args.extend(address.into_iter().flat_map(|address| [option, address]));
        }
        Self { args: args.into_iter().map(str::to_owned).collect(), stop: Box::new(stop) }
    }

    /// A client, by the template of its command.
    fn client(template: &str, stop: impl FnOnce() -> Result<()> + 'static) -> Self {
        let args = ["client", "--cmd", template].map(str::to_owned).to_vec();
        Self { args, stop: Box::new(stop) }
    }
}

/// Servers or clients, and their page.
struct Side {
    /// As the program has it.
    name: &'static str,
    /// The page that the results go to.
    page: &'static str,
    targets: &'static [&'static dyn Target],
}

const SIDES: [Side; 2] = [
    Side { name: "server", page: "docs/book/src/conformance-results.md", targets: &SERVERS },
    Side { name: "client", page: "docs/book/src/conformance-results-clients.md", targets: &CLIENTS },
];

/// Every client there is.
const CLIENTS: [&dyn Target; 7] = [
    &clients::Send,
    &clients::Deliver,
    &clients::Postfix,
    &clients::Exim,
    &clients::Swaks,
    &clients::Smtplib,
    &clients::Nodemailer,
];

/// Every server there is.
const SERVERS: [&dyn Target; 10] = [
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

/// Checks one server or client, or all.
pub(crate) fn run(name: Option<&str>, write: bool, strict: bool) -> Result<()> {
    let all = SIDES.iter().flat_map(|side| side.targets).map(|target| target.name());
    let names: Vec<&str> = all.collect();
    let is_known = name.is_none_or(|name| names.contains(&name));
    ensure!(is_known, "no server or client `{}`; there are: {}", name.unwrap_or_default(), names.join(", "));
    let program = Program::build()?;
    let mut broken = Vec::new();
    for side in &SIDES {
        let wanted = side.targets.iter().copied().filter(|target| name.is_none_or(|name| name == target.name()));
        let all = side.check(&program, wanted, strict)?;
        if all.is_empty() {
            continue;
        }
        println!(
            "\n{}",
            page::table(side.name, &all.iter().map(|(_, results)| page::Row::of(results)).collect::<Vec<_>>())
        );
        if write {
            side.put(&all)?;
        }
        broken.extend(
            all.iter()
                .filter(|(is_ours, results)| *is_ours && !results.findings.is_empty())
                .map(|(_, results)| results.name),
        );
    }
    ensure!(broken.is_empty(), "our own fail: {}", broken.join(", "));
    Ok(())
}

enum Checked {
    Results(Results),
    Skipped(String),
}

impl Side {
    /// Checks these, and says which are ours.
    fn check(
        &self,
        program: &Program,
        wanted: impl Iterator<Item = &'static dyn Target>,
        strict: bool,
    ) -> Result<Vec<(bool, Results)>> {
        let list = process::capture(process::command(program.path()).args(["conformance", self.name, "--list"]))?;
        let sentences = Sentences::parse(&list)?;
        let mut all = Vec::new();
        for target in wanted {
            println!("{}", target.name());
            match check(target, program, &sentences).with_context(|| target.name())? {
                Checked::Results(results) => {
                    print(&results);
                    all.push((target.is_ours(), results));
                }
                Checked::Skipped(why) => {
                    ensure!(!strict, "{} cannot be had: {why}", target.name());
                    println!("{} {}", target.name(), yellow(&format!("skipped: {why}")));
                }
            }
        }
        Ok(all)
    }

    /// Writes the page, where each of these stands in its place.
    fn put(&self, all: &[(bool, Results)]) -> Result<()> {
        let path = project::root().join(self.page);
        let text = fs::read_to_string(&path).with_context(|| self.page)?;
        let mut page = Page::parse(&text).with_context(|| self.page)?;
        let all: Vec<&Results> = all.iter().map(|(_, results)| results).collect();
        for results in &all {
            for told in page.put(results)? {
                println!("{}: {told}", self.page);
            }
        }
        let order: Vec<&str> = self.targets.iter().map(|target| target.name()).collect();
        page.put_table(self.name, &all, &order);
        fs::write(&path, page.text()).with_context(|| self.page)?;
        println!("{} is written", self.page);
        Ok(())
    }
}

/// Obtains somebody, starts it, checks it, stops it.
fn check(target: &dyn Target, program: &Program, sentences: &Sentences) -> Result<Checked> {
    if let Availability::Missing(why) = target.obtain()? {
        return Ok(Checked::Skipped(why));
    }
    let version = target.version(program)?;
    let Running { args, stop } = target.start(program)?;
    let mut command = process::command(program.path());
    command.arg("conformance").args(args).args(["--json", "--timeout", TIMEOUT, "--cases", "20"]);
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
