//! Checks with names: each one a line, all of them run, failures counted.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::project::{green, red};

pub(crate) struct Checks {
    peer: &'static str,
    passed: usize,
    failed: Vec<String>,
}

impl Checks {
    pub(crate) fn of(peer: &'static str) -> Self {
        Self { peer, passed: 0, failed: Vec::new() }
    }

    /// Runs one check and says how it went. A failure does not keep the next check from running.
    pub(crate) fn check(&mut self, name: &str, body: impl FnOnce() -> Result<()>) {
        let begin = Instant::now();
        let result = body();
        let seconds = begin.elapsed().as_secs_f64();
        match result {
            Ok(()) => {
                println!("  {}      {name} ({seconds:.2} s)", green("ok"));
                self.passed += 1;
            }
            Err(error) => {
                println!("  {}  {name}: {error:#}", red("FAILED"));
                self.failed.push(name.to_owned());
            }
        }
    }

    pub(crate) fn finish(self) -> Result<()> {
        let Self { peer, passed, failed } = self;
        ensure!(failed.is_empty(), "{peer}: {} checks failed: {}", failed.len(), failed.join("; "));
        ensure!(passed > 0, "{peer}: nothing was checked");
        println!("  {peer}: {passed} checks passed");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn one_failure_fails_all_and_hides_none() {
        let mut checks = Checks::of("peer");
        checks.check("first", || bail!("broken"));
        checks.check("second", || Ok(()));
        assert_eq!(checks.passed, 1);
        let error = checks.finish().unwrap_err().to_string();
        assert!(error.contains("first") && !error.contains("second"), "{error}");
    }

    #[test]
    fn nothing_checked_is_a_failure() {
        assert!(Checks::of("peer").finish().is_err());
    }
}
