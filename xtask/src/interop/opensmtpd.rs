//! `OpenSMTPD`: a connection for each recipient, one command at a time.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::agent::Agent;
use super::checks::Checks;
use super::client::{self, Client, Over, Told, Verdict};
use super::daemon::Daemon;
use super::desk::Desk;
use super::program::Program;
use super::trace::Field;
use super::unpacked::{self, Package};
use super::{Availability, Peer, place};

const CONFIGURATION: &str = include_str!("../../interop/opensmtpd/smtpd.conf.in");
const PACKAGE: Package = Package { name: "opensmtpd", libraries: &["libdb5.3", "libevent-2.1-7"] };
/// Its users, in the private /etc alone, and who delivers.
const USERS: [(&str, u32); 3] = [("opensmtpd", 64_997), ("opensmtpq", 64_996), ("postman", 64_995)];
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Opensmtpd;

impl Peer for Opensmtpd {
    fn name(&self) -> &'static str {
        "opensmtpd"
    }

    fn obtain(&self) -> Result<Availability> {
        PACKAGE.obtain()
    }

    fn check(&self, program: &Program, checks: &mut Checks) -> Result<()> {
        let desk = Desk::open()?;
        let agent = Agent::new(program, &desk)?;
        let instance = Instance::start(&desk, &agent)?;
        client::check(&instance, &desk, checks);
        client::check_over(&instance, &desk, &[Over::Agent], checks);
        checks.check("stopping leaves no process", || instance.stop());
        desk.close()
    }
}

struct Instance {
    daemon: Daemon,
    directory: TempDir,
    port: u16,
}

impl Instance {
    fn start(desk: &Desk, agent: &Agent) -> Result<Self> {
        let directory = place::directory()?;
        let path = |name: &str| directory.path().join(name);
        PACKAGE.unpack(&path("package"))?;
        unpacked::make_etc(&path("etc"), &USERS)?;
        fs::write(path("etc/mailname"), "opensmtpd.example.test\n")?;
        // The paths are compiled in.
        for part in ["run", "spool/smtpd", "lib/opensmtpd/empty"] {
            fs::create_dir_all(path(part))?;
        }
        fs::set_permissions(path("spool/smtpd"), Permissions::from_mode(0o711))?;
        chown(path("spool/smtpd"), Some(0), Some(0))?;
        // Another program may take the port before it does; it then says so and ends.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let configuration = CONFIGURATION
            .replace("@IN@", &port.to_string())
            .replace("@UNIX@", &desk.socket().to_string_lossy())
            .replace("@PORT@", &desk.port().to_string())
            .replace("@PROGRAM@", &agent.program.to_string_lossy())
            .replace("@DELIVER@", &agent.options.to_string_lossy());
        fs::write(path("smtpd.conf"), configuration)?;

        let (etc, run, spool, lib) = (path("etc"), path("run"), path("spool"), path("lib"));
        let libexec = path("package/usr/libexec");
        let mounts: [(&Path, &str); 5] =
            [(&etc, "/etc"), (&run, "/run"), (&spool, "/var/spool"), (&lib, "/var/lib"), (&libexec, "/usr/libexec")];
        // Its log goes to standard error.
        let mut shell = unpacked::command(&mounts, Path::new("sh"));
        shell.args(["-c", "exec \"$0\" -d -f \"$1\" 2>\"$2\""]);
        shell.arg(path("package/usr/sbin/smtpd")).arg(path("smtpd.conf")).arg(path("log"));
        let mut daemon = Daemon::start("opensmtpd", &shell)?;
        daemon
            .wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok())
            .with_context(|| format!("its log: {}", fs::read_to_string(path("log")).unwrap_or_default()))?;
        Ok(Self { daemon, directory, port })
    }

    /// Puts a message into the queue.
    fn submit(&self, to: &[String], message: &[u8]) -> Result<()> {
        let socket = TcpStream::connect(("127.0.0.1", self.port))?;
        socket.set_read_timeout(Some(LIMIT))?;
        let mut replies = BufReader::new(socket.try_clone()?).lines();
        let mut hear = |code: &str| -> Result<()> {
            loop {
                let line = replies.next().context("it has hung up")??;
                ensure!(line.starts_with(code), "{code} was expected: {line}");
                if line.as_bytes().get(3) != Some(&b'-') {
                    return Ok(());
                }
            }
        };
        let say = |line: &str| (&socket).write_all(format!("{line}\r\n").as_bytes());
        hear("220")?;
        say("EHLO client.example.test")?;
        hear("250")?;
        say("MAIL FROM:<sender@example.org>")?;
        hear("250")?;
        for to in to {
            say(&format!("RCPT TO:<{to}>"))?;
            hear("250")?;
        }
        say("DATA")?;
        hear("354")?;
        for line in message.split_inclusive(|&octet| octet == b'\n') {
            if line.starts_with(b".") {
                (&socket).write_all(b".")?;
            }
            (&socket).write_all(line)?;
        }
        say(".")?;
        hear("250")?;
        say("QUIT")?;
        hear("221")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn stop(self) -> Result<()> {
        self.daemon.stop()?;
        self.directory.close().context("the work directory cannot be removed")
    }
}

impl Client for Instance {
    fn trace(&self) -> &'static [Field] {
        const TRACE: [Field; 3] =
            [Field::sometimes("Return-Path: "), Field::sometimes("Delivered-To: "), Field::always("Received: ")];
        &TRACE
    }

    /// Its own agent tries again whatever was refused.
    fn takes_for(&self, over: Over, refused: Verdict) -> Verdict {
        if matches!(over, Over::Agent) { refused } else { Verdict::Temporary }
    }

    fn deliver(&self, _: &Desk, _: Over, to: &[String], message: &[u8]) -> Result<Vec<Told>> {
        let before = self.log().len();
        self.submit(to, message)?;
        client::told_by(to, LIMIT, || self.log().split_off(before), told)
    }
}

/// What a line of its log says about a recipient, if it does: `… mda delivery … rcpt=<ADDRESS> … result=Ok stat=…`.
fn told(line: &str) -> Option<Told> {
    let delivery = line.split_once(" mda delivery ")?.1;
    let recipient = delivery.split_once("rcpt=<")?.1.split_once('>')?.0.to_owned();
    let verdict = match delivery.split_once("result=")?.1.split(' ').next()? {
        "Ok" => Verdict::Delivered,
        "TempFail" => Verdict::Temporary,
        "PermFail" => Verdict::Permanent,
        _ => return None,
    };
    Some(Told { recipient, verdict, text: line.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_read() {
        let line = "0 mda delivery evpid=1 from=<a@b> to=<c@d> rcpt=<c@d> user=postman delay=1s result=TempFail stat=Error (550)";
        let told = told(line).unwrap();
        assert_eq!((told.recipient.as_str(), told.verdict), ("c@d", Verdict::Temporary));
        assert!(super::told("0 smtp message msgid=1 size=3 nrcpt=1").is_none());
    }
}
