//! A real browser in front of the pages: Chromium, and axe for those who cannot see them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::checks::Checks;
use super::program::Program;
use super::web::Web;
use super::{Availability, Peer, apt, nodemailer};
use crate::{process, project};

const SCRIPT: &str = include_str!("../../interop/browser/check.mjs");
const CHROMIUM: &str = "/usr/bin/chromium";
/// Versions that were looked at.
const PACKAGES: [(&str, &str); 2] = [("playwright-core", "1.65.1"), ("axe-core", "4.14.1")];
/// The script's checks; fewer lines than these are a failure.
const CHECKS: usize = 13;

pub(crate) struct Browser;

impl Peer for Browser {
    fn name(&self) -> &'static str {
        "browser"
    }

    fn obtain(&self) -> Result<Availability> {
        if !Path::new(CHROMIUM).exists()
            && let missing @ Availability::Missing(_) = apt::install(&["chromium"])?
        {
            return Ok(missing);
        }
        nodemailer::modules("browser", &PACKAGES)
    }

    fn check(&self, program: &Program, checks: &mut Checks) -> Result<()> {
        // Slow enough that a conversation is seen while it takes place.
        let faults = ["--fail", "final=452:full@example.test", "--delay", "final=600ms"];
        // Nobody is there.
        let web = Web::start(program, &faults, &["--allow", "127.0.0.1:1"])?;
        let shots = screenshots()?;
        let script = web.directory().join("check.mjs");
        fs::write(&script, SCRIPT)?;
        let mut node = process::command("node");
        node.arg(&script).env("NODE_PATH", nodemailer::store("browser").join("node_modules")).env("SHOTS", &shots);
        node.env("CHROMIUM", CHROMIUM).env("PORT", web.server_port().to_string());
        node.env("GATEWAY", web.gateway()).env("LOCKED", web.locked()).env("INBOX", web.inbox());
        let finished = process::finish_within(&mut node, Duration::from_secs(300))?;
        let lines: Vec<&str> = finished.stdout.lines().collect();
        for line in &lines {
            let (result, name) = line.split_once(' ').unwrap_or((line, ""));
            let (name, why) = name.split_once(": ").unwrap_or((name, ""));
            checks.check(name, || if result == "ok" { Ok(()) } else { bail!("{why}; see {}", shots.display()) });
        }
        checks.check("all of it was checked", || {
            ensure!(finished.status.success(), "{}: {}", finished.status, finished.stderr);
            ensure!(lines.len() == CHECKS, "{} checks instead of {CHECKS}: {}", lines.len(), finished.stderr);
            Ok(())
        });
        for (file, path) in [("curl-connect.sh", "a probe"), ("curl-send.sh", "a message")] {
            checks.check(&format!("{path} copied as curl does what the page does"), || {
                let mut shell = process::command("sh");
                let finished = process::finish_within(shell.arg(shots.join(file)), Duration::from_secs(20))?;
                ensure!(
                    finished.stdout.contains("\"protocol\":\"LMTP\"") || finished.stdout.contains("deliveryStatus"),
                    "{}: {}{}",
                    finished.status,
                    finished.stdout,
                    finished.stderr
                );
                Ok(())
            });
        }
        checks.check("stopping leaves no process", || web.stop());
        Ok(())
    }
}

/// Where screenshots are, to be looked at.
fn screenshots() -> Result<PathBuf> {
    let shots = project::root().join("target/interop/screenshots");
    if shots.exists() {
        fs::remove_dir_all(&shots)?;
    }
    fs::create_dir_all(&shots)?;
    Ok(shots)
}
