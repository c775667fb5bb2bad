//! `HAProxy` in front of our server: PROXY protocol version 2, and its health check.

use std::fs::{self};
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use lmtp_blocking::{Client, ClientTls, Envelope, ForwardPath, ReversePath};
use tempfile::TempDir;

use super::checks::Checks;
use super::daemon::Daemon;
use super::desk::Desk;
use super::program::Program;
use super::server::same;
use super::{Availability, Peer, apt, messages, place};
use crate::process;

const PROGRAM: &str = "/usr/sbin/haproxy";
const CONFIGURATION: &str = include_str!("../../interop/haproxy/haproxy.cfg.in");

pub(crate) struct Haproxy;

impl Peer for Haproxy {
    fn name(&self) -> &'static str {
        "haproxy"
    }

    fn obtain(&self) -> Result<Availability> {
        if Path::new(PROGRAM).exists() { Ok(Availability::Ready) } else { apt::install(&["haproxy"]) }
    }

    fn check(&self, program: &Program, checks: &mut Checks) -> Result<()> {
        let desk = Desk::open()?;
        let instance = Instance::start(&desk)?;
        checks.check("its health check of a listener for proxies", || instance.is_up("behind_header"));
        checks.check("its health check of our plain listener", || instance.is_up("checked_plain"));
        let plain = format!("lmtp://127.0.0.1:{}", instance.port);
        checks.check("PROXY v2 in front of a plain listener", || through(program, &desk, &plain, false));
        let encrypted = format!("lmtps://localhost:{}", instance.tls_port);
        checks.check("PROXY v2 in front of an lmtps listener", || through(program, &desk, &encrypted, true));
        let unix = format!("unix:{}", instance.path("in.sock").display());
        checks.check("PROXY v2 without an address, for a client at a Unix socket", || {
            through(program, &desk, &unix, false)
        });
        checks.check("header and ClientHello in one segment", || in_one_segment(&desk));
        checks.check("no header, no service", || without_header(&desk));
        desk.close()?;
        checks.check("its health check finds that our server has gone", || instance.goes_down("checked_plain"));
        checks.check("stopping leaves no process", || instance.stop());
        Ok(())
    }
}

struct Instance {
    daemon: Daemon,
    directory: TempDir,
    port: u16,
    tls_port: u16,
}

impl Instance {
    fn start(desk: &Desk) -> Result<Self> {
        let directory = place::directory()?;
        // Another program may take a port before HAProxy does; HAProxy then says so and ends.
        let (plain, tls) = (TcpListener::bind(("127.0.0.1", 0))?, TcpListener::bind(("127.0.0.1", 0))?);
        let (port, tls_port) = (plain.local_addr()?.port(), tls.local_addr()?.port());
        drop((plain, tls));
        let mut configuration = CONFIGURATION.replace("@DIR@", &directory.path().to_string_lossy());
        for (name, port) in [
            ("@IN@", port),
            ("@TLS_IN@", tls_port),
            ("@PROXIED@", desk.proxied_port()),
            ("@PROXIED_TLS@", desk.proxied_tls_port()),
            ("@DIRECT@", desk.port()),
        ] {
            configuration = configuration.replace(name, &port.to_string());
        }
        let file = directory.path().join("haproxy.cfg");
        fs::write(&file, configuration)?;
        // -db: in the foreground. It says on standard error what it finds of our servers.
        let mut command = process::command("sh");
        command.args(["-c", "exec \"$0\" -db -f \"$1\" 2>\"$2\"", PROGRAM]).arg(&file);
        command.arg(directory.path().join("log"));
        let daemon = Daemon::start("haproxy", &command)?;
        let mut instance = Self { daemon, directory, port, tls_port };
        let log = instance.path("log");
        (instance.daemon.wait_until(|| TcpStream::connect(("127.0.0.1", tls_port)).is_ok()))
            .with_context(|| format!("its log: {}", fs::read_to_string(&log).unwrap_or_default()))?;
        Ok(instance)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What the last check of a back end came to: `UP` and how far it got.
    fn status(&self, backend: &str) -> Result<(String, String)> {
        let mut socket = UnixStream::connect(self.path("admin.sock"))?;
        socket.write_all(b"show stat\n")?;
        let mut said = String::new();
        socket.read_to_string(&mut said)?;
        let (header, lines) = said.split_once('\n').context("no table")?;
        let columns: Vec<_> = header.trim_start_matches("# ").split(',').collect();
        let line =
            lines.lines().find(|line| line.starts_with(&format!("{backend},ours,"))).context("no such server")?;
        let values: Vec<_> = line.split(',').collect();
        let value = |name| {
            let place = columns.iter().position(|column| *column == name).context("no such column")?;
            Ok::<_, anyhow::Error>(values.get(place).context("a short line")?.to_string())
        };
        Ok((value("status")?, value("check_status")?))
    }

    /// It is up until the first check fails, so the check itself has to have gone through to the last line.
    fn is_up(&self, backend: &str) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let (status, check) = self.status(backend)?;
            if (status.as_str(), check.as_str()) == ("UP", "L7OK") {
                return Ok(());
            }
            ensure!(Instant::now() < deadline && !status.starts_with("DOWN"), "it is {status}, the check {check}");
            sleep(Duration::from_millis(50));
        }
    }

    fn goes_down(&self, backend: &str) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.status(backend)?.0.starts_with("DOWN") {
            ensure!(Instant::now() < deadline, "it is still up");
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn stop(self) -> Result<()> {
        self.daemon.stop()?;
        self.directory.close().context("the work directory cannot be removed")
    }
}

