//! Our own web services, as those who use them find them: a server with an inbox, and gateways that may dial it.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::daemon::Daemon;
use super::program::Program;
use super::{desk, place};
use crate::process;

/// Who has a mailbox.
const USERS: [&str; 3] = ["good", "full", "slow"];

/// A server and two gateways. They go before the directory.
pub(crate) struct Web {
    daemons: Vec<Daemon>,
    directory: TempDir,
    /// Of the server, of its inbox, of the gateway, of the one that asks for a token.
    ports: [u16; 4],
}

impl Web {
    /// With more arguments for the server, and for the gateways.
    pub(crate) fn start(program: &Program, more: &[&str], for_gateways: &[&str]) -> Result<Self> {
        let (directory, ports) = (place::directory()?, desk::free_ports()?);
        for user in USERS {
            for part in ["tmp", "new", "cur"] {
                fs::create_dir_all(directory.path().join("mail/example.test").join(user).join(part))?;
            }
        }
        fs::write(directory.path().join("token"), "sesame\n")?;
        let [server, inbox, gateway, locked] = ports;
        let mut web = Self { daemons: Vec::new(), directory, ports };
        let at = |port: u16| format!("127.0.0.1:{port}");
        let target = at(server);
        let mut serve = process::command(program.path());
        serve.args(["serve", "--listen", &format!("lmtp://{target}"), "--http", &at(inbox), "--inbox"]);
        serve
            .arg("--maildir")
            .arg(web.mail())
            .args(["--log", "none", "--fail", "rcpt=550:gone@example.test"])
            .args(more);
        web.begin(&serve, &[server, inbox])?;
        for (port, token) in [(gateway, false), (locked, true)] {
            let mut serve = process::command(program.path());
            serve.args(["gateway", "--listen", &at(port), "--allow", &target, "--per-minute", "1000000"]);
            serve.args(for_gateways);
            if token {
                serve.arg("--token-file").arg(web.directory.path().join("token"));
            }
            web.begin(&serve, &[port])?;
        }
        Ok(web)
    }

    fn begin(&mut self, command: &std::process::Command, ports: &[u16]) -> Result<()> {
        let name = if self.daemons.is_empty() { "lmtp serve" } else { "lmtp gateway" };
        let log = fs::File::create(self.directory.path().join(format!("log{}", self.daemons.len())))?;
        let mut daemon = Daemon::start_logging(name, command, log)?;
        daemon.wait_until(|| ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok()))?;
        self.daemons.push(daemon);
        Ok(())
    }

    pub(crate) fn server_port(&self) -> u16 {
        self.ports[0]
    }

    pub(crate) fn inbox(&self) -> String {
        format!("http://127.0.0.1:{}/", self.ports[1])
    }

    pub(crate) fn gateway(&self) -> String {
        format!("http://127.0.0.1:{}/", self.ports[2])
    }

    /// The one that asks for the token `sesame`.
    pub(crate) fn locked(&self) -> String {
        format!("http://127.0.0.1:{}/", self.ports[3])
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn mail(&self) -> PathBuf {
        self.directory.path().join("mail")
    }

    /// How many messages a user has.
    pub(crate) fn count(&self, user: &str) -> Result<usize> {
        Ok(fs::read_dir(self.mail().join("example.test").join(user).join("new"))?.count())
    }

    pub(crate) fn stop(self) -> Result<()> {
        self.daemons.into_iter().try_for_each(Daemon::stop)?;
        self.directory.close().context("the work directory cannot be removed")
    }
}
