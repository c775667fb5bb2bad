//! `lmtp deliver`, for mail systems to call: where anybody may run it, with options of several kinds.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::desk::Desk;
use super::place;
use super::program::Program;
use crate::process;

/// The program and files with options. It lives as long as mail systems may call it.
pub(crate) struct Agent {
    pub(crate) program: PathBuf,
    /// Those that lead to the desk.
    pub(crate) options: PathBuf,
    /// Those of somebody who has not read what there is.
    pub(crate) broken: PathBuf,
    /// Those that lead to a server that says nothing.
    pub(crate) silent: PathBuf,
    _server: UnixListener,
    _directory: TempDir,
}

impl Agent {
    pub(crate) fn new(program: &Program, desk: &Desk) -> Result<Self> {
        let directory = place::directory()?;
        let path = |name: &str| directory.path().join(name);
        // Who delivers may not enter the directory that it is built in.
        fs::copy(program.path(), path("lmtp"))?;
        let server = UnixListener::bind(path("silent.sock"))?;
        fs::set_permissions(path("silent.sock"), Permissions::from_mode(0o666))?;
        fs::write(path("deliver.toml"), format!("socket_path = \"{}\"\n", desk.socket().display()))?;
        fs::write(path("broken.toml"), "socket = \"/run/lmtp\"\n")?;
        fs::write(path("silent.toml"), format!("socket_path = \"{}\"\n", path("silent.sock").display()))?;
        Ok(Self {
            program: path("lmtp"),
            options: path("deliver.toml"),
            broken: path("broken.toml"),
            silent: path("silent.toml"),
            _server: server,
            _directory: directory,
        })
    }

    /// Waits for the process with the silent server, and kills it.
    pub(crate) fn kill_the_silent_one(&self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        let silent = self.silent.to_string_lossy();
        loop {
            for entry in fs::read_dir("/proc")? {
                let place = entry?.path();
                // One that has ended meanwhile has none.
                let words = fs::read(place.join("cmdline")).unwrap_or_default();
                let mut words = words.split(|octet| *octet == 0);
                if words.next() == Some(self.program.as_os_str().as_encoded_bytes())
                    && words.any(|word| word == silent.as_bytes())
                {
                    let number = place.file_name().context("a number")?.to_owned();
                    let mut kill = process::command("sh");
                    return process::capture(kill.args(["-c", "kill -s KILL \"$1\"", "sh"]).arg(number)).map(|_| ());
                }
            }
            ensure!(Instant::now() < deadline, "lmtp deliver is not called");
            sleep(Duration::from_millis(10));
        }
    }
}
