//! `lmtp serve`, as an operator sets it up, for foreign clients to deliver to: it answers for each recipient on its
//! own, and keeps what it accepts.
//!
//! Two of them share one tree of mailboxes: proxies are believed at one of them, by network, and all of this is on
//! the loopback.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use super::certificates::Certificates;
use super::daemon::Daemon;
use super::place;
use super::program::Program;
use super::trace::{self, Field};
use crate::process;

/// What an operator writes into a file; the places in it are filled in.
const CONFIGURATION: &str = include_str!("../../interop/serve/lmtp.toml.in");
/// Who has a mailbox. Mail for the last three goes wrong as the configuration says: full has no room now, huge never
/// will, and later has none for the first message.
const USERS: [&str; 5] = ["good", "bob", "full", "huge", "later"];
/// What it writes above each message.
const TRACE: [Field; 3] =
    [Field::always("Return-Path: "), Field::always("Delivered-To: "), Field::always("Received: ")];
/// A log line comes behind the reply that it is about.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client that has delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// A proxy has spoken for it.
    pub(crate) by_proxy: bool,
    /// Where it is, as far as the proxy says.
    pub(crate) address: Option<SocketAddr>,
    /// Its line is encrypted.
    pub(crate) encrypted: bool,
}

impl Caller {
    /// The one of this line of the log, if it is about a message.
    fn of(line: &str) -> Option<Self> {
        let entry: Value = serde_json::from_str(line).ok()?;
        (entry["event"] == "delivery").then(|| Self {
            by_proxy: entry["proxy"].is_string(),
            address: entry["peer"].as_str().and_then(|peer| peer.parse().ok()),
            encrypted: entry["tls"] == true,
        })
    }
}

pub(crate) struct Desk {
    directory: TempDir,
    ports: Ports,
    servers: Vec<Daemon>,
    certificates: Certificates,
    /// So much of each log is of before.
    read: Mutex<[usize; 2]>,
}

/// Where it listens on the loopback.
#[derive(Clone, Copy)]
struct Ports {
    plain: u16,
    starttls: u16,
    tls: u16,
    proxied: u16,
    proxied_tls: u16,
}

impl Desk {
    /// Somebody else may take a port between finding it free and listening there: then others are found.
    pub(crate) fn open() -> Result<Self> {
        Self::try_open().or_else(|_| Self::try_open()).or_else(|_| Self::try_open())
    }

    fn try_open() -> Result<Self> {
        let program = Program::build()?;
        let directory = place::directory()?;
        let certificates = Certificates::make()?;
        for user in USERS {
            for part in ["tmp", "new", "cur"] {
                fs::create_dir_all(directory.path().join("mail").join(user).join(part))?;
            }
        }
        let [plain, starttls, tls, proxied, proxied_tls] = free_ports()?;
        let ports = Ports { plain, starttls, tls, proxied, proxied_tls };
        let tcp = |scheme: &str, port: u16| format!("{scheme}://127.0.0.1:{port}");
        let socket = directory.path().join("lmtp.sock");
        let direct = [
            format!("unix:{}", socket.display()),
            tcp("lmtp", plain),
            tcp("lmtp+starttls", starttls),
            tcp("lmtps", tls),
        ];
        let by_proxy = [tcp("lmtp", proxied), tcp("lmtps", proxied_tls)];
        let desk = Self { directory, ports, servers: Vec::new(), certificates, read: Mutex::default() };
        let direct = desk.serve(&program, 0, &direct, &[])?;
        let by_proxy = desk.serve(&program, 1, &by_proxy, &["127.0.0.0/8"])?;
        let mut desk = Self { servers: vec![direct, by_proxy], ..desk };
        let reached = |port| move || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        desk.servers[0].wait_until(|| UnixStream::connect(&socket).is_ok())?;
        desk.servers[0].wait_until(reached(tls))?;
        desk.servers[1].wait_until(reached(proxied_tls))?;
        Ok(desk)
    }

    fn serve(&self, program: &Program, place: usize, listen: &[String], proxies: &[&str]) -> Result<Daemon> {
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        let settings = CONFIGURATION
            .replace("@LISTEN@", &serde_json::to_string(listen)?)
            .replace("@PROXIES@", &serde_json::to_string(proxies)?)
            .replace("@MAIL@", &path(self.directory.path().join("mail")))
            .replace("@CERTIFICATE@", &path(self.certificates.chain("server")))
            .replace("@KEY@", &path(self.certificates.key("server")));
        let file = self.directory.path().join(format!("lmtp{place}.toml"));
        fs::write(&file, settings)?;
        let mut command = process::command(program.path());
        command.args(["serve", "--config"]).arg(file);
        Daemon::start_logging("lmtp serve", &command, File::create(self.log(place))?)
    }

