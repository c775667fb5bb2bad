//! Figures, what they must reach, and the table of them.

use std::fmt::{self, Write as _};

/// What a figure must reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// It is told, and nothing follows from it.
    None,
    AtLeast(f64),
    AtMost(f64),
}

/// One figure: of what, beside what or in what unit, how much.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) case: String,
    /// The peer that the case is divided by, or the unit.
    pub(crate) measure: String,
    pub(crate) value: f64,
    pub(crate) target: Target,
}

impl Figure {
    pub(crate) fn is_missed(&self) -> bool {
        match self.target {
            Target::None => false,
            // What is no number reaches nothing.
            Target::AtLeast(least) => self.value.is_nan() || self.value < least,
            Target::AtMost(most) => self.value.is_nan() || self.value > most,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}", self.case, self.measure, number(self.value))?;
        match self.target {
            Target::None => Ok(()),
            Target::AtLeast(least) => write!(f, " (at least {least})"),
            Target::AtMost(most) => write!(f, " (at most {most})"),
        }
    }
}

/// The figures, one a line, with their targets and whether they reach them.
pub(crate) fn table(figures: &[Figure]) -> String {
    let width = |text: fn(&Figure) -> &str| figures.iter().map(|figure| text(figure).len()).max().unwrap_or_default();
    let (case, measure) = (width(|figure| &figure.case), width(|figure| &figure.measure));
    let mut table = String::new();
    for figure in figures {
        let verdict = match figure.target {
            Target::None => String::new(),
            Target::AtLeast(least) => format!(">= {least:<5} {}", word(figure)),
            Target::AtMost(most) => format!("<= {most:<5} {}", word(figure)),
        };
        let line =
            format!("{:case$}  {:measure$} {:>10}  {verdict}", figure.case, figure.measure, number(figure.value));
        // Writing to a String cannot fail.
        let _ = writeln!(table, "{}", line.trim_end());
    }
    table
}

fn word(figure: &Figure) -> &'static str {
    if figure.is_missed() { "MISSED" } else { "ok" }
}

/// Two places behind the point, where they say something.
fn number(value: f64) -> String {
    if value.abs() < 1000.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

/// The figure in the middle of several runs of the same programs.
pub(crate) fn middle(runs: &[Vec<Figure>]) -> Vec<Figure> {
    let Some(first) = runs.first() else { return Vec::new() };
    let of = |figure: &Figure| {
        let is_same = |other: &&Figure| other.case == figure.case && other.measure == figure.measure;
        let found = runs.iter().filter_map(|run| run.iter().find(is_same));
        let mut values: Vec<f64> = found.map(|figure| figure.value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    first.iter().map(|figure| Figure { value: of(figure), ..figure.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(value: f64, target: Target) -> Figure {
        Figure { case: "MAIL".into(), measure: "peer".into(), value, target }
    }

    #[test]
    fn a_target_is_reached_or_missed() {
        assert!(!figure(1.0, Target::AtLeast(1.0)).is_missed());
        assert!(figure(0.99, Target::AtLeast(1.0)).is_missed());
        assert!(figure(f64::NAN, Target::AtLeast(1.0)).is_missed());
        assert!(!figure(10.0, Target::AtMost(10.0)).is_missed());
        assert!(figure(10.1, Target::AtMost(10.0)).is_missed());
        assert!(!figure(0.1, Target::None).is_missed());
    }

    #[test]
    fn the_table_names_what_is_missed() {
        let table = table(&[figure(0.5, Target::AtLeast(1.0)), figure(2000.0, Target::None)]);
        assert_eq!(table, "MAIL  peer       0.50  >= 1     MISSED\nMAIL  peer       2000\n");
        assert_eq!(figure(0.5, Target::AtLeast(1.0)).to_string(), "MAIL, peer: 0.50 (at least 1)");
    }

    #[test]
    fn the_run_in_the_middle_counts() {
        let run = |value| vec![figure(value, Target::AtLeast(1.0))];
        assert_eq!(middle(&[run(3.0), run(1.0), run(2.0)]), run(2.0));
    }
}
