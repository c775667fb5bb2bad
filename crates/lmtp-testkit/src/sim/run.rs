//! Many sessions, on every core.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::{Coverage, Random, simulate};

/// Lets one session happen by its seed, printing all of it.
pub fn run_seed(seed: u64) -> Coverage {
    simulate(Random::from_seed(seed), true)
}

/// Lets sessions happen by the seeds from `first` on.
///
/// # Panics
///
/// One of them broke a rule; how to see it again is printed.
pub fn run(first: u64, sessions: u64) -> Coverage {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (next, failed) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let work = || {
        let mut coverage = Coverage::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= sessions || failed.load(Ordering::Relaxed) != u64::MAX {
                return coverage;
            }
            let seed = first.wrapping_add(number);
            let session = AssertUnwindSafe(|| simulate(Random::from_seed(seed), false));
            match catch_unwind(session) {
                Ok(session) => coverage = coverage.and(&session),
                Err(panic) => {
                    if failed.swap(seed, Ordering::Relaxed) == u64::MAX {
                        eprintln!("so far:\n{coverage}");
                        eprintln!("seed {seed} broke a rule. To see the whole session:");
                        eprintln!("LMTP_SEED={seed} cargo test -p lmtp-proto --test simulation -- --nocapture");
                        resume_unwind(panic);
                    }
                    return coverage;
                }
            }
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let coverages = workers.into_iter().map(|worker| match worker.join() {
            Ok(coverage) => coverage,
            Err(panic) => resume_unwind(panic),
        });
        coverages.fold(Coverage::default(), |all, one| all.and(&one))
    })
}
