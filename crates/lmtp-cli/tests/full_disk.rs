//! `lmtp serve` on a disk that is full, a real one: a small tmpfs in a namespace of its own, where the system allows
//! that (invariant 21).

#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lmtp_blocking::{RecipientReport, send};
use support::served::Served;

/// Mounts 2 MiB at a directory, makes a mailbox in it, and becomes the server.
const BEGIN: &str = "mount -t tmpfs -o size=2m tmpfs \"$1/mail\" && \
    mkdir -p \"$1/mail/x/bob/tmp\" \"$1/mail/x/bob/new\" \"$1/mail/x/bob/cur\" && \
    exec \"$2\" serve --log none --listen \"unix:$1/lmtp\" --maildir \"$1/mail\"";

struct Small {
    served: Served,
    folder: tempfile::TempDir,
}

impl Small {
    /// It, or nothing where nobody may mount.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("mail")).unwrap();
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", BEGIN, "sh"]).arg(folder.path());
        unshare.arg(env!("CARGO_BIN_EXE_lmtp"));
        let served = Served::by(&mut unshare, folder.path().join("lmtp"))?;
        Some(Self { served, folder })
    }

    /// A directory of the mailbox, as the server sees it.
    fn seen(&self, part: &str) -> PathBuf {
        let folder: &Path = self.folder.path();
        let path = format!("/proc/{}/root{}/mail/x/bob/{part}", self.served.server.id(), folder.display());
        path.into()
    }

    fn files(&self, part: &str) -> Vec<PathBuf> {
        fs::read_dir(self.seen(part)).unwrap().map(|file| file.unwrap().path()).collect()
    }

    /// Sends a message of that many lines; what is said of it.
    fn deliver(&self, lines: usize) -> String {
        let message = format!("Subject: hi\r\n\r\n{}The end.\r\n", format!("{}\r\n", "x".repeat(70)).repeat(lines));
        let report = send(self.served.place().as_str(), "ann@x", ["bob@x"], message).unwrap();
        let said = |recipient: RecipientReport<'_>| recipient.reply().map(ToString::to_string);
        report.recipients().next().and_then(said).unwrap_or_default()
    }
}

#[test]
fn a_full_disk_is_said_to_be_full_and_nothing_is_short() {
    let Some(small) = Small::start() else {
        eprintln!("a_full_disk_is_said_to_be_full_and_nothing_is_short: skipped, nobody may mount a file system here");
        return;
    };
    // Some that are written while they come, and some that are written at the end.
    let mut kept = 0;
    for lines in [5000, 1000].into_iter().cycle() {
        let said = small.deliver(lines);
        if !said.starts_with("250 ") {
            assert!(said.starts_with("452 4.3.1 "), "{said}");
            break;
        }
        kept += 1;
        assert!(kept < 100, "it never fills up");
    }
    assert!(kept >= 2, "{kept}");
    assert_eq!((small.files("new").len(), small.files("tmp").len()), (kept, 0));
    for file in small.files("new") {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("Return-Path: <ann@x>\n") && text.ends_with("\nThe end.\n"), "a short one");
    }
    // With room again, it goes on.
    for file in small.files("new") {
        fs::remove_file(file).unwrap();
    }
    assert!(small.deliver(5000).starts_with("250 "));
    assert_eq!(small.files("new").len(), 1);
}
