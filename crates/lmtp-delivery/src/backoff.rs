//! When to try again.

use std::time::Duration;

/// How long to wait before another attempt, and for how long there are any: each wait is
/// longer than the one before, up to a limit. It keeps no time; the caller does.
///
/// ```
/// use std::time::Duration;
/// use lmtp_delivery::Backoff;
///
/// let backoff = Backoff::default();
/// assert_eq!(backoff.wait(0), Duration::from_secs(60));
/// assert_eq!(backoff.wait(1), Duration::from_secs(120));
/// assert!(backoff.is_over(Duration::from_secs(6 * 24 * 3600)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Before the second attempt: a minute.
    pub first: Duration,
    /// The longest wait: an hour.
    pub longest: Duration,
    /// When a message is given up: five days (RFC 5321 section 4.5.4.1).
    pub lifetime: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        let hour = Duration::from_secs(3600);
        Self { first: Duration::from_secs(60), longest: hour, lifetime: 5 * 24 * hour }
    }
}

impl Backoff {
    /// The wait behind so many failed attempts, of which the first is number 0: twice as
    /// long each time.
    pub fn wait(&self, failed: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failed);
        self.first.saturating_mul(factor).min(self.longest)
    }

    /// Whether a message of that age is given up: what it still waits for becomes a bounce.
    pub fn is_over(&self, age: Duration) -> bool {
        age >= self.lifetime
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_stay_there() {
        let backoff = Backoff::default();
        let waits: Vec<u64> = (0..8).map(|failed| backoff.wait(failed).as_secs()).collect();
        assert_eq!(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(backoff.wait(u32::MAX), backoff.longest);
        assert!(!backoff.is_over(backoff.lifetime.checked_sub(Duration::from_secs(1)).unwrap()));
    }
}
