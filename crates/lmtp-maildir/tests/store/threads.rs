//! Many sessions at once: nothing is overwritten, and a shared fsync is a real one.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use std::{fs, thread};

use lmtp_maildir::fs::{Entry, Fs, Identity};
use lmtp_maildir::{Store, Verdict};

use crate::sim::Sim;
use crate::support::{config, deliver, files, root};

#[test]
fn two_servers_and_eight_threads_in_one_mailbox() {
    let root = root(&["x/bob"]);
    let each = 10 * lmtp_testkit::effort::Effort::current().cases(1) as usize;
    // Two stores are two servers: they share nothing but the disk.
    let stores = [(); 2].map(|()| Store::open(root.path(), config(|_| ())).unwrap());
    let named: BTreeSet<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let store = &stores[thread % 2];
                scope.spawn(move || {
                    let content = |number| format!("Subject: {thread}/{number}\r\n\r\nHello\r\n").into_bytes();
                    let verdicts = (0..each).flat_map(move |number| deliver(store, &["bob@x"], &content(number)));
                    verdicts.map(|verdict| verdict.file().unwrap().to_owned()).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(named.len(), 8 * each);
    let there = files(&root.path().join("x/bob/new"));
    assert_eq!(there.len(), 8 * each);
    let subjects: BTreeSet<String> =
        there.iter().map(|file| fs::read_to_string(file).unwrap().lines().nth(4).unwrap().to_owned()).collect();
    assert_eq!(subjects.len(), 8 * each, "{subjects:?}");
    assert_eq!(files(&root.path().join("x/bob/tmp")).len(), 0);
}

/// A disk whose fsyncs of directories wait for a sign, and fail when they are told to.
#[derive(Clone)]
struct Slow {
    inner: Sim,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    renames: AtomicUsize,
    syncs: AtomicUsize,
    /// How many fsyncs may end, and which of them fails.
    gate: Mutex<(usize, Option<usize>)>,
    opened: Condvar,
}

impl Slow {
    fn open(&self, syncs: usize, failing: Option<usize>) {
        *self.shared.gate.lock().unwrap() = (syncs, failing);
        self.shared.opened.notify_all();
    }

    /// Whoever waits in vain lets the others go, so that the test fails and does not hang.
    fn wait_for(&self, what: &AtomicUsize, count: usize) {
        let begin = Instant::now();
        while what.load(Ordering::SeqCst) < count {
            if begin.elapsed() > Duration::from_secs(5) {
                self.open(usize::MAX, None);
                panic!("waited in vain");
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Fs for Slow {
    type Dir = usize;
    type File = usize;

    fn sync_dir(&self, dir: &usize) -> io::Result<()> {
        let number = self.shared.syncs.fetch_add(1, Ordering::SeqCst);
        let mut gate = self.shared.gate.lock().unwrap();
        while gate.0 <= number {
            gate = self.shared.opened.wait(gate).unwrap();
        }
        if gate.1 == Some(number) { Err(rustix::io::Errno::IO.into()) } else { self.inner.sync_dir(dir) }
    }

    fn rename(&self, from: &usize, name: &str, to: &usize, new: &str) -> io::Result<()> {
        let renamed = self.inner.rename(from, name, to, new);
        self.shared.renames.fetch_add(1, Ordering::SeqCst);
        renamed
    }

    fn open_dir(&self, at: &usize, name: &str) -> io::Result<usize> {
        self.inner.open_dir(at, name)
    }

    fn make_dir(&self, at: &usize, name: &str) -> io::Result<()> {
        self.inner.make_dir(at, name)
    }

    fn identity(&self, dir: &usize) -> io::Result<Identity> {
        self.inner.identity(dir)
    }

    fn create(&self, at: &usize, name: &str) -> io::Result<usize> {
        self.inner.create(at, name)
    }

    fn append(&self, at: &usize, name: &str) -> io::Result<usize> {
        self.inner.append(at, name)
    }

    fn write(&self, file: &mut usize, octets: &[u8]) -> io::Result<usize> {
        self.inner.write(file, octets)
    }

    fn sync_file(&self, file: &usize) -> io::Result<()> {
        self.inner.sync_file(file)
    }

    fn link(&self, from: &usize, name: &str, to: &usize, new: &str) -> io::Result<()> {
        self.inner.link(from, name, to, new)
    }

    fn remove(&self, at: &usize, name: &str) -> io::Result<()> {
        self.inner.remove(at, name)
    }

    fn read(&self, at: &usize, name: &str, most: u64) -> io::Result<Vec<u8>> {
        self.inner.read(at, name, most)
    }

    fn list(&self, dir: &usize) -> io::Result<Vec<Entry>> {
        self.inner.list(dir)
    }
}

/// One message begins an fsync, seven more arrive while it runs. How many fsyncs there are, and the verdicts in
/// the order of arrival.
fn first_and_seven(group_commit: bool, failing: Option<usize>) -> (usize, Vec<Verdict>) {
    let slow = Slow { inner: Sim::with_mailboxes(&["x/bob"]), shared: Arc::default() };
    let store = Store::with(slow.clone(), 0, config(|config| config.group_commit = group_commit)).unwrap();
    let verdicts = thread::scope(|scope| {
        let mut threads = Vec::new();
        for arrived in 0..8 {
            threads.push(scope.spawn(|| deliver(&store, &["bob@x"], b"Hello\r\n").remove(0)));
            slow.wait_for(&slow.shared.renames, arrived + 1);
            slow.wait_for(&slow.shared.syncs, 1);
        }
        // Not one of the others has an answer from what began too early for it.
        thread::sleep(Duration::from_millis(20));
        slow.open(1, failing);
        if failing != Some(0) {
            slow.wait_for(&slow.shared.syncs, 2);
            if group_commit {
                assert!(threads[0].is_finished() || threads.iter().skip(1).all(|thread| !thread.is_finished()));
            }
        }
        slow.open(usize::MAX, failing);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let new = slow.inner.tree().into_keys().filter(|path| path.contains("/new/")).collect::<BTreeSet<_>>();
    let stored = verdicts.iter().filter_map(|verdict| Some(verdict.file()?.to_owned())).collect();
    assert_eq!(new, stored);
    (slow.shared.syncs.load(Ordering::SeqCst), verdicts)
}

#[test]
fn messages_that_arrive_together_share_an_fsync() {
    let stored = |verdicts: &[Verdict]| verdicts.iter().filter(|verdict| verdict.is_stored()).count();
    let (syncs, verdicts) = first_and_seven(true, None);
    assert_eq!((syncs, stored(&verdicts)), (2, 8));
    let (syncs, verdicts) = first_and_seven(false, None);
    assert_eq!((syncs, stored(&verdicts)), (8, 8));
}

/// An fsync that fails may have lost what came while it ran, and the next one would not tell: it fails for all who
/// wait, and is not tried again.
#[test]
fn an_fsync_that_fails_fails_for_all_whom_it_may_have_lost() {
    let (syncs, verdicts) = first_and_seven(true, Some(0));
    assert_eq!(syncs, 1);
    assert!(verdicts.iter().all(|verdict| verdict.reply().to_string().starts_with("451 4.3.0")), "{verdicts:?}");

    let (syncs, verdicts) = first_and_seven(true, Some(1));
    assert_eq!(syncs, 2);
    assert!(verdicts[0].is_stored() && verdicts[1..].iter().all(|verdict| !verdict.is_stored()), "{verdicts:?}");
}
