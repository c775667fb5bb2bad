//! The servers of others.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::{Running, Target, Who};
use crate::interop::certificates::Certificates;
use crate::interop::daemon::Daemon;
use crate::interop::program::Program;
use crate::interop::server::Server;
use crate::interop::unpacked::Package;
use crate::interop::{Availability, Peer as _, apt, cyrus, dovecot, nodemailer, place, python};
use crate::{process, project};

/// What the servers know that are scripts of ours.
const ALL: Who = Who {
    good: "good@example.test",
    other: Some("other@example.test"),
    bad: Some("unknown@example.test"),
    full: Some("full@example.test"),
};

/// Where the scripts are.
const SCRIPTS: &str = "xtask/interop/conformance";

pub(super) struct Dovecot;

impl Target for Dovecot {
    fn name(&self) -> &'static str {
        "dovecot"
    }

    fn title(&self) -> &'static str {
        "Dovecot"
    }

    fn obtain(&self) -> Result<Availability> {
        dovecot::Dovecot.obtain()
    }

    /// Without the commit behind it.
    fn version(&self, _: &Program) -> Result<String> {
        let said = process::capture(process::command(dovecot::PROGRAM).arg("--version"))?;
        Ok(said.split_whitespace().next().unwrap_or_default().to_owned())
    }

    fn start(&self, _: &Program) -> Result<Running> {
        let certificates = Certificates::make()?;
        let instance = dovecot::Instance::start(&certificates, "server", "")?;
        let server = instance.server();
        let (who, url) = (who(&server), server.unix);
        // They are read when somebody asks for TLS.
        let stop = move || instance.stop().map(|()| drop(certificates));
        Ok(Running::server(&url, who, stop))
    }
}

pub(super) struct Cyrus;

impl Target for Cyrus {
    fn name(&self) -> &'static str {
        "cyrus"
    }

    fn title(&self) -> &'static str {
        "Cyrus"
    }

    fn obtain(&self) -> Result<Availability> {
        cyrus::Cyrus.obtain()
    }

    fn version(&self, _: &Program) -> Result<String> {
        cyrus::version()
    }

    fn start(&self, _: &Program) -> Result<Running> {
        let certificates = Certificates::make()?;
        let instance = cyrus::Instance::start(&certificates)?;
        let server = instance.server();
        let (who, url) = (who(&server), server.unix);
        let stop = move || instance.stop().map(|()| drop(certificates));
        Ok(Running::server(&url, who, stop))
    }
}

/// Postfix's server for tests, with its option for LMTP. It takes everything.
pub(super) struct SmtpSink;

/// Unpacked and not installed: Postfix would become the machine's mail system.
pub(super) const POSTFIX: Package = Package { name: "postfix", libraries: &["libdb5.3", "libicu72", "libnsl2"] };

impl Target for SmtpSink {
    fn name(&self) -> &'static str {
        "smtp-sink"
    }

    fn title(&self) -> &'static str {
        "smtp-sink"
    }

    fn obtain(&self) -> Result<Availability> {
        POSTFIX.obtain()
    }

    /// Postfix's.
    fn version(&self, _: &Program) -> Result<String> {
        POSTFIX.upstream_version()
    }

    fn start(&self, _: &Program) -> Result<Running> {
        let directory = place::directory()?;
        POSTFIX.unpack(directory.path())?;
        let port = free_port()?;
        let mut command = process::command("env");
        command.arg(format!("LD_LIBRARY_PATH={}", directory.path().join("usr/lib/postfix").display()));
        command.arg(directory.path().join("usr/sbin/smtp-sink")).arg("-L");
        if apt::is_root()? {
            command.args(["-u", "nobody"]);
        }
        // How many may wait to be accepted.
        command.args([&format!("127.0.0.1:{port}"), "100"]);
        at_port("smtp-sink", &command, directory, port, Who { bad: None, full: None, ..ALL })
    }
}

/// Python's aiosmtpd, with its class for LMTP.
pub(super) struct Aiosmtpd;

impl Aiosmtpd {
    const STORE: &str = "python-aiosmtpd";
    const VERSION: &str = "1.4.6";
}

impl Target for Aiosmtpd {
    fn name(&self) -> &'static str {
        "aiosmtpd"
    }

    fn title(&self) -> &'static str {
        "aiosmtpd"
    }

    fn obtain(&self) -> Result<Availability> {
        python::module(Self::STORE, "aiosmtpd", Self::VERSION)
    }

    fn version(&self, _: &Program) -> Result<String> {
        Ok(Self::VERSION.to_owned())
    }

    fn start(&self, _: &Program) -> Result<Running> {
        let port = free_port()?;
        let mut command = process::command(python::store(Self::STORE).join("bin/python"));
        command.arg("-B").arg(script("aiosmtpd_server.py")).arg(port.to_string());
        at_port("aiosmtpd", &command, place::directory()?, port, ALL)
    }
}

/// Node's smtp-server, with its option for LMTP.
pub(super) struct SmtpServer;

impl SmtpServer {
    const STORE: &str = "smtp-server";
    const VERSION: &str = "3.21.6";
}

impl Target for SmtpServer {
    fn name(&self) -> &'static str {
        "smtp-server"
    }

    fn title(&self) -> &'static str {
        "smtp-server"
    }

    fn obtain(&self) -> Result<Availability> {
        nodemailer::modules(Self::STORE, &[("smtp-server", Self::VERSION)])
    }

    fn version(&self, _: &Program) -> Result<String> {
        Ok(Self::VERSION.to_owned())
    }

    fn start(&self, _: &Program) -> Result<Running> {
        let port = free_port()?;
        let mut command = process::command("env");
        command.arg(format!("NODE_PATH={}", nodemailer::store(Self::STORE).join("node_modules").display()));
        command.arg("node").arg(script("smtp-server.cjs")).arg(port.to_string());
        at_port("smtp-server", &command, place::directory()?, port, ALL)
    }
}

/// The accounts of the interoperability tests.
fn who(server: &Server<'_>) -> Who {
    let [other, bad, full] = [server.other_good.0, server.unknown.0.0, server.full.0.0].map(Some);
    Who { good: server.good.0, other, bad, full }
}

pub(super) fn script(name: &str) -> std::path::PathBuf {
    project::root().join(SCRIPTS).join(name)
}

/// Another program may take the port before the server does; the server then says so and ends.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A server that listens at a port; what it says of itself goes to a file.
fn at_port(name: &'static str, command: &Command, directory: TempDir, port: u16, who: Who) -> Result<Running> {
    let log = directory.path().join("log");
    let mut daemon = Daemon::start_logging(name, command, File::create(&log)?)?;
    daemon.wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok()).with_context(|| said(&log))?;
    let stop = move || {
        daemon.stop()?;
        directory.close().context("the work directory cannot be removed")
    };
    Ok(Running::server(&format!("lmtp://127.0.0.1:{port}"), who, stop))
}

fn said(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default().trim_end().to_owned()
}
