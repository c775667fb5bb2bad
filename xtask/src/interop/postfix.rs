//! Postfix: its delivery agent with a queue in front, and smtp-source, its generator of load.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use tempfile::TempDir;

use super::checks::Checks;
use super::client::{self, Client, Over, Told, Verdict};
use super::desk::Desk;
use super::owner::Owner;
use super::program::Program;
use super::trace::Field;
use super::{Availability, Peer, apt, daemon, messages};
use crate::process;

const PROGRAM: &str = "/usr/sbin/postfix";
const CONFIGURATION: &str = include_str!("../../interop/postfix/main.cf.in");
const SERVICES: &str = include_str!("../../interop/postfix/master.cf.in");
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Postfix;

impl Peer for Postfix {
    fn name(&self) -> &'static str {
        "postfix"
    }

    fn obtain(&self) -> Result<Availability> {
        if !apt::is_root()? {
            return Ok(Availability::Missing("Postfix runs as root only".into()));
        }
        if Path::new(PROGRAM).exists() { Ok(Availability::Ready) } else { apt::install(&["postfix"]) }
    }

    fn check(&self, _: &Program, checks: &mut Checks) -> Result<()> {
        let desk = Desk::open()?;
        let mut instance = Instance::start(&desk)?;
        client::check(&instance, &desk, checks);
        checks.check("smtp-source: 200 messages in four sessions, over unix socket", || {
            load(&desk, &format!("unix:{}", desk.socket().display()))
        });
        checks.check("smtp-source: 200 messages in four sessions, over TCP", || {
            load(&desk, &format!("inet:127.0.0.1:{}", desk.port()))
        });
        checks.check("smtp-source is refused", || refused(&desk));
        checks.check("stopping leaves no process", || instance.stop());
        desk.close()
    }
}

fn load(desk: &Desk, place: &str) -> Result<()> {
    const COUNT: usize = 200;
    desk.clear();
    let mut source = process::command("smtp-source");
    // -L: LMTP; -d: one connection for many messages.
    source.args(["-L", "-d", "-s", "4", "-m", &COUNT.to_string(), "-l", "1000"]);
    source.args(["-f", "sender@example.org", "-t", "good@example.test", place]);
    let finished = process::finish_within(&mut source, LIMIT)?;
    ensure!(finished.status.success(), "{}: {}", finished.status, finished.stderr);
    let stored = desk.take("good").len();
    ensure!(stored == COUNT, "{stored} messages instead of {COUNT}");
    Ok(())
}

fn refused(desk: &Desk) -> Result<()> {
    let mut source = process::command("smtp-source");
    let place = format!("inet:127.0.0.1:{}", desk.port());
    source.args(["-L", "-f", "sender@example.org", "-t", "unknown@example.test", &place]);
    let finished = process::finish_within(&mut source, LIMIT)?;
    let told = finished.stderr.contains("550 5.1.1 No such user");
    ensure!(!finished.status.success() && told, "{}: {}", finished.status, finished.stderr);
    Ok(())
}

/// A private Postfix: its configuration, its queue, its log.
struct Instance {
    directory: TempDir,
    runs: bool,
}

impl Instance {
    fn start(desk: &Desk) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("lmtp-").tempdir_in("/tmp")?;
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
        let mut instance = Self { directory, runs: false };
        for part in ["etc", "spool", "data"] {
            fs::create_dir(instance.path(part))?;
        }
        Owner::find("postfix", "postfix")?.own(&instance.path("data"))?;
        for (name, template) in [("main.cf", CONFIGURATION), ("master.cf", SERVICES)] {
            let filled = template
                .replace("@DIR@", &instance.directory.path().to_string_lossy())
                .replace("@UNIX@", &desk.socket().to_string_lossy())
                .replace("@PORT@", &desk.port().to_string());
            fs::write(instance.path("etc").join(name), filled)?;
        }
        instance.runs = true;
        instance.postfix("start")?;
        Ok(instance)
    }

    /// Stops it and proves that none of its processes is left. Its master leads their group.
    fn stop(&mut self) -> Result<()> {
        self.runs = false;
        let master = fs::read_to_string(self.path("spool/pid/master.pid"))?.trim().parse()?;
        self.postfix("stop")?;
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = daemon::members(master)?;
            if left.is_empty() {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "Postfix has left {}", left.join(", "));
            sleep(Duration::from_millis(20));
        }
    }

    fn postfix(&self, what: &str) -> Result<()> {
        let mut postfix = process::command(PROGRAM);
        let finished = process::finish_within(postfix.arg("-c").arg(self.path("etc")).arg(what), LIMIT)?;
        ensure!(finished.status.success(), "postfix {what}: {}: {}", finished.status, finished.stderr);
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if self.runs
            && let Err(error) = self.stop()
        {
            eprintln!("postfix: {error:#}");
        }
    }
}

impl Client for Instance {
    fn trace(&self) -> &'static [Field] {
        const TRACE: [Field; 1] = [Field::always("Received: ")];
        &TRACE
    }

    fn deliver(&self, _: &Desk, _: Over, to: &[String], message: &[u8]) -> Result<Vec<Told>> {
        let file = self.path("message.eml");
        fs::write(&file, messages::with_unix_line_ends(message))?;
        let log = || fs::read_to_string(self.path("maillog")).unwrap_or_default();
        let before = log().len();
        let mut sendmail = process::command("/usr/sbin/sendmail");
        sendmail.arg("-C").arg(self.path("etc")).args(["-i", "-f", "sender@example.org"]).args(to);
        let finished = process::finish_within(sendmail.stdin(File::open(&file)?), LIMIT)?;
        ensure!(finished.status.success(), "sendmail: {}: {}", finished.status, finished.stderr);

        let deadline = Instant::now() + LIMIT;
        loop {
            let told: Vec<Told> = log()[before..].lines().filter_map(told).collect();
            if to.iter().all(|to| told.iter().any(|told| told.recipient == *to)) {
                return Ok(told);
            }
            if Instant::now() >= deadline {
                bail!("Postfix does not say what became of the message: {}", &log()[before..]);
            }
            sleep(Duration::from_millis(20));
        }
    }
}

/// What a line of Postfix's log says about a recipient, if it does:
/// `…: to=<ADDRESS>, …, status=sent (250 …)`.
fn told(line: &str) -> Option<Told> {
    let recipient = line.split_once(" to=<")?.1.split_once('>')?.0.to_owned();
    let verdict = match line.split_once(" status=")?.1.split(' ').next()? {
        "sent" => Verdict::Delivered,
        "deferred" => Verdict::Temporary,
        "bounced" => Verdict::Permanent,
        _ => return None,
    };
    Some(Told { recipient, verdict, text: line.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_read() {
        let line =
            "Nov 25 23:42:09 h postfix/lmtp[451]: C57: to=<bob@tcp.test>, relay=none, dsn=4.4.1, status=deferred (no)";
        let told = told(line).unwrap();
        assert_eq!((told.recipient.as_str(), told.verdict), ("bob@tcp.test", Verdict::Temporary));
        assert!(super::told("Nov 25 23:42:09 h postfix/qmgr[441]: C57: from=<s@example.org>, size=213").is_none());
    }
}
