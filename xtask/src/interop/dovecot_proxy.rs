//! Dovecot as a proxy: it passes on to our server what our client says to it, and back what our server answers.

use std::fs::{self};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, Result};
use lmtp_blocking::{Body, Envelope, ForwardPath, Outcome, ReversePath};
use tempfile::TempDir;

use super::checks::Checks;
use super::client::{self, Client, Over, Told, Verdict};
use super::daemon::Daemon;
use super::desk::Desk;
use super::dovecot::{Dovecot, PROGRAM};
use super::owner::Owner;
use super::program::Program;
use super::trace::Field;
use super::{Availability, Peer, place};
use crate::process;

const CONFIGURATION: &str = include_str!("../../interop/dovecot-proxy/dovecot.conf.in");

pub(crate) struct DovecotProxy;

impl Peer for DovecotProxy {
    fn name(&self) -> &'static str {
        "dovecot-proxy"
    }

    fn obtain(&self) -> Result<Availability> {
        Dovecot.obtain()
    }

    fn check(&self, _: &Program, checks: &mut Checks) -> Result<()> {
        let desk = Desk::open()?;
        let instance = Instance::start(&desk)?;
        client::check_over(&instance, &desk, &[Over::Tcp], checks);
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
    fn start(desk: &Desk) -> Result<Self> {
        let directory = place::directory()?;
        for part in ["run", "state"] {
            fs::create_dir(directory.path().join(part))?;
        }
        let owner = Owner::find("nobody", "nogroup")?;
        // Another program may take the port before Dovecot does; Dovecot then says so and ends.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let configuration = CONFIGURATION
            .replace("#ROOTLESS#", if owner.rootless { "" } else { "#" })
            .replace("@DIR@", &directory.path().to_string_lossy())
            .replace("@IN@", &port.to_string())
            .replace("@OUT@", &desk.port().to_string())
            .replace("@USER@", &owner.user)
            .replace("@GROUP@", &owner.group);
        let file = directory.path().join("dovecot.conf");
        fs::write(&file, configuration)?;
        let mut command = process::command(PROGRAM);
        command.arg("-F").arg("-c").arg(file);
        let mut daemon = Daemon::start("dovecot", &command)?;
        let socket = directory.path().join("lmtp.sock");
        let log = directory.path().join("dovecot.log");
        daemon
            .wait_until(|| UnixStream::connect(&socket).is_ok() && TcpStream::connect(("127.0.0.1", port)).is_ok())
            .with_context(|| format!("dovecot's log: {}", fs::read_to_string(&log).unwrap_or_default().trim_end()))?;
        Ok(Self { daemon, directory, port })
    }

    fn stop(self) -> Result<()> {
        self.daemon.stop()?;
        self.directory.close().context("the work directory cannot be removed")
    }
}

impl Client for Instance {
    fn trace(&self) -> &'static [Field] {
        const TRACE: [Field; 1] = [Field::always("Received: ")];
        &TRACE
    }

    /// `over` is how the proxy reaches our server, and that is TCP.
    fn deliver(&self, _: &Desk, _: Over, to: &[String], message: &[u8]) -> Result<Vec<Told>> {
        let to = to.iter().map(|to| to.parse::<ForwardPath>()).collect::<Result<Vec<_>, _>>()?;
        let envelope = Envelope::new("sender@example.org".parse::<ReversePath>()?, to)?;
        let mut client = lmtp_blocking::Client::connect(format!("lmtp://127.0.0.1:{}", self.port).as_str())?;
        let report = client.deliver(&envelope, Body::from(message.to_vec()))?;
        client.quit()?;
        let told = report.recipients().map(|recipient| {
            let verdict = match recipient.outcome() {
                Outcome::Delivered => Verdict::Delivered,
                Outcome::Permanent => Verdict::Permanent,
                _ => Verdict::Temporary,
            };
            let text = recipient.reply().map(ToString::to_string).unwrap_or_default();
            Told { recipient: recipient.path().to_string(), verdict, text }
        });
        Ok(told.collect())
    }
}
