//! The front ends beside Postfix's `smtp-source` and `smtp-sink` in the same role.
//!
//! Ours and Postfix's take turns, so that a disturbance meets both: what counts is the ratio to what
//! Postfix's did just before and just after, and of several such ratios the one in the middle. Both ends share one processor unless a figure says
//! otherwise: with two it is mostly the scheduler's wake-ups that are measured.

mod play;

use anyhow::{Result, bail};

use self::play::{Play, Role, Where};
use super::figures::{Figure, Target, middle};
use super::{Options, programs};
use crate::interop::{Availability, apt};
use crate::process;

/// Front ends, and how much is expected: of a client that uses `deliver_all`, how many times what
/// `smtp-source` sends over one session; of a server, how many times the processor time of `smtp-sink`.
const FRONTS: [(&str, f64, f64); 4] =
    [("blocking", 2.5, 1.0), ("tokio", 2.5, 1.0), ("smol", 1.8, 1.25), ("async-std", 1.8, 1.25)];
/// The same of a client that uses `deliver`.
const LOCK_STEP: f64 = 1.5;

/// Messages of one run, over all its sessions.
const MESSAGES: usize = 20_000;
const SMALL: usize = 1000;
const LARGE_MESSAGES: usize = 200;
const LARGE: usize = 1_000_000;

/// Measures clients, then servers.
pub(crate) fn measure(options: &Options) -> Result<Vec<Figure>> {
    for program in ["smtp-source", "smtp-sink"] {
        if !process::is_available("sh", &["-c", &format!("command -v {program}")])
            && let Availability::Missing(why) = apt::install(&["postfix"])?
        {
            bail!("there is no {program} to compare with: {why}");
        }
    }
    let [program] = programs::built("lmtp-testkit", ["frontends"])?;
    let play = Play::new(program)?;
    let mut runs = Vec::new();
    for turn in 1..=options.runs {
        println!("turn {turn} of {}", options.runs);
        let mut figures = Vec::new();
        for place in [Where::Unix, Where::Tcp] {
            clients(&play, place, &mut figures)?;
            servers(&play, place, &mut figures)?;
        }
        runs.push(figures);
    }
    Ok(middle(&runs))
}

/// All clients to one `smtp-sink`: messages in a second, as times those of `smtp-source`.
fn clients(play: &Play, place: Where, figures: &mut Vec<Figure>) -> Result<()> {
    for (sessions, pinned) in [(1, true), (10, true), (1, false)] {
        let sink = play.server(Role::Postfix, place, pinned)?;
        let send = |role: Role| sink.take(role, sessions, MESSAGES / sessions, SMALL);
        let mut theirs = send(Role::Postfix)?.seconds;
        for (front, at_least, _) in FRONTS {
            for (call, at_least) in [("deliver_all", at_least), ("deliver", LOCK_STEP)] {
                let target = match (sessions, pinned) {
                    (1, true) => Target::AtLeast(at_least),
                    (_, true) => Target::AtLeast(1.0),
                    _ => Target::None,
                };
                let ours = send(Role::Ours { front, single: call == "deliver" })?.seconds;
                let before = std::mem::replace(&mut theirs, send(Role::Postfix)?.seconds);
                let value = f64::midpoint(before, theirs) / ours;
                let case = format!("{front} client, {call}, {place}, {}{}", plural(sessions), free(pinned));
                figures.push(Figure { case, measure: "times smtp-source".into(), value, target });
            }
        }
        sink.stop()?;
    }
    Ok(())
}

/// `smtp-source` to all servers: processor time a message, as times that of `smtp-sink`; and for large
/// messages octets in a second.
fn servers(play: &Play, place: Where, figures: &mut Vec<Figure>) -> Result<()> {
    for (sessions, messages, octets) in [(1, MESSAGES, SMALL), (10, MESSAGES, SMALL), (1, LARGE_MESSAGES, LARGE)] {
        let taken = |role: Role| {
            let server = play.server(role, place, octets == SMALL)?;
            let taken = server.take(Role::Postfix, sessions, messages / sessions, octets)?;
            server.stop()?;
            anyhow::Ok(taken)
        };
        let mut theirs = taken(Role::Postfix)?;
        for (front, _, at_most) in FRONTS {
            let ours = taken(Role::Ours { front, single: false })?;
            let before = std::mem::replace(&mut theirs, taken(Role::Postfix)?);
            let case = format!("{front} server, {place}, {}, {}", plural(sessions), size(octets));
            let (measure, value, target) = if octets == SMALL {
                (
                    "processor time of smtp-sink",
                    ours.server / f64::midpoint(before.server, theirs.server),
                    Target::AtMost(at_most),
                )
            } else {
                (
                    "times smtp-sink's MB/s",
                    f64::midpoint(before.seconds, theirs.seconds) / ours.seconds,
                    Target::AtLeast(3.0),
                )
            };
            figures.push(Figure { case, measure: measure.into(), value, target });
        }
    }
    Ok(())
}

pub(super) fn plural(sessions: usize) -> String {
    if sessions == 1 { "1 session".into() } else { format!("{sessions} sessions") }
}

fn size(octets: usize) -> &'static str {
    if octets == SMALL { "1 kB" } else { "1 MB" }
}

fn free(pinned: bool) -> &'static str {
    if pinned { "" } else { ", any processor" }
}
