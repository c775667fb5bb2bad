//! `lmtp serve` beside Dovecot's and Cyrus's LMTP servers: messages on disk in a second, from the same `smtp-source`, on
//! the same disk, each session for a mailbox of its own. And beside itself, with thousands of connections that say
//! nothing.

mod kept;

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tempfile::TempDir;

use self::kept::Kept;
use super::Options;
use super::figures::{Figure, Target, middle};
use super::frontends::plural;
use crate::cargo::{build, cargo, executable};
use crate::interop::cyrus::Cyrus;
use crate::interop::daemon::Usage;
use crate::interop::dovecot::Dovecot;
use crate::interop::{Availability, Peer, apt};
use crate::process;

/// Messages of one run, over all its sessions.
const MESSAGES: usize = 1000;
const SESSIONS: [usize; 3] = [1, 10, 50];
const OCTETS: &str = "4000";
/// Connections that say nothing.
const IDLE: usize = 5000;

/// Measures all in turns.
pub(crate) fn measure(options: &Options) -> Result<Vec<Figure>> {
    let peers: [&dyn Peer; 2] = [&Dovecot, &Cyrus];
    for peer in peers {
        if let Availability::Missing(why) = peer.obtain()? {
            bail!("there is no {} to compare with: {why}", peer.name());
        }
    }
    if !process::is_available("sh", &["-c", "command -v smtp-source"])
        && let Availability::Missing(why) = apt::install(&["postfix"])?
    {
        bail!("there is no smtp-source to send with: {why}");
    }
    let mut program = cargo();
    program.args(["build", "--release", "--package", "lmtp-cli", "--locked"]);
    let program = executable(&build(&mut program)?, "lmtp")?;
    let (mut runs, mut left) = (Vec::new(), Left::default());
    for turn in 1..=options.runs {
        println!("turn {turn} of {}", options.runs);
        let mut figures = Vec::new();
        for sessions in SESSIONS {
            beside(&program, sessions, &mut left, &mut figures)?;
        }
        idle(&program, &mut left, &mut figures)?;
        runs.push(figures);
    }
    Ok(middle(&runs))
}

/// What servers have kept, until all is measured. Removed before, it would be in the way of the next one: ext4 does
/// not take an inode again that was freed in the last seconds, and looks for another.
#[derive(Default)]
struct Left(Vec<TempDir>);

/// Ours and theirs, with so many sessions.
fn beside(program: &Path, sessions: usize, left: &mut Left, figures: &mut Vec<Figure>) -> Result<()> {
    let dovecot = take(Kept::by_dovecot()?, sessions, left)?;
    let ours = take(Kept::by_us(program)?, sessions, left)?;
    let cyrus = take(Kept::by_cyrus(sessions)?, sessions, left)?;
    for (name, theirs, least) in [("Dovecot", dovecot, Target::AtLeast(3.0)), ("Cyrus", cyrus, Target::None)] {
        let mut tell = |measure: &str, value: f64, target| {
            let case = format!("{}, 4 kB", plural(sessions));
            figures.push(Figure { case, measure: measure.replace('@', name), value, target });
        };
        tell("times @'s messages/s", theirs.seconds / ours.seconds, least);
        tell("of @'s processor time", ours.usage.ticks / theirs.usage.ticks, Target::None);
        tell("of @'s peak memory", ours.usage.peak / theirs.usage.peak, Target::None);
    }
    Ok(())
}

/// One session beside thousands of connections that say nothing, and one alone.
fn idle(program: &Path, left: &mut Left, figures: &mut Vec<Figure>) -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    ensure!(most > IDLE as u64 + 100, "{most} open files are too few for {IDLE} connections");
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    let alone = take(Kept::by_us(program)?, 1, left)?;
    let kept = Kept::by_us(program)?;
    let silent: Vec<UnixStream> = (0..IDLE).map(|_| greeted(kept.socket())).collect::<Result<_>>()?;
    let memory = kept.usage()?.peak / 1024.0;
    let beside = take(kept, 1, left)?;
    drop(silent);
    let case = format!("{IDLE} idle connections");
    let mut tell = |measure: &str, value: f64, target| {
        figures.push(Figure { case: case.clone(), measure: measure.into(), value, target });
    };
    tell("MiB of memory", memory, Target::AtMost(60.0));
    tell("times the messages/s of a session alone", alone.seconds / beside.seconds, Target::AtLeast(0.9));
    Ok(())
}

/// A connection that has said LHLO.
fn greeted(socket: &Path) -> Result<UnixStream> {
    use std::io::{BufRead as _, BufReader, Write as _};
    let stream = UnixStream::connect(socket)?;
    let mut lines = BufReader::with_capacity(1024, &stream).lines();
    let said = lines.next().context("no greeting")??;
    ensure!(said.starts_with("220 "), "greeted with {said:?}");
    (&stream).write_all(b"LHLO client.example.test\r\n")?;
    for line in lines {
        if line?.starts_with("250 ") {
            return Ok(stream);
        }
    }
    bail!("no reply to LHLO")
}

/// What a run took.
struct Taken {
    seconds: f64,
    usage: Usage,
}

/// Lets so many sessions send at once, all messages together, and counts what is kept.
fn take(kept: Kept, sessions: usize, left: &mut Left) -> Result<Taken> {
    let socket = format!("unix:{}", kept.socket().display());
    // Mailboxes are made before, and processes wait.
    for user in 0..sessions {
        ensure!(source(&socket, user, 1)?.wait()?.success(), "smtp-source failed");
    }
    let before = kept.usage()?;
    let each = MESSAGES / sessions;
    let start = Instant::now();
    let mut running: Vec<Child> = (0..sessions).map(|user| source(&socket, user, each)).collect::<Result<_>>()?;
    for child in &mut running {
        ensure!(child.wait()?.success(), "smtp-source failed");
    }
    let seconds = start.elapsed().as_secs_f64();
    let after = kept.usage()?;
    let count = kept.count(sessions)?;
    ensure!(count == sessions * (each + 1), "{count} of {} messages are there", sessions * (each + 1));
    left.0.push(kept.stop()?);
    Ok(Taken { seconds, usage: Usage { ticks: after.ticks - before.ticks, ..after } })
}

/// A session of its own, to a mailbox of its own.
fn source(socket: &str, user: usize, messages: usize) -> Result<Child> {
    let mut source = process::command("smtp-source");
    source.args(["-L", "-d", "-s", "1", "-m", &messages.to_string(), "-l", OCTETS, "-f", "ann@example.org", "-t"]);
    source.arg(format!("{}@example.test", kept::user(user))).arg(socket).stdout(Stdio::null());
    source.spawn().context("smtp-source cannot be started")
}
