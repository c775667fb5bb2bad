//! Postfix: its delivery agent with a queue in front, and smtp-source, its generator of load.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::agent::Agent;
use super::checks::Checks;
use super::client::{self, Client, Over, Told, Verdict};
use super::desk::Desk;
use super::owner::Owner;
use super::program::Program;
use super::server::same;
use super::trace::{self, Field};
use super::{Availability, Peer, apt, daemon, messages, place};
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

    fn check(&self, program: &Program, checks: &mut Checks) -> Result<()> {
        let desk = Desk::open()?;
        let agent = Agent::new(program, &desk)?;
        let mut instance = Instance::start(&desk, &agent)?;
        client::check(&instance, &desk, checks);
        client::check_over(&instance, &desk, &[Over::StartTls, Over::Tls, Over::Agent], checks);
        for over in [Over::Unix, Over::Tcp] {
            checks.check(&format!("the bounce names each recipient's reply, over {}", over.name()), || {
                bounce(&instance, &desk, over)
            });
        }
        checks.check("lmtp deliver with wrong options: the mail waits", || {
            let told = instance.deliver(&desk, Over::Agent, &["good@broken.test".into()], &messages::dots())?;
            ensure!(told[0].verdict == Verdict::Temporary && told[0].text.contains("unknown field"), "{told:?}");
            Ok(())
        });
        checks.check("lmtp deliver is killed: the mail waits", || killed(&instance, &agent));
        checks.check("refused for now: deferred, tried again, delivered once", || retry(&instance, &desk));
        checks.check("smtp-source: 500 messages in 50 sessions, over unix socket", || {
            load(&desk, &format!("unix:{}", desk.socket().display()))
        });
        checks.check("smtp-source: 500 messages in 50 sessions, over TCP", || {
            load(&desk, &format!("inet:127.0.0.1:{}", desk.port()))
        });
        checks.check("smtp-source is refused", || refused(&desk));
        checks.check("stopping leaves no process", || instance.stop());
        desk.close()
    }
}

/// Who could not have the message, and what our server said to that, word for word.
fn bounce(instance: &Instance, desk: &Desk, over: Over) -> Result<()> {
    desk.clear()?;
    let address = |user| format!("{user}@{}", over.domain());
    let to = ["good", "unknown", "huge"].map(address);
    instance.submit(&address("bob"), &to, &messages::ordinary(1))?;
    let deadline = Instant::now() + LIMIT;
    let bounce = loop {
        if let Some(bounce) = desk.take("bob")?.pop() {
            break String::from_utf8_lossy(&bounce).replace("\r\n ", " ").replace("\r\n    ", " ");
        }
        ensure!(Instant::now() < deadline, "no bounce has come");
        sleep(Duration::from_millis(20));
    };
    for (user, status, reply) in
        [("unknown", "5.1.1", "550 5.1.1 No such mailbox"), ("huge", "5.2.2", "552 5.2.2 Injected fault")]
    {
        let block = bounce
            .split("\r\n\r\n")
            .find(|block| block.contains(&format!("Final-Recipient: rfc822; {}", address(user))));
        let block = block.with_context(|| format!("nothing about {user}: {bounce}"))?;
        let block = block.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in ["Action: failed", &format!("Status: {status}"), &format!("Diagnostic-Code: smtp; {reply}")] {
            ensure!(block.contains(part), "{user}: no {part:?} in {block}");
        }
    }
    ensure!(!bounce.contains(&format!("Final-Recipient: rfc822; {}", address("good"))), "good was delivered: {bounce}");
    ensure!(desk.take("good")?.len() == 1, "good has not got it");
    Ok(())
}

fn retry(instance: &Instance, desk: &Desk) -> Result<()> {
    // What waits in the queue from the checks before must not be tried again, too.
    let mut forget = process::command("/usr/sbin/postsuper");
    process::capture(forget.arg("-c").arg(instance.path("etc")).args(["-d", "ALL"]))?;
    let mut hasten = process::command("/usr/sbin/postconf");
    hasten.arg("-c").arg(instance.path("etc")).arg("-e");
    process::capture(hasten.args(["queue_run_delay=1s", "minimal_backoff_time=1s", "maximal_backoff_time=1s"]))?;
    instance.postfix("reload")?;

    desk.clear()?;
    let before = instance.log().len();
    let message = messages::ordinary(1);
    let told = instance.deliver(desk, Over::Unix, &["good@unix.test".into(), "later@unix.test".into()], &message)?;
    let first = told.iter().find(|told| told.recipient == "later@unix.test").context("nothing about later")?;
    ensure!(first.verdict == Verdict::Temporary && first.text.contains("Injected fault"), "{first:?}");
    let deadline = Instant::now() + LIMIT;
    loop {
        let log = instance.log();
        let of_later =
            log[before..].lines().filter_map(super::postfix::told).filter(|told| told.recipient == "later@unix.test");
        let verdicts: Vec<_> = of_later.map(|told| told.verdict).collect();
        if verdicts.last() == Some(&Verdict::Delivered) {
            ensure!(verdicts == [Verdict::Temporary, Verdict::Delivered], "{verdicts:?}");
            break;
        }
        ensure!(Instant::now() < deadline, "it is not tried again: {}", &log[before..]);
        sleep(Duration::from_millis(50));
    }
    for user in ["good", "later"] {
        let stored = desk.take(user)?;
        ensure!(stored.len() == 1, "{user}: {} messages", stored.len());
        same(trace::without(&stored[0], instance.trace())?, &message)?;
    }
    Ok(())
}

