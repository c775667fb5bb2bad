//! Postfix: its delivery agent `lmtp`, with a queue in front. Unpacked and not installed: it would become the machine's
//! mail system.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use anyhow::{Context as _, Result};

use super::super::theirs::{POSTFIX, script};
use super::super::{Running, TIMEOUT, Target};
use super::quoted;
use crate::interop::daemon::Daemon;
use crate::interop::program::Program;
use crate::interop::{Availability, Peer as _, place, python, unpacked};
use crate::process;

const CONFIGURATION: &str = include_str!("../../../interop/conformance/postfix/main.cf.in");
const SERVICES: &str = include_str!("../../../interop/conformance/postfix/master.cf");
/// Whom it runs as, and the group that submits, in the private /etc alone.
const USERS: [(&str, u32); 2] = [("postfix", 64_998), ("postdrop", 64_997)];
/// The directories of a queue, and who may do what there.
const QUEUE: [(&str, u32); 13] = [
    ("active", 0o700),
    ("bounce", 0o700),
    ("corrupt", 0o700),
    ("defer", 0o700),
    ("deferred", 0o700),
    ("flush", 0o700),
    ("hold", 0o700),
    ("incoming", 0o700),
    ("private", 0o700),
    ("saved", 0o700),
    ("trace", 0o700),
    ("public", 0o710),
    ("maildrop", 0o1730),
];

pub(in super::super) struct Postfix;

impl Target for Postfix {
    fn name(&self) -> &'static str {
        "postfix"
    }

    fn title(&self) -> &'static str {
        "Postfix"
    }

    fn obtain(&self) -> Result<Availability> {
        if let missing @ Availability::Missing(_) = python::Python.obtain()? {
            return Ok(missing);
        }
        POSTFIX.obtain()
    }

    fn version(&self, _: &Program) -> Result<String> {
        POSTFIX.upstream_version()
    }

    fn start(&self, _: &Program) -> Result<Running> {
        let directory = place::directory()?;
        let path = |name: &str| directory.path().join(name);
        POSTFIX.unpack(&path("package"))?;
        make_etc(directory.path())?;
        make_queue(&path("spool"))?;
        fs::create_dir(path("data"))?;
        chown(path("data"), Some(USERS[0].1), Some(USERS[0].1))?;

        let mut command = unpacked::command(&[(&path("etc"), "/etc")], &path("package/usr/lib/postfix/sbin/master"));
        // In the foreground, in the process group that it was started in.
        command.arg("-d");
        let mut daemon = Daemon::start("postfix", &command)?;
        daemon.wait_until(|| path("spool/public/pickup").exists())?;
        let words = [path("package"), path("etc"), path("")].map(|path| quoted(&path)).join(" ");
        let script = quoted(&script("postfix_send.py"));
        let template = format!("python3 -B {script} {words} {{timeout}} {{port}} {{from}} {{file}} {{to*}}");
        Ok(Running::client(&template, move || {
            daemon.stop()?;
            directory.close().context("the work directory cannot be removed")
        }))
    }
}

/// An /etc with its users, its configuration, and where its libraries are.
fn make_etc(directory: &Path) -> Result<()> {
    let (etc, package) = (directory.join("etc"), directory.join("package"));
    unpacked::make_etc(&etc, &USERS)?;
    fs::create_dir(etc.join("postfix"))?;
    let configuration = CONFIGURATION
        .replace("@DIR@", &directory.to_string_lossy())
        .replace("@PACKAGE@", &package.to_string_lossy())
        .replace("@TIMEOUT@", TIMEOUT);
    fs::write(etc.join("postfix/main.cf"), configuration)?;
    fs::write(etc.join("postfix/master.cf"), SERVICES)?;
    let libraries = format!("include /etc/ld.so.conf.d/*.conf\n{}\n", package.join("usr/lib/postfix").display());
    fs::write(etc.join("ld.so.conf"), libraries)?;
    let mut ldconfig = process::command("ldconfig");
    ldconfig.arg("-X").arg("-C").arg(etc.join("ld.so.cache")).arg("-f").arg(etc.join("ld.so.conf"));
    process::capture(&mut ldconfig).map(|_| ())
}

fn make_queue(spool: &Path) -> Result<()> {
    fs::create_dir(spool)?;
    // Its master's own.
    fs::create_dir(spool.join("pid"))?;
    let [(_, user), (_, submits)] = USERS;
    for (name, mode) in QUEUE {
        let place = spool.join(name);
        fs::create_dir(&place)?;
        chown(&place, Some(user), Some(if mode == 0o700 { user } else { submits }))?;
        fs::set_permissions(&place, Permissions::from_mode(mode))?;
    }
    Ok(())
}
