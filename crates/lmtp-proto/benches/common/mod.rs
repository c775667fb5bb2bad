//! A stopwatch: the best of many runs, told as throughput and as a ratio.

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

/// A table whose rows are compared with some of them.
pub(crate) struct Table {
    title: String,
    /// Rows that all are compared with.
    measures: Vec<(&'static str, f64)>,
}

impl Table {
    /// Prints the head of the table.
    pub(crate) fn new(title: &str, measures: Vec<(&'static str, f64)>) -> Self {
        println!("\n{title}");
        print!("{:>42} {:>8}", "", "GB/s");
        for (name, _) in &measures {
            print!(" {name:>9}");
        }
        println!();
        let table = Self { title: title.into(), measures };
        for (name, speed) in &table.measures {
            table.print(name, *speed);
        }
        table
    }

    /// Prints one row, with its ratio to each of the measures.
    pub(crate) fn row(&self, name: &str, speed: f64) {
        self.print(name, speed);
        for (measure, its_speed) in &self.measures {
            ratio(&format!("{name}: {}", self.title), measure, speed / its_speed);
        }
    }

    fn print(&self, name: &str, speed: f64) {
        print!("{name:>42} {:>8.2}", speed / 1e9);
        for (_, measure) in &self.measures {
            print!(" {:>8.2}x", speed / measure);
        }
        println!();
    }
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

/// How much faster we are than this peer: told in a form for programs, with tabs between, when the arguments
/// ask for it by `--plain`.
pub(crate) fn ratio(case: &str, peer: &str, ratio: f64) {
    if std::env::args().any(|arg| arg == "--plain") {
        println!("RATIO\t{case}\t{peer}\t{ratio:.3}");
    }
}
