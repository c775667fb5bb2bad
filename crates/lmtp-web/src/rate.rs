//! So many requests in a minute, counted so that two at once are two.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Keys that are kept. When there are more, those that are full again go; if all of them are in use, a new one has to
/// wait.
const MOST: usize = 10_000;

/// So long between two looks at all of them.
const SWEEP: Duration = Duration::from_secs(1);

/// A bucket for each key: it holds a minute's requests, and fills up evenly.
#[derive(Debug)]
pub struct Rates<K = String> {
    per_minute: u32,
    buckets: Mutex<HashMap<K, Bucket>>,
    swept: Mutex<Option<Instant>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    since: Instant,
}

impl<K: Hash + Eq> Rates<K> {
    /// A bucket of that many for each key.
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute, buckets: Mutex::default(), swept: Mutex::default() }
    }

    /// Takes one, if there is one left.
    ///
    /// # Errors
    ///
    /// There is none: the time until there is.
    pub fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        let full = f64::from(self.per_minute);
        let rate = full / 60.0;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let filled = |bucket: &Bucket| (bucket.left + (now - bucket.since).as_secs_f64() * rate).min(full);
        if buckets.len() >= MOST && !buckets.contains_key(&key) {
            // Once in a while: it looks at all of them.
            let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
            if swept.is_none_or(|last| now - last >= SWEEP) {
                *swept = Some(now);
                buckets.retain(|_, bucket| filled(bucket) < full);
            }
            if buckets.len() >= MOST {
                return Err(SWEEP);
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket { left: full, since: now });
        let left = filled(bucket);
        if left < 1.0 {
            return Err(Duration::from_secs_f64(((1.0 - left) / rate).min(3600.0)));
        }
        *bucket = Bucket { left: left - 1.0, since: now };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_s_worth_and_then_one_after_the_other() {
        let (rates, begin) = (Rates::new(6), Instant::now());
        for _ in 0..6 {
            rates.take("a", begin).unwrap();
        }
        let wait = rates.take("a", begin).unwrap_err();
        assert!(wait > Duration::from_secs(9) && wait <= Duration::from_secs(10), "{wait:?}");
        rates.take("b", begin).unwrap();
        let later = begin + Duration::from_secs(11);
        rates.take("a", later).unwrap();
        rates.take("a", later).unwrap_err();
        assert!(Rates::new(0).take("a", begin).is_err());
    }

    /// However many come, so many are kept, and those who are known go on.
    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let (rates, now) = (Rates::new(60), Instant::now());
        let taken = (0..3 * MOST).filter(|key| rates.take(*key, now).is_ok()).count();
        assert_eq!((taken, rates.buckets.lock().unwrap().len()), (MOST, MOST));
        rates.take(0, now).unwrap();
        rates.take(3 * MOST, now + Duration::from_secs(90)).unwrap();
    }

    #[test]
    fn two_at_once_are_two() {
        let (rates, now) = (Rates::new(100), Instant::now());
        let taken: usize = std::thread::scope(|scope| {
            let tasks: Vec<_> =
                (0..8).map(|_| scope.spawn(|| (0..100).filter(|_| rates.take("a", now).is_ok()).count())).collect();
            tasks.into_iter().map(|task| task.join().unwrap()).sum()
        });
        assert_eq!(taken, 100);
    }
}
