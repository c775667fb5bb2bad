//! Our own servers: the program, and what each front end has for an example.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::{Running, Target, Who};
use crate::cargo::{self, cargo};
use crate::interop::daemon::Daemon;
use crate::interop::program::Program;
use crate::interop::{Availability, place};
use crate::process;

/// `lmtp serve`, with a Maildir.
pub(super) struct Serve;

impl Target for Serve {
    fn name(&self) -> &'static str {
        "lmtp-serve"
    }

    fn title(&self) -> &'static str {
        "lmtp serve"
    }

    fn is_ours(&self) -> bool {
        true
    }

    fn obtain(&self) -> Result<Availability> {
        Ok(Availability::Ready)
    }

    fn version(&self, program: &Program) -> Result<String> {
        our_version(program)
    }

    fn start(&self, program: &Program) -> Result<Running> {
        let directory = place::directory()?;
        let domain = directory.path().join("mail/example.test");
        for mailbox in ["good", "other", "full"] {
            for part in ["cur", "new", "tmp"] {
                fs::create_dir_all(domain.join(mailbox).join(part))?;
            }
        }
        // Nothing can be written there, and whoever is root is told so, too.
        fs::remove_dir(domain.join("full/tmp"))?;
        fs::write(domain.join("full/tmp"), "")?;
        let mut command = process::command(program.path());
        command.args(["serve", "--log", "none", "--postmaster", "good@example.test", "--listen"]);
        command.arg(format!("unix:{}", directory.path().join("lmtp.sock").display()));
        command.arg("--maildir").arg(directory.path().join("mail"));
        let [other, bad, full] = ["other@example.test", "unknown@example.test", "full@example.test"].map(Some);
        at_socket("lmtp serve", &command, directory, Who { good: "good@example.test", other, bad, full })
    }
}

/// The example of a front end.
pub(super) struct FrontEnd {
    /// The crate.
    pub(super) name: &'static str,
    /// Its example.
    pub(super) program: &'static str,
}

impl Target for FrontEnd {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.name
    }

    fn is_ours(&self) -> bool {
        true
    }

    fn obtain(&self) -> Result<Availability> {
        Ok(Availability::Ready)
    }

    fn version(&self, program: &Program) -> Result<String> {
        our_version(program)
    }

    fn start(&self, _: &Program) -> Result<Running> {
        let mut build = cargo();
        build.args(["build", "--locked", "--package", self.name, "--example", self.program]);
        let program = cargo::executable(&cargo::build(&mut build)?, self.program)?;
        let directory = place::directory()?;
        let mut command = process::command(program);
        command.arg(format!("unix:{}", directory.path().join("lmtp.sock").display()));
        let who = Who { good: "bob@example.org", bad: Some("unknown@example.org"), ..Who::default() };
        at_socket(self.name, &command, directory, who)
    }
}

/// All crates have the one version.
pub(super) fn our_version(program: &Program) -> Result<String> {
    let said = process::capture(process::command(program.path()).arg("--version"))?;
    Ok(said.trim().trim_start_matches("lmtp ").to_owned())
}

/// A server that listens at `lmtp.sock` in its directory.
fn at_socket(name: &'static str, command: &std::process::Command, directory: TempDir, who: Who) -> Result<Running> {
    let socket = directory.path().join("lmtp.sock");
    let mut daemon = Daemon::start(name, command)?;
    daemon.wait_until(|| UnixStream::connect(&socket).is_ok())?;
    let url = url(&socket);
    let stop = move || {
        daemon.stop()?;
        directory.close().context("the work directory cannot be removed")
    };
    Ok(Running::server(&url, who, stop))
}

/// A Unix socket, as `lmtp` takes it.
pub(super) fn url(socket: &Path) -> String {
    format!("unix:{}", socket.display())
}
