//! Python's `smtplib.LMTP`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::checks::Checks;
use super::client::{self, Client, Over, Told, Verdict};
use super::desk::Desk;
use super::program::Program;
use super::{Availability, Peer, apt};
use crate::{process, project};

const SCRIPT: &str = include_str!("../../interop/python/send.py");

pub(crate) struct Python;

impl Peer for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn obtain(&self) -> Result<Availability> {
        if process::is_available("python3", &["--version"]) {
            return Ok(Availability::Ready);
        }
        apt::install(&["python3"])
    }

    fn check(&self, _: &Program, checks: &mut Checks) -> Result<()> {
        let desk = Desk::open()?;
        client::check(self, &desk, checks);
        client::check_over(self, &desk, &[Over::StartTls], checks);
        desk.close()
    }
}

/// Installs a module of Python in a [store] of its own, or says why that is not possible.
pub(crate) fn module(of: &str, name: &str, version: &str) -> Result<Availability> {
    let is_there = format!("from importlib.metadata import version; assert version({name:?}) == {version:?}");
    let python = store(of).join("bin/python");
    if process::is_available(&python.to_string_lossy(), &["-c", &is_there]) {
        return Ok(Availability::Ready);
    }
    if !process::is_available("python3", &["-c", "import ensurepip"])
        && let missing @ Availability::Missing(_) = apt::install(&["python3", "python3-venv"])?
    {
        return Ok(missing);
    }
    let mut venv = process::command("python3");
    process::run(venv.args(["-m", "venv"]).arg(store(of)))?;
    let mut pip = process::command(store(of).join("bin/pip"));
    let got = process::run(pip.args(["install", "--quiet", &format!("{name}=={version}")]));
    // An index out of reach is no defect of ours.
    Ok(got.map_or_else(|error| Availability::Missing(format!("{error:#}")), |()| Availability::Ready))
}

/// Where modules are kept, for the next time.
pub(crate) fn store(of: &str) -> PathBuf {
    project::root().join("target/interop").join(of)
}

impl Client for Python {
    fn deliver(&self, desk: &Desk, over: Over, to: &[String], message: &[u8]) -> Result<Vec<Told>> {
        let file = desk.directory().join("message.eml");
        fs::write(&file, message)?;
        let place = match over {
            Over::Unix => desk.socket().into_os_string(),
            Over::Tcp => desk.port().to_string().into(),
            Over::StartTls => {
                format!("starttls:{}:{}", desk.starttls_port(), desk.certificates().ca().display()).into()
            }
            Over::Agent => bail!("smtplib calls no agent"),
            Over::Tls => bail!("smtplib.LMTP begins TLS by STARTTLS only"),
        };
        let mut python = process::command("python3");
        let finished =
            process::finish_within(python.args(["-c", SCRIPT]).arg(place).arg(file).args(to), Duration::from_secs(60))?;
        ensure!(finished.status.success(), "{}: {}", finished.status, finished.stderr);
        finished.stdout.lines().map(told).collect()
    }
}

/// A line of the script: the recipient, the code, the text.
fn told(line: &str) -> Result<Told> {
    let (recipient, reply) = line.split_once(' ').with_context(|| format!("no recipient and reply: {line:?}"))?;
    Ok(Told { recipient: recipient.into(), verdict: Verdict::of_reply(reply)?, text: reply.into() })
}
