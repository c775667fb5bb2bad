//! Stages of a run: each timed, each named in a table at the end, also when one fails.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::project::{green, red, yellow};

/// The whole run has to stay below this on two cores. Printed, not enforced: a slow machine is no defect.
const BUDGET: Duration = Duration::from_secs(30 * 60);

/// How a stage ended that did not fail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// Something that it needs cannot be had here. Never silent; with `--strict` a failure.
    Skipped(String),
}

/// One stage of a run.
pub(crate) struct Stage<'a> {
    name: String,
    run: Box<dyn FnOnce() -> Result<Outcome> + 'a>,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(name: impl Into<String>, run: impl FnOnce() -> Result<Outcome> + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// Runs the stages in order up to the first that fails, and prints the table in any case.
pub(crate) fn run_all(stages: Vec<Stage<'_>>, strict: bool) -> Result<()> {
    let begin = Instant::now();
    let rows = rows(stages, strict);
    let total = begin.elapsed();

    println!("\n{}", table(&rows));
    let verdict = if total <= BUDGET { green("within") } else { red("OVER") };
    println!("total {:.0} s, {verdict} the budget of {} s", total.as_secs_f64(), BUDGET.as_secs());
    for row in &rows {
        if let End::Failed(why) = &row.end {
            bail!("stage `{}`: {why}", row.name);
        }
    }
    Ok(())
}

/// A line of the table.
struct Row {
    name: String,
    end: End,
    seconds: f64,
}

enum End {
    Passed,
    Skipped(String),
    Failed(String),
    /// An earlier stage failed.
    NotRun,
}

fn rows(stages: Vec<Stage<'_>>, strict: bool) -> Vec<Row> {
    let mut failed = false;
    let mut rows = Vec::new();
    for Stage { name, run } in stages {
        let begin = Instant::now();
        let end = if failed {
            End::NotRun
        } else {
            println!("\n=== {name}");
            match run() {
                Ok(Outcome::Passed) => End::Passed,
                Ok(Outcome::Skipped(why)) if strict => {
                    End::Failed(format!("skipped, and --strict allows no skipping: {why}"))
                }
                Ok(Outcome::Skipped(why)) => End::Skipped(why),
                Err(error) => End::Failed(format!("{error:#}")),
            }
        };
        failed |= matches!(end, End::Failed(_));
        let seconds = begin.elapsed().as_secs_f64();
        if !matches!(end, End::NotRun) {
            println!("=== {name}: {} ({seconds:.1} s)", word(&end));
        }
        rows.push(Row { name, end, seconds });
    }
    rows
}

fn word(end: &End) -> String {
    match end {
        End::Passed => green("ok"),
        End::Skipped(why) => yellow(&format!("skipped: {why}")),
        End::Failed(_) => red("FAILED"),
        End::NotRun => "not run".to_owned(),
    }
}

fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or_default().max(5);
    let mut table = format!("{:width$}  seconds  result\n", "stage");
    for Row { name, end, seconds } in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(table, "{name:width$}  {seconds:7.1}  {}", word(end));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipping() -> Vec<Stage<'static>> {
        vec![
            Stage::new("peer", || Ok(Outcome::Skipped("not installed".into()))),
            Stage::new("last", || Ok(Outcome::Passed)),
        ]
    }

    #[test]
    fn a_skipped_stage_is_named_with_its_reason() {
        let rows = rows(skipping(), false);
        let table = table(&rows);
        assert!(table.contains("peer") && table.contains("skipped: not installed"), "{table}");
        assert!(run_all(skipping(), false).is_ok());
    }

    #[test]
    fn strict_makes_a_skipped_stage_a_failure() {
        let error = run_all(skipping(), true).unwrap_err().to_string();
        assert!(error.contains("peer") && error.contains("not installed"), "{error}");
    }

    #[test]
    fn the_first_failure_ends_the_run_and_the_table_says_what_was_not_run() {
        let stages = vec![Stage::new("one", || bail!("broken")), Stage::new("two", || panic!("must not run"))];
        let rows = rows(stages, false);
        let table = table(&rows);
        assert!(table.contains("FAILED") && table.contains("not run"), "{table}");
    }
}
