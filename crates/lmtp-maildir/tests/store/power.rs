//! Invariant 24: the power fails after each operation, and what was not put on disk is lost or torn.

use std::collections::BTreeMap;
use std::thread;

use lmtp_maildir::{Config, Folders, Store};

use crate::faulty::{Fault, Faulty};
use crate::sim::{Choice, Op, Sim, after_power_loss};
use crate::support::{config, origin, recipient};

/// All names and octets, or none, or the names without their octets.
struct Extreme {
    names: bool,
    octets: bool,
}

impl Choice for Extreme {
    fn name(&mut self) -> bool {
        self.names
    }

    fn octets(&mut self, of: usize) -> usize {
        if self.octets { of } else { 0 }
    }
}

/// Anything, by a generator of numbers (splitmix64).
struct Any(u64);

impl Any {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Choice for Any {
    fn name(&mut self) -> bool {
        self.next() & 1 == 0
    }

    fn octets(&mut self, of: usize) -> usize {
        usize::try_from(self.next() % (of as u64 + 1)).unwrap()
    }
}

/// What was seen, so that a test that tests nothing fails.
#[derive(Debug, Default)]
struct Seen {
    states: usize,
    /// Acknowledged messages that were looked for and found.
    kept: usize,
    /// Messages on their way that a failure took, and that it left.
    lost: usize,
    early: usize,
}

/// Loses power after each operation in many ways.
fn replay(log: &[Op], random: u32) -> Seen {
    let mut seen = Seen::default();
    let all: usize = log.iter().filter(|op| matches!(op, Op::Acked(..))).count();
    for end in 0..=log.len() {
        let log = &log[..end];
        let mut check = |choice: &mut dyn Choice| look(log, &after_power_loss(log, choice), all, &mut seen);
        for (names, octets) in [(false, false), (true, false), (true, true), (false, true)] {
            check(&mut Extreme { names, octets });
        }
        for seed in 0..random {
            check(&mut Any(u64::from(seed) << 32 | end as u64));
        }
    }
    seen
}

fn look(log: &[Op], disk: &BTreeMap<String, Vec<u8>>, all: usize, seen: &mut Seen) {
    seen.states += 1;
    let mut acked = 0;
    for op in log {
        if let Op::Acked(path, content) = op {
            assert_eq!(disk.get(path), Some(content), "{path} was acknowledged and is lost");
            acked += 1;
        }
    }
    let new = disk.iter().filter(|(path, _)| path.contains("/new/"));
    let mut there = 0;
    for (path, content) in new {
        assert!(is_whole(path, content), "{path} is short: {:?}", String::from_utf8_lossy(content));
        there += 1;
    }
    seen.kept += acked;
    seen.early += there - acked;
    seen.lost += all - there;
}

/// As long as its name says, with its end.
fn is_whole(path: &str, content: &[u8]) -> bool {
    let size = path.split_once(",S=").and_then(|(_, sizes)| sizes.split(',').next()?.parse().ok());
    size == Some(content.len()) && content.starts_with(b"Return-Path:") && content.ends_with(b"The end.\n")
}

fn message(number: usize) -> Vec<u8> {
    format!("Subject: {number}\r\n\r\n{}The end.\r\n", "A line.\r\n".repeat(number % 7)).into_bytes()
}

fn store(sim: &Sim, set: impl FnOnce(&mut Config)) -> Store<Sim> {
    Store::with(sim.clone(), 0, config(set)).unwrap()
}

/// Delivers, and notes what was acknowledged; all of it is.
fn acknowledge(sim: &Sim, store: &Store<Sim>, addresses: &[&str], number: usize) {
    let recipients = addresses.iter().map(|address| recipient(store, address).unwrap()).collect();
    let mut delivery = store.deliver(&origin(), recipients);
    message(number).chunks(50).for_each(|piece| delivery.write(piece));
    for verdict in delivery.finish() {
        sim.acked(verdict.file().unwrap_or_else(|| panic!("{verdict:?}")));
    }
}

fn random() -> u32 {
    lmtp_testkit::effort::Effort::current().cases(12)
}

/// One message after the other: into mailboxes that are there, new ones, folders, as copies and links.
#[test]
fn power_fails_at_each_step_of_one_session() {
    lmtp_testkit::proves!("R2033-4.2-g", "R2033-4.3-d");
    for (link_copies, memory) in [(false, 1 << 20), (true, 1 << 20), (false, 0), (true, 0)] {
        let sim = Sim::with_mailboxes(&["x/bob", "x/eve"]);
        let store = store(&sim, |config| {
            (config.link_copies, config.memory, config.create) = (link_copies, memory, true);
            config.rules.delimiter = Some('+');
            config.rules.folders = Folders::Create;
            config.quota.octets = Some(1 << 20);
        });
        let sessions: [&[&str]; 6] =
            [&["bob@x"], &["bob@x", "eve@x"], &["nan@x"], &["bob+a@x"], &["n@y", "m@z", "bob@x"], &["bob@x", "bob@x"]];
        for (number, addresses) in sessions.iter().enumerate() {
            acknowledge(&sim, &store, addresses, number);
        }
        let seen = replay(&sim.log(), random());
        assert!(seen.states > 100 * 16, "{seen:?}");
        assert!(seen.kept > 1000 && seen.lost > 1000 && seen.early > 100, "{seen:?}");
    }
}

/// Eight sessions at once, with fsyncs shared, into one mailbox and a new one.
#[test]
fn power_fails_at_each_step_of_many_sessions() {
    for round in 0..lmtp_testkit::effort::Effort::current().cases(3) as usize {
        let sim = Sim::with_mailboxes(&["x/bob"]);
        let store = store(&sim, |config| config.create = true);
        thread::scope(|scope| {
            for thread in 0..8 {
                let (sim, store) = (&sim, &store);
                scope.spawn(move || {
                    for number in 0..2 {
                        let address = if (thread + number) % 2 == 0 { "bob@x" } else { "nan@y" };
                        acknowledge(sim, store, &[address], round + thread + number);
                    }
                });
            }
        });
        let seen = replay(&sim.log(), random());
        assert!(seen.kept > 500 && seen.lost > 500, "{seen:?}");
    }
}

/// Two servers make the same mailbox: one of them has come to any of its calls and no further, the other delivers.
#[test]
fn what_another_server_has_half_made_is_put_on_disk() {
    let mut stopped = 0;
    loop {
        let sim = Sim::new();
        let other = Faulty::new(sim.clone(), stopped, Fault::FromThen(rustix::io::Errno::IO.raw_os_error()));
        let other_store = Store::with(other, 0, config(|config| config.create = true)).unwrap();
        let made_all = recipient(&other_store, "joe@x").is_ok_and(|joe| {
            let verdicts = other_store.deliver(&origin(), vec![joe]).finish();
            verdicts.iter().all(lmtp_maildir::Verdict::is_stored)
        });
        if made_all {
            break;
        }
        // What the other one was sending is not looked at: it is no message of these.
        let begun = sim.tree().into_keys().filter(|path| path.contains("/new/")).count();
        if begun == 0 {
            acknowledge(&sim, &store(&sim, |config| config.create = true), &["joe@x"], 1);
            let seen = replay(&sim.log(), random());
            assert!(seen.kept > 10, "{stopped} {seen:?}");
        }
        stopped += 1;
    }
    assert!(stopped > 15, "{stopped}");
}

/// The tests above can fail: a disk that says it has put a directory on disk and has not.
#[test]
fn a_lost_message_would_be_seen() {
    let sim = Sim::with_mailboxes(&["x/bob"]);
    acknowledge(&sim, &store(&sim, |_| ()), &["bob@x"], 1);
    let log = sim.log();
    let delivery = log.iter().position(|op| matches!(op, Op::Write(..))).unwrap();
    for lie in 0..2 {
        let mut log = log.clone();
        let lying = |op: &Op| if lie == 0 { matches!(op, Op::SyncFile(_)) } else { matches!(op, Op::SyncDir(_)) };
        let at = delivery + log[delivery..].iter().position(lying).unwrap();
        log.remove(at);
        assert!(std::panic::catch_unwind(|| replay(&log, 1)).is_err(), "a missing fsync is noticed");
    }
}
