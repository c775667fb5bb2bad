//! What the sessions went through, counted.

use std::fmt;

use lmtp_proto::Outcome;

use super::faults::{Fault, PHASES, STATES, Standing, column};

/// How often what happened.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    sessions: u64,
    steps: u64,
    stale: u64,
    late: u64,
    outcomes: [u64; Outcome::ALL.len()],
    at_client: [[u64; PHASES.len()]; Fault::ALL.len()],
    at_server: [[u64; STATES.len()]; Fault::ALL.len()],
}

fn place<T: PartialEq>(of: &T, among: &[T]) -> Option<usize> {
    among.iter().position(|one| one == of)
}

impl Coverage {
    pub(super) fn became(&mut self, outcome: Outcome) {
        self.outcomes[place(&outcome, &Outcome::ALL).expect("an outcome")] += 1;
    }

    pub(super) fn struck(&mut self, fault: Fault, standing: Standing) {
        let row = place(&fault, &Fault::ALL).expect("a fault");
        if let Some(at) = standing.client.and_then(|phase| place(&phase, &PHASES)) {
            self.at_client[row][at] += 1;
        }
        if let Some(at) = standing.server.and_then(|state| place(&column(state), &STATES)) {
            self.at_server[row][at] += 1;
        }
    }

    pub(super) fn ended(&mut self, steps: usize, stale: u64, late: usize) {
        self.sessions += 1;
        self.steps += steps as u64;
        self.stale += stale;
        self.late += late as u64;
    }

    /// Takes in what others went through.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.sessions += other.sessions;
        self.steps += other.steps;
        self.stale += other.stale;
        self.late += other.late;
        let counts = |one: &mut [u64], two: &[u64]| one.iter_mut().zip(two).for_each(|(one, two)| *one += two);
        counts(&mut self.outcomes, &other.outcomes);
        counts(self.at_client.as_flattened_mut(), other.at_client.as_flattened());
        counts(self.at_server.as_flattened_mut(), other.at_server.as_flattened());
        self
    }

    /// Checks that no part was left out: each outcome once in a hundred sessions,
    /// each fault in each phase of the client and each state of the server once
    /// in a thousand; and that answers come too late.
    ///
    /// # Panics
    ///
    /// Something was left out.
    pub fn check(&self) {
        let (few, fewer) = (self.sessions / 100, self.sessions / 1000);
        for (count, outcome) in self.outcomes.iter().zip(Outcome::ALL) {
            assert!(*count >= few, "{outcome} happened {count} times in {} sessions\n{self}", self.sessions);
        }
        assert!(self.stale >= few, "{} answers came too late\n{self}", self.stale);
        assert!(self.late >= fewer, "{} messages were stored too late\n{self}", self.late);
        for (row, fault) in Fault::ALL.iter().enumerate() {
            for (count, phase) in self.at_client[row].iter().zip(PHASES) {
                assert!(*count >= fewer, "{} at {phase} happened {count} times\n{self}", fault.name());
            }
            for (count, state) in self.at_server[row].iter().zip(STATES) {
                assert!(*count >= fewer, "{} at {state:?} happened {count} times\n{self}", fault.name());
            }
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sessions, steps, stale, late, .. } = self;
        writeln!(f, "{sessions} sessions, {steps} steps, {stale} answers too late, {late} of them 2yz verdicts")?;
        for (count, outcome) in self.outcomes.iter().zip(Outcome::ALL) {
            write!(f, "  {outcome}: {count}")?;
        }
        writeln!(f)?;
        let head = |f: &mut fmt::Formatter<'_>, side: &str, names: Vec<String>| {
            write!(f, "{side:>11}")?;
            names.iter().try_for_each(|name| write!(f, "{name:>11}"))?;
            writeln!(f)
        };
        let row = |f: &mut fmt::Formatter<'_>, name: &str, counts: &[u64]| {
            write!(f, "{name:>11}")?;
            counts.iter().try_for_each(|count| write!(f, "{count:>11}"))?;
            writeln!(f)
        };
        head(f, "client", PHASES.iter().map(ToString::to_string).collect())?;
        for (fault, counts) in Fault::ALL.iter().zip(&self.at_client) {
            row(f, fault.name(), counts)?;
        }
        head(f, "server", STATES.iter().map(|state| format!("{state:?}")).collect())?;
        for (fault, counts) in Fault::ALL.iter().zip(&self.at_server) {
            row(f, fault.name(), counts)?;
        }
        Ok(())
    }
}
