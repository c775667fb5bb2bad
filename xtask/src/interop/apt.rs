//! Packages of the distribution: only on Debian and its kin, only as root, and nothing starts by itself.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::Availability;
use crate::{process, project};

/// `invoke-rc.d` asks this program before it starts a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs the packages, or says why that is not possible.
pub(crate) fn install(packages: &[&str]) -> Result<Availability> {
    if let Some(missing) = impossible(&packages.join(" "))? {
        return Ok(missing);
    }
    let _policy = NothingStarts::make()?;
    let install = || get(&[&["install", "-y", "--no-install-recommends"], packages].concat(), &project::root());
    Ok(outcome(update().and_then(|()| install())))
}

/// Puts the package's file into a directory, and installs nothing; or says why that is not possible.
pub(crate) fn download(package: &str, into: &Path) -> Result<Availability> {
    if let Some(missing) = impossible(package)? {
        return Ok(missing);
    }
    fs::create_dir_all(into)?;
    Ok(outcome(update().and_then(|()| get(&["download", package], into))))
}

fn impossible(names: &str) -> Result<Option<Availability>> {
    let why = if !Path::new("/etc/debian_version").exists() {
        "this is not Debian"
    } else if !is_root()? {
        "we are not root"
    } else {
        return Ok(None);
    };
    Ok(Some(Availability::Missing(format!("{names}: not installed, and {why}"))))
}

fn update() -> Result<()> {
    get(&["update"], &project::root())
}

fn get(args: &[&str], directory: &Path) -> Result<()> {
    let mut apt = process::command("apt-get");
    apt.current_dir(directory).env("DEBIAN_FRONTEND", "noninteractive");
    // Another apt may be at work, on a machine that has just come up for example.
    apt.args(["-q", "-o", "DPkg::Lock::Timeout=120"]).args(args);
    process::run(&mut apt)
}

/// A mirror out of reach is no defect of ours: without --strict the peer is skipped.
fn outcome(got: Result<()>) -> Availability {
    match got {
        Ok(()) => Availability::Ready,
        Err(error) => Availability::Missing(format!("{error:#}")),
    }
}

/// True for uid 0.
pub(crate) fn is_root() -> Result<bool> {
    Ok(process::capture(process::command("id").arg("-u"))?.trim() == "0")
}

/// While this lives, installing a service does not start it. A policy that is already there stands.
struct NothingStarts {
    ours: bool,
}

impl NothingStarts {
    fn make() -> Result<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        let mut options = fs::OpenOptions::new();
        let mut policy = (options.write(true).create_new(true).mode(0o755).open(POLICY))
            .with_context(|| format!("{POLICY} cannot be made"))?;
        let guard = Self { ours: true };
        // 101: action forbidden by policy.
        policy.write_all(b"#!/bin/sh\nexit 101\n")?;
        Ok(guard)
    }
}

impl Drop for NothingStarts {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = fs::remove_file(POLICY)
        {
            eprintln!("{POLICY} cannot be removed, and keeps services from starting: {error}");
        }
    }
}
