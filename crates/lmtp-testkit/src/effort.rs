//! How hard to try: one switch for every count of cases.

use proptest::prelude::ProptestConfig;

/// How hard to try, from the environment variable `LMTP_EFFORT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// While writing code.
    Quick,
    /// Before code lands.
    Ci,
    /// Over night.
    Long,
}

impl Effort {
    /// The effort that was asked for; quick if none was.
    pub fn current() -> Self {
        match std::env::var("LMTP_EFFORT").as_deref() {
            Ok("ci") => Self::Ci,
            Ok("long") => Self::Long,
            Ok("quick" | "") | Err(_) => Self::Quick,
            Ok(other) => panic!("LMTP_EFFORT is quick, ci or long, not {other:?}"),
        }
    }

    /// How many cases, given how many a quick run takes.
    pub fn cases(self, quick: u32) -> u32 {
        match self {
            Self::Quick => quick,
            Self::Ci => quick * 8,
            Self::Long => quick * 100,
        }
    }
}

/// A proptest configuration for so many cases in a quick run. Failures are not
/// kept in files: each becomes a transcript or a test.
pub fn cases(quick: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(Effort::current().cases(quick)) }
}
