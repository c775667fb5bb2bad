//! Servers that keep mail, set up alike.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use crate::interop::cyrus::Instance;
use crate::interop::daemon::{Daemon, Usage};
use crate::interop::dovecot::PROGRAM;
use crate::interop::owner::Owner;
use crate::interop::place;
use crate::process;

const CONFIGURATION: &str = include_str!("../../../interop/dovecot/bench.conf.in");

/// The name of a session's user.
pub(super) fn user(session: usize) -> String {
    format!("u{session}")
}

/// A server that keeps mail, at a Unix socket.
pub(super) struct Kept {
    socket: PathBuf,
    server: Server,
}

enum Server {
    /// One with Maildirs; where they are, with USER for the user.
    Maildir {
        daemon: Daemon,
        maildir: &'static str,
        directory: TempDir,
    },
    Cyrus(Instance),
}

impl Kept {
    pub(super) fn by_us(program: &Path) -> Result<Self> {
        let directory = directory()?;
        let mut command = process::command(program);
        command.args(["serve", "--create", "--log", "none", "--max-connections", "6000", "--listen"]);
        command.arg(format!("unix:{}", directory.path().join("lmtp.sock").display()));
        command.arg("--maildir").arg(directory.path().join("mail"));
        command.arg("--postmaster").arg("u0@example.test");
        Self::start("lmtp serve", &command, "mail/example.test/USER", directory)
    }

    pub(super) fn by_dovecot() -> Result<Self> {
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
        Self::start("dovecot", &command, "mail/USER/Maildir", directory)
    }

    /// For so many sessions: mailboxes of Cyrus are made before there is mail.
    pub(super) fn by_cyrus(sessions: usize) -> Result<Self> {
        let users: Vec<String> = (0..sessions).map(user).collect();
        let instance = Instance::lasting(&users)?;
        Ok(Self { socket: instance.socket(), server: Server::Cyrus(instance) })
    }

    fn start(name: &'static str, command: &Command, maildir: &'static str, directory: TempDir) -> Result<Self> {
        let mut daemon = Daemon::start(name, command)?;
        let socket = directory.path().join("lmtp.sock");
        daemon.wait_until(|| UnixStream::connect(&socket).is_ok())?;
        Ok(Self { socket, server: Server::Maildir { daemon, maildir, directory } })
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(super) fn usage(&self) -> Result<Usage> {
        match &self.server {
            Server::Maildir { daemon, .. } => daemon.usage(),
            Server::Cyrus(instance) => instance.usage(),
        }
    }

    /// How many messages the users of so many sessions have.
    pub(super) fn count(&self, sessions: usize) -> Result<usize> {
        let count = |session| match &self.server {
            Server::Maildir { maildir, directory, .. } => {
                let new = directory.path().join(maildir.replace("USER", &user(session))).join("new");
                Ok(fs::read_dir(new)?.count())
            }
            Server::Cyrus(instance) => instance.count(&user(session)),
        };
        (0..sessions).map(count).sum()
    }

    /// Stops it, and gives what it has kept.
    pub(super) fn stop(self) -> Result<TempDir> {
        match self.server {
            Server::Maildir { daemon, directory, .. } => daemon.stop().map(|()| directory),
            Server::Cyrus(instance) => instance.leave(),
        }
    }
}

fn directory() -> Result<TempDir> {
    let directory = place::directory()?;
    for part in ["run", "state", "mail"] {
        fs::create_dir(directory.path().join(part))?;
    }
    Ok(directory)
}
