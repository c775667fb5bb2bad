//! `lmtp-proto`: parsing beside `smtp-proto`, the data path beside searches of the same buffer, a whole
//! session in memory.

use anyhow::{Result, ensure};

use super::figures::{Figure, Target, middle};
use super::{Options, callgrind, programs};

/// What parsing is counted on, in batches of this many.
const PARSED: [&str; 9] = [
    "LHLO",
    "MAIL",
    "MAIL SIZE BODY",
    "MAIL, many parameters",
    "RCPT",
    "RCPT NOTIFY ORCPT",
    "250 ok",
    "enhanced code, two lines",
    "LHLO, 10 lines",
];
const BATCH: f64 = 500.0;

/// What of the data path is counted, on a message of 64 KiB, and what of it is only preparation.
const MOVED: [(&str, Option<&str>); 6] = [
    ("memmem", None),
    ("memchr3", None),
    ("Stuffer::new", None),
    ("Stuffer::trusting", None),
    ("Unstuffer, BareNewlines::Reject", Some("Unstuffer, prepared")),
    ("Unstuffer, BareNewlines::Keep", Some("Unstuffer, prepared")),
];
const OCTETS: f64 = 64.0 * 1024.0;

/// The session that is counted.
const SESSION: &str = "1 KiB, 2 rcpt, DATA";

/// Runs the benches, and counts instructions where that can be done.
pub(crate) fn measure(options: &Options) -> Result<Vec<Figure>> {
    let benches = programs::built("lmtp-proto", ["parsing", "data", "session"])?;
    let mut figures = Vec::new();
    for bench in &benches {
        let runs: Vec<Vec<Figure>> = (0..options.runs).map(|_| programs::figures(bench)).collect::<Result<_>>()?;
        figures.extend(middle(&runs));
    }
    set_targets(&mut figures)?;
    if let Some(why) = callgrind::missing() {
        println!("instructions: skipped: {why}");
        return Ok(figures);
    }
    let [parsing, data, session] = &benches;
    let mut counted = |case: &str, unit: &str, value| {
        figures.push(Figure { case: case.to_owned(), measure: unit.to_owned(), value, target: Target::None });
    };
    for case in PARSED {
        for reader in ["ours", "smtp-proto, owned"] {
            let name = format!("{case}: {reader}");
            counted(&name, "instructions", callgrind::instructions(parsing, &name)? / BATCH);
        }
    }
    for (case, prepared) in MOVED {
        let before = prepared.map_or(Ok(0.0), |name| callgrind::instructions(data, name))?;
        counted(case, "instructions an octet", (callgrind::instructions(data, case)? - before) / OCTETS);
    }
    counted(SESSION, "instructions", callgrind::instructions(session, SESSION)?);
    Ok(figures)
}

/// What figures must reach: those whose case begins with the one and holds the other, and that are measured so.
const TARGETS: [(&str, &str, &str, Target); 9] = [
    ("", "", "times smtp-proto, owned", Target::AtLeast(1.0)),
    ("Stuffer::new", "Ordinary mail", "times memmem", Target::AtLeast(0.25)),
    ("Stuffer::new", "Ordinary mail", "times memchr3", Target::AtLeast(2.5)),
    ("Unstuffer, BareNewlines::Reject", "Ordinary mail", "times memmem", Target::AtLeast(0.25)),
    ("Unstuffer, BareNewlines::Reject", "Ordinary mail", "times memchr3", Target::AtLeast(2.5)),
    ("Stuffer::trusting", "Ordinary mail", "times memmem", Target::AtLeast(0.70)),
    ("Unstuffer, BareNewlines::Keep", "Ordinary mail", "times memmem", Target::AtLeast(0.70)),
    ("", " 2 rcpt", "client allocations", Target::AtMost(10.0)),
    ("", " 2 rcpt", "server allocations", Target::AtMost(10.0)),
];

/// Enters the targets. One for which there is no figure is an error: it would be reached by renaming a case.
fn set_targets(figures: &mut [Figure]) -> Result<()> {
    for (begin, within, measure, target) in TARGETS {
        let is_meant = |figure: &&mut Figure| {
            figure.case.starts_with(begin) && figure.case.contains(within) && figure.measure == measure
        };
        let mut meant = figures.iter_mut().filter(is_meant).peekable();
        ensure!(meant.peek().is_some(), "no figure for the target {measure} of `{begin}…{within}`");
        meant.for_each(|figure| figure.target = target);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(without: &str) -> Vec<Figure> {
        let all = [
            ("MAIL", "times smtp-proto, owned"),
            ("MAIL", "times smtp-proto"),
            ("Stuffer::new: Ordinary mail, 64 KiB", "times memmem"),
            ("Stuffer::new: Ordinary mail, 64 KiB", "times memchr3"),
            ("Stuffer::new: Lines of one dot, 64 KiB", "times memmem"),
            ("Unstuffer, BareNewlines::Reject: Ordinary mail, 64 KiB", "times memmem"),
            ("Unstuffer, BareNewlines::Reject: Ordinary mail, 64 KiB", "times memchr3"),
            ("Stuffer::trusting: Ordinary mail, 1024 KiB", "times memmem"),
            ("Unstuffer, BareNewlines::Keep: Ordinary mail, 1024 KiB", "times memmem"),
            ("Unstuffer, BareNewlines::Keep: Ordinary mail, 1024 KiB", "times memcpy"),
            ("1 KiB, 2 rcpt, BDAT", "client allocations"),
            ("1 KiB, 2 rcpt, BDAT", "server allocations"),
            ("1 KiB, 50 rcpt, BDAT", "server allocations"),
        ];
        let figure = |(case, measure): (&str, &str)| Figure {
            case: case.into(),
            measure: measure.into(),
            value: 1.0,
            target: Target::None,
        };
        all.into_iter().map(figure).filter(|figure| figure.measure != without).collect()
    }

    #[test]
    fn targets_go_to_their_figures() {
        let mut figures = figures("");
        set_targets(&mut figures).unwrap();
        let none: Vec<usize> = (0..figures.len()).filter(|place| figures[*place].target == Target::None).collect();
        assert_eq!(none, [1, 4, 9, 12]);
        assert_eq!(figures[3].target, Target::AtLeast(2.5));
    }

    #[test]
    fn a_target_without_a_figure_is_an_error() {
        for gone in ["times smtp-proto, owned", "times memchr3", "server allocations"] {
            assert!(set_targets(&mut figures(gone)).is_err(), "{gone}");
        }
    }
}
