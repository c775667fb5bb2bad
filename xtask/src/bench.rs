//! Benchmarks beside what they are measured against: `cargo xtask bench [SET]`.
//!
//! A set is a file in `bench/` and a row in [`SETS`]: a function that measures and gives the figures. What
//! they must reach stands with them; the table says which do, and with `--check` one that does not is a
//! failure. A run takes as long as it takes and wants the machine to itself, so it is no stage of
//! `cargo xtask test`.

mod callgrind;
mod figures;
mod frontends;
mod programs;
mod proto;
mod serve;

use anyhow::{Result, bail};

use self::figures::Figure;

/// What `cargo xtask bench` was asked for.
pub(crate) struct Options {
    /// How often each program runs; what counts is the figure in the middle.
    pub(crate) runs: usize,
    /// Whether a target that is missed is a failure.
    pub(crate) check: bool,
}

/// What measures a set.
type Measure = fn(&Options) -> Result<Vec<Figure>>;

/// All sets, by their names.
const SETS: [(&str, Measure); 3] =
    [("proto", proto::measure), ("frontends", frontends::measure), ("serve", serve::measure)];

/// Measures one set, or all; prints what came of it.
pub(crate) fn run(set: Option<&str>, options: &Options) -> Result<()> {
    let wanted: Vec<_> = SETS.iter().filter(|(name, _)| set.is_none_or(|set| set == *name)).collect();
    if wanted.is_empty() || options.runs == 0 {
        bail!("nothing to measure; there are {}", SETS.map(|(name, _)| name).join(", "));
    }
    let mut missed = Vec::new();
    for (_, measure) in wanted {
        let figures = measure(options)?;
        println!("\n{}", figures::table(&figures));
        missed.extend(figures.iter().filter(|figure| figure.is_missed()).map(Figure::to_string));
    }
    match missed.len() {
        0 => println!("every target is reached"),
        count if options.check => bail!("{count} targets are missed:\n{}", missed.join("\n")),
        count => println!("{count} targets are missed:\n{}", missed.join("\n")),
    }
    Ok(())
}
