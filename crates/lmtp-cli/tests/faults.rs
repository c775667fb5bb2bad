//! `lmtp serve` where the n-th call to the system fails, or kills it: each n, and the answer is true all the same
//! (invariants 16, 17 and 20 to 22). It takes strace, which injects the faults.

#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use lmtp_blocking::{Outcome, send};
use lmtp_testkit::effort::Effort;
use support::served::{Served, mailbox};

const PARTS: [&str; 5] = ["", "/tmp", "/new", "/cur", "/.."];

/// What a reply is written with, which names no mailbox.
const REPLY: &str = "write,writev,sendto,sendmsg";

/// strace as a grandchild, so that the child is the server.
fn traced(folder: &Path, inject: &str) -> Command {
    let home = folder.join("mail/x/bob").display().to_string();
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-qq", "-o"]).arg(folder.join("log")).args(["-e", inject]);
    if !inject.contains(REPLY) {
        // Only calls that name a mailbox or what is beneath it count.
        strace.args(PARTS.iter().flat_map(|part| ["-P".to_owned(), format!("{home}{part}")]));
    }
    strace.arg(env!("CARGO_BIN_EXE_lmtp")).args(["serve", "--log", "none", "--listen"]);
    strace.arg(format!("unix:{}", folder.join("lmtp").display())).arg("--maildir").arg(folder.join("mail"));
    strace
}

fn furnished() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    mailbox(&folder.path().join("mail/x/bob"));
    folder
}

/// Starts it, if there is a strace that may trace.
fn start(folder: &Path, inject: &str) -> Option<Served> {
    Served::by(&mut traced(folder, inject), folder.join("lmtp"))
}

fn deliver(folder: &Path) -> Outcome {
    // It may be gone between two messages.
    deliver_if_there(folder).expect("a report")
}

fn deliver_if_there(folder: &Path) -> Option<Outcome> {
    let place = format!("unix:{}", folder.join("lmtp").display());
    // Longer than what is kept in memory, so that the file is written while the content comes.
    let message = format!("Subject: hi\r\n\r\n{}The end.\r\n", format!("{}\r\n", "x".repeat(70)).repeat(5000));
    let report = send(place.as_str(), "ann@x", ["bob@x"], message).ok()?;
    report.recipients().next().map(|recipient| recipient.outcome())
}

/// How many there are in `new`, none of them short.
fn kept(folder: &Path) -> usize {
    let files = fs::read_dir(folder.join("mail/x/bob/new")).unwrap();
    let texts: Vec<String> = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    assert!(texts.iter().all(|text| text.len() > 300_000 && text.ends_with("\nThe end.\n")), "a short one");
    texts.len()
}

#[test]
fn each_call_fails_once_and_no_answer_is_a_lie() {
    if start(furnished().path(), "trace=none").is_none() {
        eprintln!("each_call_fails_once_and_no_answer_is_a_lie: skipped, there is no strace that may trace");
        return;
    }
    let most = match Effort::current() {
        Effort::Quick => 2,
        Effort::Ci | Effort::Long => 50,
    };
    let (mut injected, mut refused) = (0, 0);
    for (call, error) in [
        ("openat", "EMFILE"),
        ("openat", "EROFS"),
        ("write", "ENOSPC"),
        ("write", "EDQUOT"),
        ("write", "EIO"),
        ("fsync", "EIO"),
        ("renameat2", "EIO"),
        ("close", "EIO"),
    ] {
        for number in 1..=most {
            let folder = furnished();
            let inject = format!("inject={call}:error={error}:when={number}");
            let failing = start(folder.path(), &inject).unwrap();
            // strace counts for each thread alone, so that more than one message may meet the fault.
            let mut stored = 0;
            let good = (0..40).any(|_| {
                let outcome = deliver(folder.path());
                let before = std::mem::replace(&mut stored, kept(folder.path()));
                match outcome {
                    Outcome::Delivered => assert_eq!(stored, before + 1, "{inject}"),
                    // Once too often is the side to err on: it may be there, and will be sent again.
                    Outcome::Temporary => refused += 1,
                    other => panic!("{inject}: {other}"),
                }
                outcome == Outcome::Delivered
            });
            assert!(good, "{inject}: it does not go on");
            drop(failing);
            let log = fs::read_to_string(folder.path().join("log")).unwrap();
            if !log.contains("(INJECTED)") {
                break;
            }
            injected += 1;
        }
    }
    println!("{injected} faults, {refused} of them refused for now");
    assert!(injected >= 6 && refused >= 4, "{injected} faults, {refused} refused");
}

/// Killed as it enters a call, each call of a delivery: what it had answered for is there, whole, and nothing in
/// `new` is short. The last case is the reply itself, amid whatever else it writes.
#[test]
fn it_is_killed_in_every_interval_and_nothing_is_lost() {
    if start(furnished().path(), "trace=none").is_none() {
        eprintln!("it_is_killed_in_every_interval_and_nothing_is_lost: skipped, there is no strace that may trace");
        return;
    }
    let most = match Effort::current() {
        Effort::Quick => 2,
        Effort::Ci | Effort::Long => 40,
    };
    let (mut killed, mut in_flight) = (0, 0);
    for call in ["openat", "write", "fsync", "renameat2", "close", REPLY] {
        for number in 1..=most {
            let folder = furnished();
            let inject = format!("inject={call}:signal=KILL:when={number}");
            // Where it is killed before it listens, nothing has been answered.
            let Some(mut failing) = start(folder.path(), &inject) else { continue };
            let mut acknowledged = 0;
            let mut last = None;
            for _ in 0..40 {
                last = deliver_if_there(folder.path());
                match last {
                    Some(Outcome::Delivered) => acknowledged += 1,
                    _ => break,
                }
            }
            let is_dead = last != Some(Outcome::Delivered);
            if is_dead {
                failing.server.wait().unwrap();
                assert_ne!(last, Some(Outcome::Permanent), "{inject}");
                in_flight += u32::from(matches!(last, Some(Outcome::Uncertain | Outcome::Unsent)));
            }
            let there = kept(folder.path());
            // One that was under way may be there, too: nobody was told so.
            assert!(there >= acknowledged && there <= acknowledged + 1, "{inject}: {there} of {acknowledged}");
            if !is_dead {
                break;
            }
            killed += 1;
        }
    }
    println!("killed {killed} times, {in_flight} of them with a message under way");
    assert!(killed >= 6 && in_flight * 2 > killed, "killed {killed} times, {in_flight} with a message under way");
}
