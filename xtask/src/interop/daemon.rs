//! A foreign server that runs as long as its guard lives, and of which nothing is left afterwards.
//!
//! It gets a process group of its own, so that all of its processes can be named, waited for and, if
//! they do not end, killed. When we die ourselves (Ctrl-C, a kill) the kernel ends it: `setpriv` sets
//! the signal that a process gets when its parent dies, which takes unsafe code to do from here.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::process;

/// Dovecot takes up to three seconds after connections.
const GRACE: Duration = Duration::from_secs(10);

pub(crate) struct Daemon {
    name: &'static str,
    master: Child,
    stopped: bool,
}

impl Daemon {
    /// Starts a server that stays in the foreground. `command` must come from the main thread: the
    /// kernel takes the end of the thread that started it for the parent's death.
    pub(crate) fn start(name: &'static str, command: &Command) -> Result<Self> {
        Self::guard(name, command, None)
    }

    /// The same, with what it says of itself in a file.
    pub(crate) fn start_logging(name: &'static str, command: &Command, log: File) -> Result<Self> {
        Self::guard(name, command, Some(log))
    }

    fn guard(name: &'static str, command: &Command, log: Option<File>) -> Result<Self> {
        let mut guarded = if process::is_available("setpriv", &["--version"]) {
            let mut setpriv = process::command("setpriv");
            setpriv.args(["--pdeathsig", "TERM"]).arg(command.get_program());
            setpriv
        } else {
            process::command(command.get_program())
        };
        guarded.args(command.get_args()).stdout(Stdio::null()).process_group(0);
        if let Some(log) = log {
            guarded.stderr(log);
        }
        let master = guarded.spawn().with_context(|| format!("{name} cannot be started"))?;
        Ok(Self { name, master, stopped: false })
    }

    /// Waits until `is_ready`; an error if the server ends before, or takes longer than ten seconds.
    pub(crate) fn wait_until(&mut self, is_ready: impl Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + GRACE;
        while !is_ready() {
            if let Some(status) = self.master.try_wait()? {
                bail!("{} ended at once: {status}", self.name);
            }
            ensure!(Instant::now() < deadline, "{} is not ready after {GRACE:?}", self.name);
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Stops the server and proves that none of its processes is left.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.end(GRACE)
    }

    fn end(&mut self, grace: Duration) -> Result<()> {
        if self.stopped {
            return Ok(());
        }
        self.stopped = true;
        let group = self.master.id();
        // The master alone: it ends its children in the order it likes.
        if self.master.try_wait()?.is_none() {
            signal("TERM", &group.to_string())?;
        }
        let deadline = Instant::now() + grace;
        loop {
            self.master.try_wait()?;
            let left = members(group)?;
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                signal("KILL", &format!("-{group}"))?;
                self.master.wait()?;
                while !members(group)?.is_empty() {
                    sleep(Duration::from_millis(5));
                }
                bail!("{} did not end; had to kill {}", self.name, left.join(", "));
            }
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Err(error) = self.end(GRACE) {
            eprintln!("{}: {error:#}", self.name);
        }
    }
}

/// What the processes of a server have used.
pub(crate) struct Usage {
    /// Processor time, in ticks of the kernel's clock, of children that have ended, too.
    pub(crate) ticks: f64,
    /// The most memory that each has had, added up, in kB.
    pub(crate) peak: f64,
}

impl Daemon {
    /// What its processes have used until now.
    pub(crate) fn usage(&self) -> Result<Usage> {
        usage(self.master.id())
    }
}

fn usage(group: u32) -> Result<Usage> {
    let mut usage = Usage { ticks: 0.0, peak: 0.0 };
    for Process { place, fields, .. } in processes(group)? {
        // utime, stime, cutime, cstime.
        usage.ticks += fields.iter().skip(11).take(4).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>();
        let status = fs::read_to_string(place.join("status")).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        usage.peak += peak.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default();
    }
    Ok(usage)
}

/// The shell's own `kill`: a small machine has no other.
fn signal(name: &str, to: &str) -> Result<()> {
    let mut kill = process::command("sh");
    process::capture(kill.args(["-c", "kill -s \"$1\" -- \"$2\"", "sh", name, to])).map(|_| ())
}

/// The processes of a group, zombies aside: those are over, and it is up to init to collect them.
pub(crate) fn members(group: u32) -> Result<Vec<String>> {
    let living = processes(group)?.into_iter().filter(|process| process.fields[0] != "Z");
    Ok(living.map(|process| format!("{})", process.name)).collect())
}

/// A process, as `/proc` tells of it.
struct Process {
    place: PathBuf,
    /// Its number, a bracket and its name, which may hold anything.
    name: String,
    /// What stands behind: state, parent, group, …
    fields: Vec<String>,
}

fn processes(group: u32) -> Result<Vec<Process>> {
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc").context("/proc tells whether processes are left")? {
        let place = entry?.path();
        // A process may end while we look at it.
        let Ok(stat) = fs::read_to_string(place.join("stat")) else { continue };
        let Some((name, behind)) = stat.rsplit_once(')') else { continue };
        let fields: Vec<String> = behind.split_whitespace().map(str::to_owned).collect();
        if fields.get(2) == Some(&group.to_string()) {
            processes.push(Process { place, name: name.to_owned(), fields });
        }
    }
    Ok(processes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = process::command("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn stop_ends_the_children_too() {
        let script = "trap 'trap - TERM; kill -s TERM 0' TERM; sleep 61 & wait";
        let daemon = Daemon::start("tree", &shell(script)).unwrap();
        let group = daemon.master.id();
        while members(group).unwrap().len() < 2 {
            sleep(Duration::from_millis(5));
        }
        daemon.stop().unwrap();
        assert_eq!(members(group).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn processor_time_grows_with_work() {
        let daemon = Daemon::start("busy", &shell("while :; do :; done")).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while daemon.usage().unwrap().ticks < 3.0 {
            assert!(Instant::now() < deadline, "it does not grow");
            sleep(Duration::from_millis(10));
        }
        assert!(daemon.usage().unwrap().peak > 0.0);
        daemon.stop().unwrap();
    }

    #[test]
    fn what_does_not_end_is_killed_and_told() {
        let stubborn = shell("trap '' TERM; sleep 63 & wait");
        let mut daemon = Daemon::start("stubborn", &stubborn).unwrap();
        let group = daemon.master.id();
        while members(group).unwrap().len() < 2 {
            sleep(Duration::from_millis(5));
        }
        let grace = Duration::from_millis(100);
        let error = daemon.end(grace).unwrap_err().to_string();
        assert!(error.contains("had to kill"), "{error}");
        assert!(members(group).unwrap().is_empty());
    }

    #[test]
    fn dropping_ends_it_and_an_early_end_is_told() {
        let daemon = Daemon::start("sleeper", &shell("exec sleep 62")).unwrap();
        let group = daemon.master.id();
        drop(daemon);
        assert!(members(group).unwrap().is_empty());

        let mut daemon = Daemon::start("failing", &shell("exit 7")).unwrap();
        let error = daemon.wait_until(|| false).unwrap_err().to_string();
        assert!(error.contains("ended at once"), "{error}");
    }
}