/// Killed while it waits for a server that says nothing.
fn killed(instance: &Instance, agent: &Agent) -> Result<()> {
    let before = instance.log().len();
    let to = ["good@silent.test".to_owned()];
    instance.submit("sender@example.org", &to, &messages::dots())?;
    agent.kill_the_silent_one(LIMIT)?;
    let told = client::told_by(&to, LIMIT, || instance.log().split_off(before), told)?;
    ensure!(told[0].verdict == Verdict::Temporary && told[0].text.contains("signal 9"), "{told:?}");
    Ok(())
}

fn load(desk: &Desk, place: &str) -> Result<()> {
    const COUNT: usize = 500;
    desk.clear()?;
    let mut source = process::command("smtp-source");
    // -L: LMTP; -d: one connection for many messages.
    source.args(["-L", "-d", "-s", "50", "-m", &COUNT.to_string(), "-l", "1000"]);
    source.args(["-f", "sender@example.org", "-t", "good@example.test", place]);
    let finished = process::finish_within(&mut source, LIMIT)?;
    ensure!(finished.status.success(), "{}: {}", finished.status, finished.stderr);
    let stored = desk.take("good")?.len();
    ensure!(stored == COUNT, "{stored} messages instead of {COUNT}");
    Ok(())
}

fn refused(desk: &Desk) -> Result<()> {
    let mut source = process::command("smtp-source");
    let place = format!("inet:127.0.0.1:{}", desk.port());
    source.args(["-L", "-f", "sender@example.org", "-t", "unknown@example.test", &place]);
    let finished = process::finish_within(&mut source, LIMIT)?;
    let told = finished.stderr.contains("550 5.1.1 No such mailbox");
    ensure!(!finished.status.success() && told, "{}: {}", finished.status, finished.stderr);
    Ok(())
}

/// A private Postfix: its configuration, its queue, its log.
struct Instance {
    directory: TempDir,
    runs: bool,
}

impl Instance {
    fn start(desk: &Desk, agent: &Agent) -> Result<Self> {
        let directory = place::directory()?;
        let mut instance = Self { directory, runs: false };
        for part in ["etc", "spool", "data"] {
            fs::create_dir(instance.path(part))?;
        }
        Owner::find("postfix", "postfix")?.own(&instance.path("data"))?;
        for (name, template) in [("main.cf", CONFIGURATION), ("master.cf", SERVICES)] {
            let filled = template
                .replace("@DIR@", &instance.directory.path().to_string_lossy())
                .replace("@UNIX@", &desk.socket().to_string_lossy())
                .replace("@PORT@", &desk.port().to_string())
                .replace("@STARTTLS_PORT@", &desk.starttls_port().to_string())
                .replace("@TLS_PORT@", &desk.tls_port().to_string())
                .replace("@CA@", &desk.certificates().ca().to_string_lossy())
                .replace("@PROGRAM@", &agent.program.to_string_lossy())
                .replace("@DELIVER@", &agent.options.to_string_lossy())
                .replace("@BROKEN@", &agent.broken.to_string_lossy())
                .replace("@SILENT@", &agent.silent.to_string_lossy());
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

    fn log(&self) -> String {
        fs::read_to_string(self.path("maillog")).unwrap_or_default()
    }

    /// Puts a message into the queue.
    fn submit(&self, from: &str, to: &[String], message: &[u8]) -> Result<()> {
        let file = self.path("message.eml");
        fs::write(&file, messages::with_unix_line_ends(message))?;
        let mut sendmail = process::command("/usr/sbin/sendmail");
        sendmail.arg("-C").arg(self.path("etc")).args(["-i", "-f", from]).args(to);
        let finished = process::finish_within(sendmail.stdin(File::open(&file)?), LIMIT)?;
        ensure!(finished.status.success(), "sendmail: {}: {}", finished.status, finished.stderr);
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
        let before = self.log().len();
        self.submit("sender@example.org", to, message)?;
        client::told_by(to, LIMIT, || self.log().split_off(before), told)
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
