//! The programs that measure: built, run, and what they say.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use super::figures::{Figure, Target};
use crate::cargo::{build, cargo, executable};
use crate::process;

/// The benches of a package, built with optimisation; in the order of the names.
pub(crate) fn built<const N: usize>(package: &str, names: [&str; N]) -> Result<[PathBuf; N]> {
    let mut bench = cargo();
    bench.args(["bench", "--package", package, "--locked", "--no-run"]);
    bench.args(names.iter().flat_map(|name| ["--bench", name]));
    let artifacts = build(&mut bench)?;
    let paths: Vec<PathBuf> = names.iter().map(|name| executable(&artifacts, name)).collect::<Result<_>>()?;
    paths.try_into().ok().context("a program for each name")
}

/// Runs a bench; the figures that it tells, without targets.
pub(crate) fn figures(program: &PathBuf) -> Result<Vec<Figure>> {
    let mut bench = process::command(program);
    bench.args(["--bench", "--plain"]);
    println!("$ {}", program.file_name().unwrap_or_default().display());
    let said = process::capture(&mut bench)?;
    let figures: Vec<Figure> = said.lines().filter_map(|line| figure(line).transpose()).collect::<Result<_>>()?;
    if figures.is_empty() {
        bail!("`{}` tells no figures", process::line(&bench));
    }
    Ok(figures)
}

/// What a line tells: `RATIO` or `FIGURE`, the case, the peer or the unit, and the number, with tabs between.
/// Other lines are for people.
fn figure(line: &str) -> Result<Option<Figure>> {
    let [kind @ ("RATIO" | "FIGURE"), case, measure, value] = line.split('\t').collect::<Vec<_>>()[..] else {
        return Ok(None);
    };
    let measure = if kind == "RATIO" { format!("times {measure}") } else { measure.to_owned() };
    let value = value.parse().with_context(|| format!("no number: {line}"))?;
    Ok(Some(Figure { case: case.to_owned(), measure, value, target: Target::None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_their_lines() {
        let told = figure("RATIO\tMAIL\tmemmem\t0.500").unwrap().unwrap();
        assert_eq!((told.case.as_str(), told.measure.as_str(), told.value), ("MAIL", "times memmem", 0.5));
        let told = figure("FIGURE\t1 KiB\tclient octets\t12").unwrap().unwrap();
        assert_eq!((told.measure.as_str(), told.target), ("client octets", Target::None));
        assert_eq!(figure("MAIL     12.5 ns").unwrap(), None);
        assert!(figure("RATIO\tMAIL\tmemmem\tfast").is_err());
    }
}
