//! A stopwatch: the best of many runs, told as throughput and as ratios.

#![allow(dead_code, reason = "not every bench needs all of it")]

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long each thing is measured.
const TIME: Duration = Duration::from_millis(400);

/// Octets in a second, in the best of many runs. What `prepare` does is not
/// counted, nor is the dropping of what `run` gives.
#[expect(clippy::cast_precision_loss, reason = "no message has 2^52 octets")]
pub(crate) fn throughput<I, O>(octets: usize, mut prepare: impl FnMut() -> I, mut run: impl FnMut(I) -> O) -> f64 {
    let mut best = Duration::MAX;
    let begun = Instant::now();
    while begun.elapsed() < TIME {
        let input = black_box(prepare());
        let start = Instant::now();
        let output = black_box(run(input));
        best = best.min(start.elapsed());
        drop(output);
    }
    octets as f64 / best.as_secs_f64().max(1e-9)
}

/// One thing of several that are measured together: does it once, and says how long that took.
pub(crate) type Routine<'a> = (&'a str, Box<dyn FnMut() -> Duration + 'a>);

/// A routine that does `run` with what `prepare` gives; only `run` is timed.
pub(crate) fn routine<'a, I: 'a, O: 'a>(
    name: &'a str,
    mut prepare: impl FnMut() -> I + 'a,
    mut run: impl FnMut(I) -> O + 'a,
) -> Routine<'a> {
    let once = move || {
        let input = black_box(prepare());
        let start = Instant::now();
        let output = black_box(run(input));
        let time = start.elapsed();
        drop(output);
        time
    };
    (name, Box::new(once))
}

/// How often each is done before it is the next one's turn: it has its data at hand then, as it would have when
/// nothing else were measured.
const IN_A_ROW: usize = 8;

/// The best time of each, taken in turns, so that a disturbance meets all of them.
pub(crate) fn in_turns(routines: &mut [Routine<'_>], time: Duration) -> Vec<Duration> {
    let mut best = vec![Duration::MAX; routines.len()];
    let begun = Instant::now();
    while begun.elapsed() < time || best.contains(&Duration::MAX) {
        for ((_, once), best) in routines.iter_mut().zip(&mut best) {
            for _ in 0..IN_A_ROW {
                *best = once().min(*best);
            }
        }
    }
    best
}

/// A header and lines of 76 columns, some of which begin with a dot.
pub(crate) fn mail(size: usize) -> Vec<u8> {
    let mut mail = b"From: ann@example.com\r\nTo: bob@example.org\r\nSubject: Figures\r\n\r\n".to_vec();
    let words = ["Lorem", "ipsum", "dolor.", "sit", "amet,", "consectetur", "elit.", "sed", "do", "3.14", "eiusmod"];
    let mut random = 1_u32;
    while mail.len() < size - 80 {
        let line = mail.len();
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if (random >> 16).is_multiple_of(1024) {
            mail.push(b'.');
        }
        while mail.len() < line + 76 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            mail.extend_from_slice(words[(random >> 16) as usize % words.len()].as_bytes());
            mail.push(b' ');
        }
        mail.truncate(line + 76);
        mail.extend_from_slice(b"\r\n");
    }
    mail
}

/// How much faster we are than this peer.
pub(crate) fn ratio(case: &str, peer: &str, ratio: f64) {
    tell("RATIO", case, peer, ratio);
}

/// How much of something a case costs or gets done.
pub(crate) fn figure(case: &str, what: &str, figure: f64) {
    tell("FIGURE", case, what, figure);
}

/// Told in a form for programs, with tabs between, when the arguments ask for it by `--plain`.
fn tell(kind: &str, case: &str, what: &str, number: f64) {
    if std::env::args().any(|arg| arg == "--plain") {
        println!("{kind}\t{case}\t{what}\t{number:.3}");
    }
}

/// What `--one N NAME` asks for, taken out of the arguments: only the thing of that name, N times. For whoever
/// counts instructions (`cargo xtask bench`).
pub(crate) fn only_one(args: &mut Vec<String>) -> Option<(usize, String)> {
    let place = args.iter().position(|arg| arg == "--one")?;
    let given: Vec<String> = args.drain(place..).collect();
    let [_, count, name] = &given[..] else { panic!("--one N NAME") };
    Some((count.parse().expect("how many"), name.clone()))
}
