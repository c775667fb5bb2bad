//! Packages that would put another mail system off the machine: unpacked and not installed, and run where they see
//! directories of their own in place of the machine's.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{Availability, apt};
use crate::{process, project};

/// A package's name, and the libraries that it needs beside what every Debian has.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) libraries: &'static [&'static str],
}

impl Package {
    pub(crate) fn obtain(&self) -> Result<Availability> {
        if !process::is_available("unshare", &["--mount", "true"]) {
            return Ok(Availability::Missing("no file system of its own can be made here".into()));
        }
        if self.file().is_none() {
            let downloaded = apt::download(self.name, &store())?;
            if let Availability::Missing(_) = downloaded {
                return Ok(downloaded);
            }
        }
        if self.libraries.iter().all(|library| process::is_available("dpkg", &["--status", library])) {
            return Ok(Availability::Ready);
        }
        apt::install(self.libraries)
    }

    pub(crate) fn unpack(&self, into: &Path) -> Result<()> {
        let package = self.file().context("the package is gone")?;
        process::capture(process::command("dpkg-deb").arg("--extract").arg(package).arg(into)).map(|_| ())
    }

    /// The package's version.
    fn version(&self) -> Result<String> {
        let package = self.file().context("the package is gone")?;
        let said = process::capture(process::command("dpkg-deb").arg("--field").arg(package).arg("Version"))?;
        Ok(said.trim().to_owned())
    }

    /// The same, without the distribution's part.
    pub(crate) fn upstream_version(&self) -> Result<String> {
        Ok(self.version()?.split('-').next().unwrap_or_default().to_owned())
    }

    fn file(&self) -> Option<PathBuf> {
        let entries = fs::read_dir(store()).ok()?;
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let begin = format!("{}_", self.name);
        entries.flatten().map(|entry| entry.path()).find(|path| name(path).starts_with(&begin))
    }
}

/// Where packages are kept, for the next time.
fn store() -> PathBuf {
    project::root().join("target/interop")
}

/// Makes an /etc in which these users exist, with the number as user and as group.
pub(crate) fn make_etc(etc: &Path, users: &[(&str, u32)]) -> Result<()> {
    fs::create_dir_all(etc)?;
    for file in ["hosts", "services", "nsswitch.conf", "ld.so.cache"] {
        // Not every machine has them all.
        if let Ok(octets) = fs::read(Path::new("/etc").join(file)) {
            fs::write(etc.join(file), octets)?;
        }
    }
    let (mut passwd, mut group) = (String::new(), String::new());
    for (user, id) in users {
        // Writing to a String cannot fail.
        let _ = writeln!(passwd, "{user}:x:{id}:{id}::/nonexistent:/usr/sbin/nologin");
        let _ = writeln!(group, "{user}:x:{id}:");
    }
    for (file, entries) in [("passwd", passwd), ("group", group)] {
        let there = fs::read_to_string(Path::new("/etc").join(file))?;
        // The first entry of a name is the one that counts.
        fs::write(etc.join(file), entries + &there)?;
    }
    Ok(())
}

/// The program, where it sees each of these directories in place of the machine's. The mounts are over when the last
/// process is that sees them.
pub(crate) fn command(mounts: &[(&Path, &str)], program: &Path) -> Command {
    let mut command = process::command("unshare");
    // $1 is how many mounts there are, then come the pairs, then the program.
    let script = "n=$1; shift; while [ $n -gt 0 ]; do mount --bind \"$1\" \"$2\" || exit; shift 2; n=$((n-1)); done; \
        exec \"$@\"";
    command.args(["--mount", "sh", "-c", script, "sh", &mounts.len().to_string()]);
    for (private, public) in mounts {
        command.arg(private).arg(public);
    }
    command.arg(program);
    command
}
