//! A server that runs, and clients that send to it.

use std::fmt;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::interop::daemon::Daemon;
use crate::process;

/// Where client and server meet.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Where {
    Unix,
    Tcp,
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Unix { "Unix" } else { "TCP" })
    }
}

/// Who plays the client, or the server.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    /// `smtp-source`, or `smtp-sink`.
    Postfix,
    Ours {
        front: &'static str,
        /// As a client: by `deliver`.
        single: bool,
    },
}

/// What a run took.
pub(crate) struct Taken {
    /// From the start of the client to its end.
    pub(crate) seconds: f64,
    /// Processor time of the server, in ticks of the kernel's clock.
    pub(crate) server: f64,
}

/// The program with our roles, and a directory for sockets.
pub(crate) struct Play {
    ours: PathBuf,
    folder: TempDir,
}

/// A server, until it is stopped.
pub(crate) struct Server<'a> {
    play: &'a Play,
    daemon: Daemon,
    place: String,
    pinned: bool,
}

impl Play {
    pub(crate) fn new(ours: PathBuf) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // `smtp-sink` gives up root, and makes its socket then.
        let mut open = process::command("chmod");
        process::capture(open.arg("0777").arg(folder.path()))?;
        Ok(Self { ours, folder })
    }

    /// Starts a server, on one processor or any.
    pub(crate) fn server(&self, role: Role, place: Where, pinned: bool) -> Result<Server<'_>> {
        let path = self.folder.path().join("socket");
        if path.exists() {
            fs::remove_file(&path)?;
        }
        let place = match place {
            Where::Unix => format!("unix:{}", path.display()),
            // Free a moment ago, and nobody else looks for one.
            Where::Tcp => TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string(),
        };
        let mut command = match role {
            Role::Postfix => on("smtp-sink", pinned),
            Role::Ours { .. } => on(&self.ours.display().to_string(), pinned),
        };
        match role {
            // As root it wants to be told whom to become.
            Role::Postfix => command.args(["-L", "-u", "nobody"]).args([&place, "100"]),
            Role::Ours { front, .. } => command.args(["server", front, &url(&place)]),
        };
        let mut daemon = Daemon::start("the server", &command)?;
        daemon.wait_until(|| match place.strip_prefix("unix:") {
            Some(path) => UnixStream::connect(path).is_ok(),
            None => TcpStream::connect(&place).is_ok(),
        })?;
        Ok(Server { play: self, daemon, place, pinned })
    }
}

impl Server<'_> {
    /// Lets a client send so many messages of that size over each of its sessions.
    pub(crate) fn take(&self, role: Role, sessions: usize, messages: usize, octets: usize) -> Result<Taken> {
        let (per_session, all) = (messages.to_string(), messages.saturating_mul(sessions).to_string());
        let (sessions, octets) = (sessions.to_string(), octets.to_string());
        let mut client = match role {
            Role::Postfix => on("smtp-source", self.pinned),
            Role::Ours { .. } => on(&self.play.ours.display().to_string(), self.pinned),
        };
        match role {
            Role::Postfix => client.args(["-L", "-d", "-f", "ann@example.org", "-t", "bob@example.org"]).args([
                "-s",
                &sessions,
                "-m",
                &all,
                "-l",
                &octets,
                &self.place,
            ]),
            Role::Ours { front, single } => {
                let how = if single { "single" } else { "all" };
                client.args(["client", front, how, &url(&self.place), &sessions, &per_session, &octets])
            }
        };
        let before = self.daemon.usage()?.ticks;
        let start = Instant::now();
        let finished = process::finish_within(&mut client, Duration::from_secs(120))?;
        let seconds = start.elapsed().as_secs_f64();
        let line = process::line(&client);
        ensure!(finished.status.success(), "`{line}` failed: {}\n{}", finished.status, finished.stderr);
        Ok(Taken { seconds, server: self.daemon.usage()?.ticks - before })
    }

    pub(crate) fn stop(self) -> Result<()> {
        self.daemon.stop()
    }
}

/// The program on the first processor, or on any.
fn on(program: &str, pinned: bool) -> Command {
    if !pinned {
        return process::command(program);
    }
    let mut command = process::command("taskset");
    command.args(["-c", "0", program]);
    command
}

/// Ours in their writing: `smtp-source` knows no scheme for TCP.
fn url(place: &str) -> String {
    if place.starts_with("unix:") { place.to_owned() } else { format!("lmtp://{place}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_become_urls() {
        assert_eq!(url("unix:/tmp/x"), "unix:/tmp/x");
        assert_eq!(url("127.0.0.1:24"), "lmtp://127.0.0.1:24");
    }
}