    fn log(&self, place: usize) -> PathBuf {
        self.directory.path().join(format!("log{place}"))
    }

    /// The Unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("lmtp.sock")
    }

    /// The port on the loopback.
    pub(crate) fn port(&self) -> u16 {
        self.ports.plain
    }

    /// The one where STARTTLS is offered.
    pub(crate) fn starttls_port(&self) -> u16 {
        self.ports.starttls
    }

    /// The one where TLS is spoken at once.
    pub(crate) fn tls_port(&self) -> u16 {
        self.ports.tls
    }

    /// The one for proxies, which begin with a PROXY header.
    pub(crate) fn proxied_port(&self) -> u16 {
        self.ports.proxied
    }

    /// The same, with TLS behind the header.
    pub(crate) fn proxied_tls_port(&self) -> u16 {
        self.ports.proxied_tls
    }

    /// What it shows in TLS, and who has issued that.
    pub(crate) fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// A directory for a client's files, which everybody may enter.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Takes all messages of a user out, as they came: without what was written above them.
    pub(crate) fn take(&self, user: &str) -> Result<Vec<Vec<u8>>> {
        let mut messages = Vec::new();
        let new = self.directory.path().join("mail").join(user).join("new");
        // Who has no mailbox has no mail.
        for file in new.exists().then(|| fs::read_dir(new)).transpose()?.into_iter().flatten() {
            let file = file?.path();
            let lines = fs::read(&file)?.into_iter().flat_map(|octet| match octet {
                b'\n' => vec![b'\r', b'\n'],
                octet => vec![octet],
            });
            messages.push(trace::without(&lines.collect::<Vec<u8>>(), &TRACE)?.to_vec());
            fs::remove_file(file)?;
        }
        Ok(messages)
    }

    /// Who has delivered the last message since it was [cleared](Self::clear).
    pub(crate) fn last_caller(&self) -> Result<Caller> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(caller) = self.callers()?.pop() {
                return Ok(caller);
            }
            ensure!(Instant::now() < deadline, "nobody has delivered");
            sleep(Duration::from_millis(5));
        }
    }

    /// Everybody who has delivered since then, as far as the logs are written.
    pub(crate) fn callers(&self) -> Result<Vec<Caller>> {
        let read = *self.read.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut callers = Vec::new();
        for (place, read) in read.into_iter().enumerate() {
            let log = fs::read_to_string(self.log(place))?;
            callers.extend(log[read..].lines().filter_map(Caller::of));
        }
        Ok(callers)
    }

    /// Takes everything out, and forgets who was there.
    pub(crate) fn clear(&self) -> Result<()> {
        for user in USERS {
            self.take(user)?;
        }
        let mut read = self.read.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (place, read) in read.iter_mut().enumerate() {
            *read = fs::read_to_string(self.log(place))?.len();
        }
        Ok(())
    }

    pub(crate) fn close(mut self) -> Result<()> {
        let stopped = self.servers.drain(..).map(Daemon::stop).collect::<Result<Vec<()>>>();
        stopped.map(drop).context("the server")
    }
}

/// Ports on the loopback that nobody listens at.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    // All at once, so that none is there twice.
    let mut sockets = Vec::new();
    for _ in 0..N {
        sockets.push(TcpListener::bind(("127.0.0.1", 0))?);
    }
    let ports = sockets.iter().map(|socket| socket.local_addr().map(|address| address.port()));
    let ports: Vec<u16> = ports.collect::<std::io::Result<_>>()?;
    ports.try_into().map_err(|_| anyhow::anyhow!("a port is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_read_from_the_log() {
        let line =
            r#"{"time":1.0,"event":"delivery","peer":"192.0.2.7:4242","proxy":"127.0.0.1:9","tls":true,"to":"<x@y>"}"#;
        let caller = Caller::of(line).unwrap();
        assert!(caller.by_proxy && caller.encrypted && caller.address == Some("192.0.2.7:4242".parse().unwrap()));
        let caller = Caller::of(r#"{"event":"delivery","peer":"unix:uid=0"}"#).unwrap();
        assert!(!caller.by_proxy && !caller.encrypted && caller.address.is_none());
        assert!(Caller::of(r#"{"event":"rejected","peer":"unix:uid=0"}"#).is_none());
        assert!(Caller::of("warning: something").is_none());
    }
}
