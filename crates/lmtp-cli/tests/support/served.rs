//! `lmtp serve` in a process of its own, which ends with its guard.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A server that listens.
pub(crate) struct Served {
    pub(crate) server: Child,
    pub(crate) socket: PathBuf,
}

impl Served {
    /// At `lmtp` in that folder, with the mail in `mail`.
    pub(crate) fn on(folder: &Path, more: &[&str]) -> Self {
        let socket = folder.join("lmtp");
        let mut serve = Command::new(env!("CARGO_BIN_EXE_lmtp"));
        serve.args(["serve", "--log", "none", "--listen"]).arg(format!("unix:{}", socket.display()));
        serve.arg("--maildir").arg(folder.join("mail")).args(more);
        Self::by(&mut serve, socket).expect("a server that listens")
    }

    /// As that command starts it; nothing if it ends before somebody is at the socket.
    pub(crate) fn by(command: &mut Command, socket: PathBuf) -> Option<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut served = Self { server: command.spawn().ok()?, socket };
        let patience = Instant::now() + Duration::from_secs(20);
        while UnixStream::connect(&served.socket).is_err() {
            if served.server.try_wait().unwrap().is_some() {
                return None;
            }
            assert!(Instant::now() < patience, "it does not listen");
            thread::sleep(Duration::from_millis(2));
        }
        Some(served)
    }

    pub(crate) fn place(&self) -> String {
        format!("unix:{}", self.socket.display())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Sends a signal: a small machine has no other `kill` than the shell's.
pub(crate) fn signal(process: &Child, name: &str) {
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -s \"$1\" \"$2\"", "sh", name]).arg(process.id().to_string());
    assert!(kill.status().unwrap().success());
}

/// Makes a Maildir, and gives where its new mail is.
pub(crate) fn mailbox(home: &Path) -> PathBuf {
    for part in ["tmp", "new", "cur"] {
        fs::create_dir_all(home.join(part)).unwrap();
    }
    home.join("new")
}
