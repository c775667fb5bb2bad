//! Dovecot's LMTP server, as Debian packages it.

mod examples;
mod maildir;
mod tls;

use std::fs::{self, Permissions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::certificates::Certificates;
use super::checks::Checks;
use super::daemon::Daemon;
use super::owner::Owner;
use super::program::Program;
use super::server::{Account, Server, Store, Wording};
use super::{Availability, Peer, apt, place};
use crate::process;

pub(crate) const PROGRAM: &str = "/usr/sbin/dovecot";
const SERVICE: &str = "/usr/lib/dovecot/lmtp";
const CONFIGURATION: &str = include_str!("../../interop/dovecot/dovecot.conf.in");
const USERS: &str = include_str!("../../interop/dovecot/users");

pub(crate) struct Dovecot;

impl Peer for Dovecot {
    fn name(&self) -> &'static str {
        "dovecot"
    }

    /// An installed Dovecot needs no root: it then runs as whoever we are.
    fn obtain(&self) -> Result<Availability> {
        let is_there = || [PROGRAM, SERVICE].iter().all(|file| Path::new(file).exists());
        if !is_there() {
            let installed = apt::install(&["dovecot-core", "dovecot-lmtpd"])?;
            if let Availability::Missing(_) = installed {
                return Ok(installed);
            }
        }
        let version = process::capture(process::command(PROGRAM).arg("--version"))?;
        Ok(if version.starts_with("2.3.") {
            Availability::Ready
        } else {
            // 2.4 has another configuration language.
            Availability::Missing(format!("Dovecot {} is no 2.3", version.trim()))
        })
    }

    fn check(&self, program: &Program, checks: &mut Checks) -> Result<()> {
        let certificates = Certificates::make()?;
        let instance = Instance::start(&certificates, "server", "")?;
        let checked = instance.server().check(program, checks);
        tls::check(&instance, &certificates, program, checks)?;
        examples::check(&certificates, program, checks)?;
        checks.check("stopping leaves no process", || instance.stop());
        checked
    }
}

/// A private Dovecot. The order counts: the server goes before the directory that it lives in.
pub(crate) struct Instance {
    daemon: Daemon,
    directory: TempDir,
    port: u16,
    tls_port: u16,
}

impl Instance {
    /// With one of the certificates, at more places.
    pub(crate) fn start(certificates: &Certificates, shown: &str, examples: &str) -> Result<Self> {
        let directory = place::directory()?;
        // Dovecot gives up root; without root everything runs as us.
        let owner = Owner::find("nobody", "nogroup")?;
        // Another program may take a port before Dovecot does; Dovecot then says so and ends.
        let (plain, tls) = (TcpListener::bind(("127.0.0.1", 0))?, TcpListener::bind(("127.0.0.1", 0))?);
        let (port, tls_port) = (plain.local_addr()?.port(), tls.local_addr()?.port());
        drop((plain, tls));
        let values = [
            ("@PORT@", port.to_string()),
            ("@TLS_PORT@", tls_port.to_string()),
            ("@EXAMPLES@", examples.to_owned()),
            ("@CHAIN@", certificates.chain(shown).to_string_lossy().into_owned()),
            ("@KEY@", certificates.key(shown).to_string_lossy().into_owned()),
        ];
        set_up(directory.path(), &values, &owner)?;

        let mut command = process::command(PROGRAM);
        command.arg("-F").arg("-c").arg(directory.path().join("dovecot.conf"));
        let mut daemon = Daemon::start("dovecot", &command)?;
        let socket = directory.path().join("lmtp.sock");
        let answers = || UnixStream::connect(&socket).is_ok() && TcpStream::connect(("127.0.0.1", port)).is_ok();
        let log = directory.path().join("dovecot.log");
        daemon
            .wait_until(answers)
            .with_context(|| format!("dovecot's log: {}", fs::read_to_string(&log).unwrap_or_default().trim_end()))?;
        Ok(Self { daemon, directory, port, tls_port })
    }

    pub(crate) fn server(&self) -> Server<'_> {
        let full = "Quota exceeded (mailbox for user is full)";
        Server {
            unix: format!("unix:{}", self.directory.path().join("lmtp.sock").display()),
            tcp: format!("lmtp://127.0.0.1:{}", self.port),
            good: Account("good@example.test"),
            other_good: Account("bob@example.test"),
            saved: Wording { code: 250, enhanced: "2.0.0", text: "Saved" },
            unknown: (
                Account("unknown@example.test"),
                Wording { code: 550, enhanced: "5.1.1", text: "User doesn't exist" },
            ),
            full: (Account("full@example.test"), Wording { code: 552, enhanced: "5.2.2", text: full }),
            full_for_now: (
                Account("fulltemp@example.test"),
                "final",
                Wording { code: 452, enhanced: "4.2.2", text: full },
            ),
            // Dovecot 2.3 knows the recipient again: two replies, one file.
            copies_for_two: 1,
            store: self,
        }
    }

    pub(crate) fn stop(self) -> Result<()> {
        self.daemon.stop()?;
        self.directory.close().context("the work directory cannot be removed")
    }
}

impl Store for Instance {
    fn take(&self, account: Account) -> Result<Vec<Vec<u8>>> {
        let user = account.0.split('@').next().unwrap_or_default();
        maildir::take(&self.directory.path().join("mail").join(user).join("Maildir"))
    }
}

fn set_up(directory: &Path, values: &[(&str, String)], owner: &Owner) -> Result<()> {
    // The mail is written by another user, who has to get here.
    fs::set_permissions(directory, Permissions::from_mode(0o755))?;
    for part in ["run", "state", "mail"] {
        fs::create_dir(directory.join(part))?;
    }
    owner.own(&directory.join("mail"))?;
    let mut configuration = CONFIGURATION
        .replace("#ROOTLESS#", if owner.rootless { "" } else { "#" })
        .replace("@DIR@", &directory.to_string_lossy())
        .replace("@USER@", &owner.user)
        .replace("@GROUP@", &owner.group);
    for (name, value) in values {
        configuration = configuration.replace(name, value);
    }
    fs::write(directory.join("dovecot.conf"), configuration)?;
    fs::write(directory.join("users"), USERS)?;
    Ok(())
}
