//! Names of messages, none of them given twice.

use std::fmt;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// What tells the time to names. A wrong one makes no name a second time.
pub(crate) type Clock = fn() -> Duration;

/// Since the beginning of 1970; a clock that stands before it stands at it.
pub(crate) fn system_clock() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Gives out names: `1795428000.M31415P4242Q7R9f86d081884c7d65.mda.example.org`.
///
/// Seconds and microseconds are for whoever sorts; they promise nothing. Within one
/// `Names` the number behind Q is new each time. Two of them, in one process or
/// after a restart, differ in the 64 random bits behind R.
#[derive(Debug)]
pub(crate) struct Names {
    host: String,
    random: u64,
    next: AtomicU64,
    clock: Clock,
}

impl Names {
    /// Names given out on that host.
    pub(crate) fn new(host: &str, clock: Clock) -> Result<Self, getrandom::Error> {
        let mut random = [0; 8];
        getrandom::fill(&mut random)?;
        Ok(Self { host: encoded(host), random: u64::from_ne_bytes(random), next: AtomicU64::new(0), clock })
    }

    /// A name that was never given before.
    pub(crate) fn give(&self) -> Name {
        let now = (self.clock)();
        let (seconds, micros) = (now.as_secs(), now.subsec_micros());
        let (pid, number) = (process::id(), self.next.fetch_add(1, Ordering::Relaxed));
        Name(format!("{seconds}.M{micros}P{pid}Q{number}R{:016x}.{}", self.random, self.host))
    }
}

/// The name of one message, as in `tmp`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name(String);

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in `new`, with its sizes (Maildir++): `size` octets on disk, `wire`
    /// octets with line ends of CRLF.
    pub(crate) fn with_sizes(&self, size: u64, wire: u64) -> String {
        format!("{self},S={size},W={wire}")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host as names can hold it: the separators of paths, flags and sizes as octal
/// numbers, and no longer than leaves room for the rest.
fn encoded(host: &str) -> String {
    let mut encoded = String::new();
    for octet in host.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => encoded.push(char::from(octet)),
            _ => encoded.extend(format!("\\{octet:03o}").chars()),
        }
        if encoded.len() >= 64 {
            break;
        }
    }
    if encoded.is_empty() { "localhost".to_owned() } else { encoded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::Barrier;
    use std::sync::atomic::AtomicU64;
    use std::thread;

    fn frozen() -> Duration {
        Duration::new(1_795_428_000, 31_415_000)
    }

    /// Each call an hour before the last one.
    fn backwards() -> Duration {
        static TURN: AtomicU64 = AtomicU64::new(0);
        Duration::from_secs(4_000_000_000_u64.saturating_sub(3600 * TURN.fetch_add(1, Ordering::Relaxed)))
    }

    /// Invariant 25: four servers in two threads each, as if restarted at the same moment with the same process id.
    #[test]
    fn no_name_is_given_twice() {
        for clock in [frozen as Clock, backwards, || Duration::ZERO] {
            let servers: Vec<Names> = (0..4).map(|_| Names::new("mda.example.org", clock).unwrap()).collect();
            let start = Barrier::new(8);
            let given: Vec<Name> = thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|number| {
                        let (server, start) = (&servers[number % 4], &start);
                        scope.spawn(move || {
                            start.wait();
                            (0..10_000).map(|_| server.give()).collect::<Vec<_>>()
                        })
                    })
                    .collect();
                threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(given.len(), 80_000);
            assert_eq!(given.iter().collect::<HashSet<_>>().len(), 80_000);
        }
    }

    #[test]
    fn names_are_single_components_without_separators() {
        for host in ["", "a/b:c,d", "mda.example.org", "\0\n", &"ü".repeat(300)] {
            let name = Names::new(host, frozen).unwrap().give().with_sizes(u64::MAX, u64::MAX);
            assert!(name.starts_with("1795428000.M31415P"), "{name}");
            let (base, sizes) = name.split_once(',').unwrap();
            assert!(!base.contains(['/', ':', '\0', '\n']) && base.is_ascii() && name.len() < 255, "{name}");
            assert_eq!(sizes, format!("S={0},W={0}", u64::MAX));
        }
        assert_eq!(encoded("a/b:c,d"), "a\\057b\\072c\\054d");
    }
}
