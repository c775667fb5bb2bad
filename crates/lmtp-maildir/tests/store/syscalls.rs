//! Invariant 20: what the system is asked for, in its order, as strace sees it; and kill -9 between any two of it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use lmtp_maildir::Store;

use crate::support::{config, deliver, files, root};

/// Where the child delivers, once.
const ROOT: &str = "LMTP_MAILDIR_TEST_ONCE";
/// What the child says behind the verdict, as a server would say 250.
const SAID: &str = "250 for bob";

#[test]
fn child_delivers_once() {
    let Some(root) = env::var_os(ROOT) else { return };
    let store = Store::open(Path::new(&root), config(|config| config.create = true)).unwrap();
    let verdict = deliver(&store, &["bob@x"], b"Hello\r\nThe end.\r\n").remove(0);
    // A call of its own, whatever the test harness has said before.
    fs::write(Path::new(&root).join("said"), format!("{SAID} {}", verdict.file().unwrap())).unwrap();
}

/// strace with these arguments around the child, or `None` where there is no strace that may trace.
fn strace(root: &Path, arguments: &[&str]) -> Option<bool> {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-y", "-s", "64"]).args(arguments).arg(env::current_exe().unwrap());
    strace.args(["--exact", "syscalls::child_delivers_once", "--test-threads=1"]);
    strace.env(ROOT, root).stdout(Stdio::null()).stderr(Stdio::null());
    strace.status().ok().map(|status| status.success())
}

/// Whether there is a strace that may trace; if not, the test says that it is skipped.
fn can_trace(test: &str) -> bool {
    let can = strace(root(&["x/bob"]).path(), &["-e", "trace=none"]) == Some(true);
    if !can {
        eprintln!("{test}: skipped, there is no strace that may trace");
    }
    can
}

/// File, its name, its directory, the answer: each on disk before the next.
#[test]
fn the_order_of_the_system_calls() {
    if !can_trace("the_order_of_the_system_calls") {
        return;
    }
    let root = root(&["x/bob"]);
    let log = root.path().join("log");
    let traced = strace(root.path(), &["-e", "trace=file,desc,fsync,write", "-o", log.to_str().unwrap()]);
    assert_eq!(traced, Some(true));
    let log = fs::read_to_string(log).unwrap();
    let place = |what: &str, words: &[&str]| {
        let found = |line: &&str| words.iter().all(|word| line.contains(word)) && !line.contains(" = -1 ");
        let mut found = log.lines().enumerate().filter(|(_, line)| found(line));
        let first = found.next().unwrap_or_else(|| panic!("{what} is missing in {log}")).0;
        (first, found.last().map_or(first, |(last, _)| last))
    };
    let created = place("O_EXCL in tmp", &["openat(", "/x/bob/tmp", "O_EXCL", "O_NOFOLLOW"]);
    let written = place("the message", &["write(", "/x/bob/tmp/"]);
    let file = place("fsync of the file", &["fsync(", "/x/bob/tmp/"]);
    let moved = place("the move", &["renameat2(", "/x/bob/tmp", "/x/bob/new", "RENAME_NOREPLACE"]);
    let directory = place("fsync of the directory", &["fsync(", "/x/bob/new>"]);
    let said = place("the answer", &["write(", SAID]);
    let all = [created, written, file, moved, directory, said];
    assert!(all.is_sorted_by(|(_, last), (first, _)| last < first), "{all:?} in {log}");
    for once in [file, moved, directory] {
        assert_eq!(once.0, once.1, "once: {log}");
    }
}

/// Killed at each call from the opening of the mailbox to the answer, one after the other: nothing is half there.
#[test]
fn killed_at_each_system_call() {
    if !can_trace("killed_at_each_system_call") {
        return;
    }
    let (mut rounds, mut early, mut late) = (0, 0, 0);
    for call in ["openat", "mkdirat", "write", "fsync", "renameat2", "close", "fstat"] {
        for number in 1..400 {
            let root = root(&[]);
            let inject = format!("inject={call}:signal=KILL:when={number}");
            // Only calls that name the root or what is beneath it count.
            let path = root.path().to_str().unwrap().to_owned();
            let below =
                ["", "/x", "/x/bob", "/x/bob/tmp", "/x/bob/new", "/x/bob/cur"].map(|name| format!("{path}{name}"));
            let mut arguments = vec!["-e", &inject];
            arguments.extend(below.iter().flat_map(|path| ["-P", path.as_str()]));
            let ended = strace(root.path(), &arguments).unwrap();
            let there = files(&root.path().join("x/bob/new"));
            for file in &there {
                assert!(fs::read_to_string(file).unwrap().ends_with("Hello\nThe end.\n"), "{call} {number}");
            }
            if ended {
                assert_eq!(there.len(), 1, "{call} {number}: it was not killed");
                break;
            }
            rounds += 1;
            if there.is_empty() {
                early += 1;
            } else {
                late += 1;
            }
            // What was said is true.
            if let Ok(said) = fs::read_to_string(root.path().join("said")) {
                assert!(said.is_empty() || there.len() == 1, "{call} {number}: {said}");
            }
        }
    }
    assert!(rounds >= 25 && early >= 15 && late >= 3, "{rounds} rounds, {early} early, {late} late");
}
