//! Invariants 21, 22 and 27: each call on the file system fails, one after the other, with each error.

use std::collections::BTreeSet;

use lmtp_maildir::{Config, Folders, Store, System, Verdict};
use rustix::io::Errno;

use crate::faulty::{Fault, Faulty};
use crate::sim::Sim;
use crate::support::{config, origin, recipient, root, tree};

const ERRORS: [Errno; 5] = [Errno::IO, Errno::NOSPC, Errno::DQUOT, Errno::MFILE, Errno::ROFS];

/// Who gets a message, and how.
struct Scenario {
    recipients: &'static [&'static str],
    configure: fn(&mut Config),
}

const SCENARIOS: [Scenario; 7] = [
    Scenario { recipients: &["bob@x"], configure: |_| () },
    Scenario { recipients: &["bob@x", "eve@x", "joe@x"], configure: |_| () },
    Scenario { recipients: &["bob@x", "eve@x", "joe@x"], configure: |config| config.link_copies = true },
    Scenario { recipients: &["nan@y", "bob@x"], configure: |config| config.create = true },
    Scenario {
        recipients: &["bob+folder@x"],
        configure: |config| {
            config.rules.delimiter = Some('+');
            config.rules.folders = Folders::Create;
        },
    },
    Scenario { recipients: &["bob@x", "eve@x"], configure: |config| config.quota.octets = Some(1 << 20) },
    Scenario { recipients: &["bob@x", "eve@x"], configure: |config| config.memory = 0 },
];

const MESSAGE: &str = "Subject: hi\r\n\r\nHello\r\n.\r\nThe end.\r\n";

/// The verdicts with which it ends, whether at RCPT or later.
fn run(store: &Store<Faulty<Sim>>, addresses: &[&str]) -> Vec<Verdict> {
    let (mut known, mut verdicts) = (Vec::new(), Vec::new());
    for address in addresses {
        match recipient(store, address) {
            Ok(recipient) => known.push(recipient),
            Err(verdict) => verdicts.push(verdict),
        }
    }
    let mut delivery = store.deliver(&origin(), known);
    MESSAGE.as_bytes().chunks(20).for_each(|piece| delivery.write(piece));
    verdicts.extend(delivery.finish());
    verdicts
}

fn store(scenario: &Scenario, at: usize, fault: Fault) -> (Sim, Faulty<Sim>, Store<Faulty<Sim>>) {
    let sim = Sim::with_mailboxes(&["x/bob", "x/eve", "x/joe"]);
    let faulty = Faulty::new(sim.clone(), at, fault);
    let store = Store::with(faulty.clone(), 0, config(scenario.configure)).unwrap();
    (sim, faulty, store)
}

/// How many calls it takes when nothing fails.
fn calls(scenario: &Scenario) -> usize {
    let (_, faulty, store) = store(scenario, usize::MAX, Fault::Once(0));
    assert!(run(&store, scenario.recipients).iter().all(Verdict::is_stored));
    faulty.calls().count
}

/// What is in `new` is what was answered with success, whole.
fn check_new(sim: &Sim, verdicts: &[Verdict]) {
    let files = sim.tree();
    let stored: BTreeSet<&str> = verdicts.iter().filter_map(Verdict::file).collect();
    let new: BTreeSet<&str> = files.keys().map(String::as_str).filter(|path| path.contains("/new/")).collect();
    assert_eq!(new, stored, "{verdicts:?}");
    for path in stored {
        assert!(files[path].ends_with(b"Hello\n.\nThe end.\n"), "{path}");
    }
}

