//! `lmtp serve` beside Dovecot's LMTP server: messages on disk in a second, from the same `smtp-source`, on the
//! same disk, each session for a mailbox of its own.

use std::fs::{self};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use super::Options;
use super::figures::{Figure, Target, middle};
use super::frontends::plural;
use crate::cargo::{build, cargo, executable};
use crate::interop::daemon::{Daemon, Usage};
use crate::interop::dovecot::{Dovecot, PROGRAM};
use crate::interop::owner::Owner;
use crate::interop::{Availability, Peer as _, apt, place};
use crate::process;

const CONFIGURATION: &str = include_str!("../../interop/dovecot/bench.conf.in");
/// Messages of one run, over all its sessions.
const MESSAGES: usize = 1000;
const SESSIONS: [usize; 3] = [1, 10, 50];
const OCTETS: &str = "4000";

/// Measures both in turns.
pub(crate) fn measure(options: &Options) -> Result<Vec<Figure>> {
    if let Availability::Missing(why) = Dovecot.obtain()? {
        bail!("there is no Dovecot to compare with: {why}");
    }
    if !process::is_available("sh", &["-c", "command -v smtp-source"])
        && let Availability::Missing(why) = apt::install(&["postfix"])?
    {
        bail!("there is no smtp-source to send with: {why}");
    }
    let mut program = cargo();
    program.args(["build", "--release", "--package", "lmtp-cli", "--locked"]);
    let program = executable(&build(&mut program)?, "lmtp")?;
    let mut runs = Vec::new();
    for turn in 1..=options.runs {
        println!("turn {turn} of {}", options.runs);
        let mut figures = Vec::new();
        for sessions in SESSIONS {
            let theirs = Kept::by_dovecot()?.take(sessions)?;
            let ours = Kept::by_us(&program)?.take(sessions)?;
            let mut tell = |measure: &str, value: f64, target| {
                let case = format!("{}, 4 kB", plural(sessions));
                figures.push(Figure { case, measure: measure.into(), value, target });
            };
            tell("times Dovecot's messages/s", theirs.seconds / ours.seconds, Target::AtLeast(3.0));
            tell("of Dovecot's processor time", ours.usage.ticks / theirs.usage.ticks, Target::None);
            tell("of Dovecot's peak memory", ours.usage.peak / theirs.usage.peak, Target::None);
        }
        runs.push(figures);
    }
    Ok(middle(&runs))
}

/// A server that keeps mail.
struct Kept {
    daemon: Daemon,
    /// Where mailboxes are, as a shell pattern for their `new`.
    new: &'static str,
    directory: TempDir,
}

/// What a run took.
struct Taken {
    seconds: f64,
    usage: Usage,
}

impl Kept {
    fn by_us(program: &PathBuf) -> Result<Self> {
        let directory = directory()?;
        let mut command = process::command(program);
        command.args(["serve", "--create", "--log", "none", "--listen"]);
        command.arg(format!("unix:{}", directory.path().join("lmtp.sock").display()));
        command.arg("--maildir").arg(directory.path().join("mail"));
        command.arg("--postmaster").arg("u0@example.test");
        Self::start("lmtp serve", &command, "mail/example.test/*/new", directory)
    }

    fn by_dovecot() -> Result<Self> {
        let directory = directory()?;
        let owner = Owner::find("nobody", "nogroup")?;
        owner.own(&directory.path().join("mail"))?;
        let configuration = CONFIGURATION
            .replace("@DIR@", &directory.path().to_string_lossy())
            .replace("@USER@", &owner.user)
            .replace("@GROUP@", &owner.group);
        fs::write(directory.path().join("dovecot.conf"), configuration)?;
        let mut command = process::command(PROGRAM);
        command.arg("-F").arg("-c").arg(directory.path().join("dovecot.conf"));
        Self::start("dovecot", &command, "mail/*/Maildir/new", directory)
    }

    fn start(name: &'static str, command: &Command, new: &'static str, directory: TempDir) -> Result<Self> {
        let mut daemon = Daemon::start(name, command)?;
        let socket = directory.path().join("lmtp.sock");
        daemon.wait_until(|| UnixStream::connect(&socket).is_ok())?;
        Ok(Self { daemon, new, directory })
    }

    /// Lets so many sessions send at once, all messages together, and counts what is kept.
    fn take(self, sessions: usize) -> Result<Taken> {
        let socket = format!("unix:{}", self.directory.path().join("lmtp.sock").display());
        // Mailboxes are made before, and processes wait.
        for user in 0..sessions {
            ensure!(source(&socket, user, 1)?.wait()?.success(), "smtp-source failed");
        }
        let before = self.daemon.usage()?;
        let each = MESSAGES / sessions;
        let start = Instant::now();
        let mut running: Vec<Child> = (0..sessions).map(|user| source(&socket, user, each)).collect::<Result<_>>()?;
        for child in &mut running {
            ensure!(child.wait()?.success(), "smtp-source failed");
        }
        let seconds = start.elapsed().as_secs_f64();
        let after = self.daemon.usage()?;
        let mut count = process::command("sh");
        count.args(["-c", "ls $1 | grep -c 'M[0-9]'", "sh"]);
        count.arg(format!("{}/{}", self.directory.path().display(), self.new));
        let kept: usize = process::capture(&mut count)?.trim().parse().context("a number of files")?;
        ensure!(kept == sessions * (each + 1), "{kept} of {} messages are there", sessions * (each + 1));
        self.daemon.stop()?;
        Ok(Taken { seconds, usage: Usage { ticks: after.ticks - before.ticks, ..after } })
    }
}

fn directory() -> Result<TempDir> {
    let directory = place::directory()?;
    for part in ["run", "state", "mail"] {
        fs::create_dir(directory.path().join(part))?;
    }
    Ok(directory)
}

/// A session of its own, to a mailbox of its own.
fn source(socket: &str, user: usize, messages: usize) -> Result<Child> {
    let mut source = process::command("smtp-source");
    source.args(["-L", "-d", "-s", "1", "-m", &messages.to_string(), "-l", OCTETS, "-f", "ann@example.org", "-t"]);
    source.arg(format!("u{user}@example.test")).arg(socket).stdout(Stdio::null());
    source.spawn().context("smtp-source cannot be started")
}
