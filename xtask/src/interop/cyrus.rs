//! Cyrus's LMTP server, as Debian packages it.

mod authenticated;
mod imap;
mod spool;

use std::fs::{self, Permissions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::certificates::Certificates;
use super::checks::Checks;
use super::daemon::{Daemon, Usage};
use super::owner::Owner;
use super::program::Program;
use super::server::{Account, Server, Store, Wording};
use super::{Availability, Peer, apt, place};
use crate::process;

const TOOLS: &str = "/usr/lib/cyrus/bin";
/// Makes the accounts that log in.
const PASSWORDS: &str = "/usr/sbin/saslpasswd2";
/// The server, the passwords, and the mechanisms that it offers.
const PACKAGES: [&str; 4] = ["cyrus-imapd", "sasl2-bin", "libsasl2-modules", "libsasl2-modules-db"];
const CONFIGURATION: &str = include_str!("../../interop/cyrus/imapd.conf.in");
const SERVICES: &str = include_str!("../../interop/cyrus/cyrus.conf.in");
const REFUSE: &str = include_str!("../../interop/cyrus/refuse.sieve");

/// The password of everybody who logs in.
const PASSWORD: &str = "not a secret";
/// Makes the mailboxes.
const ADMIN: &str = "admin";
/// Delivers over TCP.
const POSTMAN: &str = "postman";
/// Who has a mailbox.
const USERS: [&str; 4] = ["good", "bob", "full", "fulltemp"];

pub(crate) struct Cyrus;

impl Peer for Cyrus {
    fn name(&self) -> &'static str {
        "cyrus"
    }

    fn obtain(&self) -> Result<Availability> {
        let master = tool("master");
        if !master.exists() || !Path::new(PASSWORDS).exists() {
            let installed = apt::install(&PACKAGES)?;
            if let Availability::Missing(_) = installed {
                return Ok(installed);
            }
        }
        let version = said_version()?;
        Ok(if version.contains(" 3.") {
            Availability::Ready
        } else {
            Availability::Missing(format!("{} is no Cyrus 3", version.trim()))
        })
    }

    fn check(&self, program: &Program, checks: &mut Checks) -> Result<()> {
        let certificates = Certificates::make()?;
        let instance = Instance::start(&certificates)?;
        let checked = instance.server().check(program, checks);
        authenticated::check(&instance, checks);
        authenticated::encrypted(&instance, &certificates, program, checks);
        checks.check("stopping leaves no process", || instance.stop());
        checked
    }
}

/// What its master says of itself: `Cyrus IMAP 3.6.1-…`.
fn said_version() -> Result<String> {
    process::capture(process::command(tool("master")).arg("-V"))
}

/// Its number.
pub(crate) fn version() -> Result<String> {
    let said = said_version()?;
    let number = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    Ok(number.with_context(|| format!("no version: {said:?}"))?.split('-').next().unwrap_or_default().to_owned())
}

/// A private Cyrus. The order counts: the server goes before the directory that it lives in.
pub(crate) struct Instance {
    daemon: Daemon,
    directory: TempDir,
    /// Whoever connects here may deliver.
    open_port: u16,
    /// Whoever logs in here may deliver.
    auth_port: u16,
}

impl Instance {
    pub(crate) fn start(certificates: &Certificates) -> Result<Self> {
        let instance = Self::begin(certificates, CONFIGURATION)?;
        instance.make_mailboxes(&Owner::find("cyrus", "mail")?)?;
        Ok(instance)
    }

    /// One for those users, whose databases reach the disk as they do where Cyrus is used.
    pub(crate) fn lasting(users: &[String]) -> Result<Self> {
        let lasting = CONFIGURATION.replace("skiplist_unsafe: yes", "skiplist_unsafe: no");
        let instance = Self::begin(&Certificates::make()?, &lasting)?;
        let login = format!("LOGIN {ADMIN} \"{PASSWORD}\"");
        let create = users.iter().map(|user| format!("CREATE user/{user}"));
        let commands: Vec<String> = std::iter::once(login).chain(create).collect();
        imap::run(&instance.path("run/imap"), commands.iter())?;
        Ok(instance)
    }

