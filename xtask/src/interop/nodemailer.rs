//! nodemailer, with its LMTP option.

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

const SCRIPT: &str = include_str!("../../interop/nodemailer/send.cjs");
/// A version that was looked at: a newer one must not break a run that changes nothing.
pub(crate) const VERSION: &str = "10.6.1";

pub(crate) struct Nodemailer;

impl Peer for Nodemailer {
    fn name(&self) -> &'static str {
        "nodemailer"
    }

    fn obtain(&self) -> Result<Availability> {
        modules("nodemailer", &[("nodemailer", VERSION)])
    }

    fn check(&self, _: &Program, checks: &mut Checks) -> Result<()> {
        let desk = Desk::open()?;
        client::check_over(self, &desk, &[Over::Unix, Over::Tcp, Over::StartTls, Over::Tls], checks);
        desk.close()
    }
}

/// Installs modules of Node in a [store] of their own, or says why that is not possible.
pub(crate) fn modules(of: &str, wanted: &[(&str, &str)]) -> Result<Availability> {
    if !process::is_available("npm", &["--version"])
        && let missing @ Availability::Missing(_) = apt::install(&["nodejs", "npm"])?
    {
        return Ok(missing);
    }
    let is_there = |(name, version): &(&str, &str)| {
        let manifest = store(of).join("node_modules").join(name).join("package.json");
        fs::read_to_string(manifest).is_ok_and(|text| text.contains(&format!("\"version\": \"{version}\"")))
    };
    if wanted.iter().all(is_there) {
        return Ok(Availability::Ready);
    }
    fs::create_dir_all(store(of))?;
    let mut npm = process::command("npm");
    npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix"]).arg(store(of));
    let got = process::run(npm.args(wanted.iter().map(|(name, version)| format!("{name}@{version}"))));
    // A registry out of reach is no defect of ours.
    Ok(got.map_or_else(|error| Availability::Missing(format!("{error:#}")), |()| Availability::Ready))
}

/// Where modules are kept, for the next time.
pub(crate) fn store(of: &str) -> PathBuf {
    project::root().join("target/interop/node").join(of)
}

impl Client for Nodemailer {
    fn deliver(&self, desk: &Desk, over: Over, to: &[String], message: &[u8]) -> Result<Vec<Told>> {
        let file = desk.directory().join("message.eml");
        fs::write(&file, message)?;
        let (mode, place) = match over {
            Over::Agent => bail!("nodemailer calls no agent"),
            Over::Unix => ("none", desk.socket().to_string_lossy().into_owned()),
            Over::Tcp => ("none", format!("127.0.0.1:{}", desk.port())),
            Over::StartTls => ("starttls", format!("localhost:{}", desk.starttls_port())),
            Over::Tls => ("tls", format!("localhost:{}", desk.tls_port())),
        };
        let mut node = process::command("node");
        node.env("NODE_PATH", store("nodemailer").join("node_modules"));
        node.env("TLS_MODE", mode).env("CA_FILE", desk.certificates().ca());
        // `--` ends its own options, and does not reach the script.
        node.args(["-e", SCRIPT, "--", "send.cjs", &place]).arg(&file).args(to);
        let finished = process::finish_within(&mut node, Duration::from_secs(60))?;
        ensure!(finished.status.success(), "{}: {}", finished.status, finished.stderr);
        finished.stdout.lines().map(told).collect()
    }
}

/// A line of the script: the recipient, the reply.
fn told(line: &str) -> Result<Told> {
    let (recipient, reply) = line.split_once(' ').with_context(|| format!("no recipient and reply: {line:?}"))?;
    Ok(Told { recipient: recipient.into(), verdict: Verdict::of_reply(reply)?, text: reply.into() })
}
