//! Invariant 23: the process is killed at any moment, and what it has acknowledged is there.
//!
//! The process is this test program, started again to do nothing but deliver.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use lmtp_maildir::Store;

use crate::support::{config, files, origin, recipient, root};

/// Where the child delivers.
const ROOT: &str = "LMTP_MAILDIR_TEST_ROOT";
const THREADS: usize = 20;

/// The child: tells of each message before and behind its delivery, for ever. An ordinary run finds nothing to do.
#[test]
fn child_delivers_until_it_is_killed() {
    let Some(root) = env::var_os(ROOT) else { return };
    let store = Store::open(Path::new(&root), config(|config| config.create = true)).unwrap();
    let run = std::process::id();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for number in 0.. {
                    let id = format!("{run}/{thread}/{number}");
                    let bob = recipient(store, &format!("bob{}@x", thread % 7)).unwrap();
                    tell(&format!("begin {id}\n"));
                    let mut delivery = store.deliver(&origin(), vec![bob]);
                    delivery.write(&message(&id));
                    let verdict = delivery.finish().remove(0);
                    tell(&format!("acked {id} {}\n", verdict.file().unwrap()));
                }
            });
        }
    });
}

/// In one write, so that lines of several threads do not mix.
fn tell(line: &str) {
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    std::io::stdout().lock().flush().unwrap();
}

fn message(id: &str) -> Vec<u8> {
    let lines = 1 + id.len() % 5 * 200;
    format!("Subject: {id}\r\n\r\n{}The end of {id}.\r\n", "A line of it.\r\n".repeat(lines)).into_bytes()
}

fn start(root: &Path) -> Child {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "kill::child_delivers_until_it_is_killed", "--nocapture"]);
    child.env(ROOT, root).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    child.spawn().unwrap()
}

#[test]
fn what_was_acknowledged_outlasts_kill_9() {
    let rounds = lmtp_testkit::effort::Effort::current().cases(25);
    let root = root(&[]);
    let (mut acked, mut begun) = (BTreeMap::new(), BTreeSet::new());
    let mut in_flight = 0;
    for round in 0..rounds {
        let mut child = start(root.path());
        let out = BufReader::new(child.stdout.take().unwrap());
        // Some moment after the first acknowledgement.
        let (found, lines) = std::sync::mpsc::channel();
        let reader = thread::spawn(move || {
            let mut told = Vec::new();
            for line in out.lines().map_while(Result::ok) {
                if line.starts_with("acked") {
                    let _ = found.send(());
                }
                told.push(line);
            }
            told
        });
        lines.recv_timeout(Duration::from_secs(60)).expect("the child delivers");
        thread::sleep(Duration::from_micros(u64::from(round.wrapping_mul(7919) % 30_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let (mut open, mut done) = (0, 0);
        for line in reader.join().unwrap() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["begin", id] => {
                    open += usize::from(begun.insert(id.to_owned()));
                }
                ["acked", id, file] => {
                    acked.insert(id.to_owned(), file.to_owned());
                    done += 1;
                }
                // What the test harness says, and a line that was cut.
                _ => {}
            }
        }
        assert!(open > done, "round {round}: nothing was in flight");
        in_flight += open - done;
    }
    check(root.path(), &acked, &begun);
    assert!(
        acked.len() >= rounds as usize && in_flight >= rounds as usize,
        "{} acked, {in_flight} in flight",
        acked.len()
    );
}

/// Each acknowledged message is there, and each that is there is whole.
fn check(root: &Path, acked: &BTreeMap<String, String>, begun: &BTreeSet<String>) {
    for (id, file) in acked {
        let content = fs::read(root.join(file)).unwrap_or_else(|error| panic!("{id} is lost: {error}"));
        assert_eq!(id_of(&content).as_deref(), Some(id.as_str()));
    }
    let mut there = 0;
    for mailbox in files(&root.join("x")) {
        for file in files(&mailbox.join("new")) {
            let id = id_of(&fs::read(&file).unwrap()).unwrap_or_else(|| panic!("{} is short", file.display()));
            assert!(begun.contains(&id), "{id}");
            there += 1;
        }
    }
    assert!(there >= acked.len());
}

/// Which message that is, if it is whole.
fn id_of(content: &[u8]) -> Option<String> {
    let text = String::from_utf8(content.to_vec()).ok()?.replace('\n', "\r\n");
    let id = text.split_once("\r\nSubject: ")?.1.split_once("\r\n")?.0;
    text.ends_with(&String::from_utf8(message(id)).unwrap()).then(|| id.to_owned())
}