/// `lmtp` delivers to `HAProxy`, and our server knows of whom that is.
fn through(program: &Program, desk: &Desk, url: &str, encrypted: bool) -> Result<()> {
    desk.clear()?;
    let message = messages::dots();
    let file = desk.directory().join("message.eml");
    fs::write(&file, &message)?;
    let call = program.send_with(url, &["good@example.test", "unknown@example.test"], &file, |send| {
        if encrypted {
            send.arg("--ca-file").arg(desk.certificates().ca());
        }
    })?;
    call.exits_with(69)?;
    let stored = desk.take("good")?;
    ensure!(stored.len() == 1, "{} messages stored", stored.len());
    same(&stored[0], &message)?;
    let caller = desk.last_caller()?;
    // HAProxy says nothing of where a client at a Unix socket is: then the connection itself counts.
    let told =
        caller.by_proxy && caller.encrypted == encrypted && caller.address.is_some_and(|at| at.ip().is_loopback());
    ensure!(told, "the server takes the client for {caller:?}");
    Ok(())
}

/// As `HAProxy` sends it where the client has begun to speak before its back end answers.
fn in_one_segment(desk: &Desk) -> Result<()> {
    desk.clear()?;
    let trust = ClientTls::builder().ca_file(desk.certificates().ca()).build()?;
    let server = TcpStream::connect(("127.0.0.1", desk.proxied_tls_port()))?;
    server.set_nodelay(true)?;
    let relay = TcpListener::bind(("127.0.0.1", 0))?;
    let port = relay.local_addr()?.port();
    thread::scope(|scope| {
        let relaying = scope.spawn(move || -> Result<()> {
            let (client, _) = relay.accept()?;
            let mut first = HEADER.to_vec();
            let mut hello = [0; 16384];
            let count = (&client).read(&mut hello)?;
            ensure!(hello[0] == 22, "no handshake begins with {}", hello[0]);
            first.extend_from_slice(&hello[..count]);
            (&server).write_all(&first)?;
            let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
            let up = thread::spawn(move || {
                let copied = io::copy(&mut from_client, &mut to_server);
                let _ = to_server.shutdown(Shutdown::Write);
                copied
            });
            io::copy(&mut &server, &mut &client)?;
            // It may be gone already.
            let _ = client.shutdown(Shutdown::Write);
            up.join().map_err(|_| anyhow!("the relay has panicked"))??;
            Ok(())
        });
        let mut client = Client::builder(format!("lmtps://localhost:{port}").as_str())?.tls(trust).connect()?;
        let to = "good@example.test".parse::<ForwardPath>()?;
        let envelope = Envelope::new("sender@example.org".parse::<ReversePath>()?, [to])?;
        let report = client.deliver(&envelope, messages::ordinary(1))?;
        ensure!(report.all_delivered(), "{report:?}");
        client.quit()?;
        relaying.join().map_err(|_| anyhow!("the relay has panicked"))?
    })?;
    let caller = desk.last_caller()?;
    let there = caller.address.is_some_and(|at| at.to_string() == "192.0.2.7:4242");
    ensure!(caller.by_proxy && caller.encrypted && there, "the server takes the client for {caller:?}");
    Ok(())
}

/// PROXY v2, TCP over IPv4, from 192.0.2.7:4242 to 192.0.2.8:24.
const HEADER: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x08\x10\x92\x00\x18";

/// Whoever is trusted to say who the client is has to say it.
fn without_header(desk: &Desk) -> Result<()> {
    let mut socket = TcpStream::connect(("127.0.0.1", desk.proxied_port()))?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    socket.write_all(b"LHLO client.example.test\r\n")?;
    let mut heard = Vec::new();
    // Closed, or reset because what we said was not read: nobody is greeted.
    let ended = socket.read_to_end(&mut heard);
    let timed_out = ended.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
    ensure!(!timed_out && !heard.starts_with(b"220"), "it stays, and says {}", heard.escape_ascii());
    Ok(())
}