    /// Its Unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path("run/lmtp")
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        self.daemon.usage()
    }

    /// How many messages a user has.
    pub(crate) fn count(&self, user: &str) -> Result<usize> {
        spool::count(&self.mailbox("-D", user)?)
    }

    fn begin(certificates: &Certificates, configuration: &str) -> Result<Self> {
        let directory = place::directory()?;
        // Cyrus gives up root; without root everything runs as us.
        let owner = Owner::find("cyrus", "mail")?;
        // Another program may take a port before Cyrus does; it then does not become ready.
        let (open, auth) = (TcpListener::bind(("127.0.0.1", 0))?, TcpListener::bind(("127.0.0.1", 0))?);
        let (open_port, auth_port) = (open.local_addr()?.port(), auth.local_addr()?.port());
        drop((open, auth));
        set_up(directory.path(), [open_port, auth_port], certificates, configuration, &owner)?;

        let mut command = process::command(tool("master"));
        for (option, file) in [("-C", "imapd.conf"), ("-M", "cyrus.conf"), ("-p", "master.pid")] {
            command.arg(option).arg(directory.path().join(file));
        }
        // Many connect at once; by default 32 may wait.
        command.args(["-l", "256"]);
        let mut daemon = Daemon::start("cyrus", &command)?;
        let run = directory.path().join("run");
        daemon.wait_until(|| {
            let unix = ["imap", "lmtp"].iter().all(|socket| UnixStream::connect(run.join(socket)).is_ok());
            unix && [open_port, auth_port].iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
        })?;
        Ok(Self { daemon, directory, open_port, auth_port })
    }

    fn make_mailboxes(&self, owner: &Owner) -> Result<()> {
        let create = USERS.map(|user| format!("CREATE user/{user}"));
        let login = format!("LOGIN {ADMIN} \"{PASSWORD}\"");
        // With SIZE a quota of nothing is found out at RCPT.
        let quota = "SETQUOTA user/fulltemp (STORAGE 0)".to_owned();
        imap::run(&self.path("run/imap"), [login].iter().chain(&create).chain([&quota]))?;

        // What uploading and activating would come to, without another service and another client.
        let sieve = self.mailbox("-S", "full")?;
        fs::create_dir_all(&sieve)?;
        let mut compile = self.tool("sievec");
        process::capture(compile.args([self.path("refuse.sieve"), sieve.join("refuse.bc")]))?;
        symlink("refuse.bc", sieve.join("defaultbc"))?;
        let below = sieve.ancestors().take_while(|path| *path != self.path(""));
        below.chain([&*sieve.join("refuse.bc")]).try_for_each(|path| owner.own(path))
    }

    pub(crate) fn server(&self) -> Server<'_> {
        Server {
            unix: format!("unix:{}", self.path("run/lmtp").display()),
            tcp: format!("lmtp://127.0.0.1:{}", self.open_port),
            good: Account("good@example.test"),
            other_good: Account("bob@example.test"),
            saved: Wording { code: 250, enhanced: "2.1.5", text: "Success" },
            // The last of three lines alone has an enhanced code, where RFC 2034 wants it on each: it is text.
            unknown: (
                Account("unknown@example.test"),
                Wording { code: 550, enhanced: "", text: "\n5.1.1 User unknown" },
            ),
            // Two lines, among those of other recipients.
            full: (
                Account("full@example.test"),
                Wording { code: 550, enhanced: "5.7.1", text: "Not wanted here.\nSecond line." },
            ),
            full_for_now: (
                Account("fulltemp@example.test"),
                "rcpt",
                Wording { code: 452, enhanced: "4.2.2", text: "Over quota" },
            ),
            copies_for_two: 2,
            store: self,
        }
    }

    pub(crate) fn stop(self) -> Result<()> {
        self.leave()?.close().context("the work directory cannot be removed")
    }

    /// Stops it, and gives its work directory.
    pub(crate) fn leave(self) -> Result<TempDir> {
        self.daemon.stop()?;
        Ok(self.directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// One of Cyrus's own tools, which finds its configuration.
    fn tool(&self, name: &str) -> std::process::Command {
        let mut command = process::command(tool(name));
        command.arg("-C").arg(self.path("imapd.conf"));
        command
    }

    /// A directory of a user; mbpath's option says which.
    fn mailbox(&self, option: &str, user: &str) -> Result<PathBuf> {
        let path = process::capture(self.tool("mbpath").args([option, &format!("user/{user}")]))?;
        Ok(path.trim_end().into())
    }
}

impl Store for Instance {
    fn take(&self, account: Account) -> Result<Vec<Vec<u8>>> {
        let user = account.0.split('@').next().unwrap_or_default();
        // Nobody unknown has a mailbox.
        if !USERS.contains(&user) {
            return Ok(Vec::new());
        }
        spool::take(&self.mailbox("-D", user)?)
    }

    fn kept(&self, message: &[u8]) -> Vec<u8> {
        spool::kept(message)
    }
}

fn tool(name: &str) -> PathBuf {
    Path::new(TOOLS).join(name)
}

fn set_up(
    directory: &Path,
    [open, auth]: [u16; 2],
    certificates: &Certificates,
    configuration: &str,
    owner: &Owner,
) -> Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(0o755))?;
    for part in ["config", "spool", "sieve", "run", "run/proc", "run/lock"] {
        fs::create_dir(directory.join(part))?;
        owner.own(&directory.join(part))?;
    }
    owner.own(directory)?;
    for (name, template) in [("imapd.conf", configuration), ("cyrus.conf", SERVICES), ("refuse.sieve", REFUSE)] {
        let filled = template
            .replace("@DIR@", &directory.to_string_lossy())
            .replace("@OPEN@", &open.to_string())
            .replace("@AUTH@", &auth.to_string())
            .replace("@CHAIN@", &certificates.chain("server").to_string_lossy())
            .replace("@KEY@", &certificates.key("server").to_string_lossy())
            .replace("@USER@", &owner.user)
            .replace("@GROUP@", &owner.group);
        fs::write(directory.join(name), filled)?;
    }
    for user in [ADMIN, POSTMAN] {
        let mut passwords = process::command("sh");
        // The password comes from standard input, and never stands on a command line.
        let script = "printf %s \"$PASSWORD\" | \"$0\" -p -c -f \"$1\" -u cyrus.example.test \"$2\"";
        passwords.args(["-c", script, PASSWORDS]).arg(directory.join("sasldb2")).arg(user).env("PASSWORD", PASSWORD);
        process::capture(&mut passwords)?;
    }
    owner.own(&directory.join("sasldb2"))
}
