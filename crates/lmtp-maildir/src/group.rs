//! Directories whose fsync is shared by all who wait for it.
//!
//! An fsync that begins after a name was entered covers that name. So whoever enters
//! names while one fsync runs waits for the next, which one of them runs for all.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use crate::fs::{Fs, Identity};
use crate::verdict::copied;

/// The directories that messages are being moved into just now.
pub(crate) struct Group<F: Fs> {
    /// Whether fsyncs are shared at all.
    shares: bool,
    open: Mutex<HashMap<Identity, Weak<Target<F>>>>,
}

impl<F: Fs> Group<F> {
    pub(crate) fn new(shares: bool) -> Self {
        Self { shares, open: Mutex::default() }
    }

    /// The directory as all know it who use it just now.
    ///
    /// They all use the handle of the first, which was opened before any of them
    /// entered a name. The system tells an error once to each handle that was open
    /// when it occurred, and not to those that are opened later.
    pub(crate) fn join(&self, fs: &F, dir: F::Dir) -> io::Result<Arc<Target<F>>> {
        if !self.shares {
            return Ok(Arc::new(Target::new(dir)));
        }
        let identity = fs.identity(&dir)?;
        let mut open = lock(&self.open);
        if let Some(target) = open.get(&identity).and_then(Weak::upgrade) {
            return Ok(target);
        }
        // Rather now and then all of them than each when it is done.
        if open.len() >= 64 && open.len() == open.capacity() {
            open.retain(|_, target| target.strong_count() > 0);
        }
        let target = Arc::new(Target::new(dir));
        open.insert(identity, Arc::downgrade(&target));
        Ok(target)
    }
}

/// A directory that messages are moved into.
pub(crate) struct Target<F: Fs> {
    pub(crate) dir: F::Dir,
    rounds: Mutex<Rounds>,
    over: Condvar,
}

/// The fsyncs of a directory, one after the other.
#[derive(Debug, Default)]
struct Rounds {
    /// One is running, the one that began last.
    running: bool,
    begun: u64,
    failures: u64,
    error: Option<io::Error>,
}

/// The state of a directory before a name was entered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before {
    failures: u64,
}

impl<F: Fs> Target<F> {
    fn new(dir: F::Dir) -> Self {
        Self { dir, rounds: Mutex::default(), over: Condvar::new() }
    }

    /// To be asked for before a name is entered.
    pub(crate) fn before(&self) -> Before {
        Before { failures: lock(&self.rounds).failures }
    }

    /// Puts on disk all names that have been entered so far.
    ///
    /// # Errors
    ///
    /// An fsync has failed since `before`. It may have lost the name even if it began
    /// too early to cover it, and a later one that succeeds proves nothing.
    pub(crate) fn sync(&self, fs: &F, before: Before) -> io::Result<()> {
        let mut rounds = lock(&self.rounds);
        // The one that runs now began too early for us.
        let ours = rounds.begun + 1;
        loop {
            if rounds.failures != before.failures {
                return Err(rounds.error.as_ref().map_or_else(|| io::ErrorKind::Other.into(), copied));
            }
            let done = if rounds.running { rounds.begun - 1 } else { rounds.begun };
            if done >= ours {
                return Ok(());
            }
            if rounds.running {
                rounds = self.over.wait(rounds).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            rounds.running = true;
            rounds.begun += 1;
            drop(rounds);
            let result = fs.sync_dir(&self.dir);
            rounds = lock(&self.rounds);
            rounds.running = false;
            if let Err(error) = result {
                rounds.failures += 1;
                rounds.error = Some(error);
            }
            self.over.notify_all();
        }
    }
}

/// Nothing here is left half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