#[test]
fn the_nth_call_fails_for_every_n_with_every_error() {
    let mut met = BTreeSet::new();
    let (mut runs, mut refusals) = (0, 0);
    for scenario in &SCENARIOS {
        let clean = calls(scenario);
        for (at, errno) in (0..clean).flat_map(|at| ERRORS.map(|errno| (at, errno))) {
            let (sim, faulty, store) = store(scenario, at, Fault::Once(errno.raw_os_error()));
            let verdicts = run(&store, scenario.recipients);
            assert_eq!(verdicts.len(), scenario.recipients.len());
            let calls = faulty.calls();
            let failed = calls.failed.unwrap_or_else(|| panic!("call {at} was not made"));
            met.insert(failed);
            runs += 1;

            check_new(&sim, &verdicts);
            for verdict in verdicts.iter().filter(|verdict| !verdict.is_stored()) {
                refusals += 1;
                let told = verdict.reply().to_string();
                let expected = match errno {
                    Errno::NOSPC => "452 4.3.1",
                    Errno::DQUOT => "452 4.2.2",
                    Errno::MFILE => "451 4.3.2",
                    Errno::ROFS => "451 4.3.5",
                    _ => "451 4.3.0",
                };
                assert!(told.starts_with(expected), "{failed} {errno:?}: {told}");
            }
            // Another's trouble is another's, unless they share the file (27).
            let refused = verdicts.iter().filter(|verdict| !verdict.is_stored()).count();
            let is_shared = matches!(failed, "write" | "sync_file") && calls.of("link") + calls.of("create") == 1;
            assert!(refused <= 1 || is_shared && refused == verdicts.len(), "{failed} at {at}: {verdicts:?}");
            // An fsync that failed is never followed by success, nor by another try (22).
            if failed.starts_with("sync") {
                assert!(refused >= 1, "{failed} at {at}: {verdicts:?}");
            }
            let left = sim.tree().keys().filter(|path| path.contains("/tmp/")).count();
            assert!(left == 0 || failed == "remove", "{failed} at {at} leaves {left} in tmp");
        }
    }
    let expected = [
        "append",
        "create",
        "identity",
        "link",
        "list",
        "make_dir",
        "open_dir",
        "read",
        "remove",
        "rename",
        "sync_dir",
        "sync_file",
        "write",
    ];
    assert_eq!(met, expected.into(), "each call has failed");
    assert!(runs > 700 && refusals > 500, "{runs} runs, {refusals} refusals");
}

/// A disk that has died takes nothing back either: what stays in `new` is whole, what stays in `tmp` is there only.
#[test]
fn from_the_nth_call_on_all_fail() {
    let mut whole = 0;
    for scenario in &SCENARIOS {
        for at in 0..calls(scenario) {
            let (sim, _, store) = store(scenario, at, Fault::FromThen(Errno::IO.raw_os_error()));
            let verdicts = run(&store, scenario.recipients);
            let files = sim.tree();
            for verdict in &verdicts {
                let there = verdict.file().map(|path| files.contains_key(path));
                assert_eq!(there, verdict.is_stored().then_some(true), "{verdict:?}");
                assert!(verdict.is_stored() || verdict.reply().to_string().starts_with("451 4.3.0"), "{verdict:?}");
            }
            for (path, content) in files.iter().filter(|(path, _)| path.contains("/new/")) {
                assert!(content.ends_with(b"The end.\n"), "{path}");
                whole += 1;
            }
        }
    }
    assert!(whole > 50, "{whole}");
}

#[test]
fn short_writes_are_completed_and_empty_ones_are_errors() {
    let (mut short, mut empty) = (0, 0);
    for scenario in &SCENARIOS {
        for at in 0..calls(scenario) {
            let (sim, faulty, store) = store(scenario, at, Fault::Short);
            let verdicts = run(&store, scenario.recipients);
            check_new(&sim, &verdicts);
            assert!(verdicts.iter().all(Verdict::is_stored), "{verdicts:?}");
            short += usize::from(faulty.calls().failed.is_some());

            let (sim, _, store) = self::store(scenario, at, Fault::Nothing);
            let verdicts = run(&store, scenario.recipients);
            check_new(&sim, &verdicts);
            empty += verdicts.iter().filter(|verdict| !verdict.is_stored()).count();
        }
    }
    assert!(short > 20 && empty > 20, "{short} {empty}");
}

/// On the real file system, once through: nothing is left where nothing should be.
#[test]
fn the_nth_call_fails_on_a_real_disk() {
    let run = |at, fault| {
        let root = root(&["x/bob"]);
        let faulty = Faulty::new(System, at, fault);
        let store = Store::with(faulty.clone(), System.root(root.path()).unwrap(), config(|_| ())).unwrap();
        let verdict = match recipient(&store, "bob@x") {
            Ok(recipient) => {
                let mut delivery = store.deliver(&origin(), vec![recipient]);
                delivery.write(MESSAGE.as_bytes());
                delivery.finish().remove(0)
            }
            Err(verdict) => verdict,
        };
        let count = faulty.calls().count;
        (verdict, tree(&root.path().join("x/bob")), count)
    };
    let (verdict, there, calls) = run(usize::MAX, Fault::Once(0));
    assert!(verdict.is_stored() && there.len() == 4 && calls > 10, "{there:?} {calls}");
    for at in 0..calls {
        let (verdict, there, _) = run(at, Fault::Once(Errno::IO.raw_os_error()));
        assert!(verdict.reply().to_string().starts_with("451 4.3.0"), "{at}: {verdict:?}");
        assert_eq!(there, ["cur/", "new/", "tmp/"], "{at}");
    }
}
