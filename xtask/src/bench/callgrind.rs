//! Instructions, counted by valgrind: figures that a busy machine does not disturb.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::process;

/// How often the thing is done in the two runs that are compared: what a start costs falls out.
const TIMES: [u32; 2] = [2, 12];

/// Whether instructions can be counted here; if not, why.
pub(crate) fn missing() -> Option<&'static str> {
    (!process::is_available("valgrind", &["--version"])).then_some("valgrind is not installed")
}

/// Instructions of a bench program for doing once the thing of this name (`--one N NAME`).
pub(crate) fn instructions(program: &Path, name: &str) -> Result<f64> {
    let [few, many] = TIMES.map(|times| total(program, name, times));
    Ok((many? - few?) / f64::from(TIMES[1] - TIMES[0]))
}

/// Instructions of a whole run.
fn total(program: &Path, name: &str, times: u32) -> Result<f64> {
    let directory = tempfile::tempdir().context("a temporary directory")?;
    let output = directory.path().join("callgrind");
    let mut valgrind = process::command("valgrind");
    valgrind.args(["--tool=callgrind", "--quiet"]);
    valgrind.arg(format!("--callgrind-out-file={}", output.display()));
    valgrind.arg(program).args(["--one", &times.to_string(), name]);
    process::capture(&mut valgrind)?;
    let profile = std::fs::read_to_string(&output).context("what callgrind wrote")?;
    summary(&profile).with_context(|| format!("no sum in what callgrind wrote for `{name}`"))
}

/// The sum of all instructions in callgrind's file.
fn summary(profile: &str) -> Option<f64> {
    profile.lines().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_read() {
        assert_eq!(summary("events: Ir\nfn=(1) main\n1 2\n\ntotals: 8267092\n"), Some(8_267_092.0));
        assert_eq!(summary("events: Ir\n"), None);
    }
}
