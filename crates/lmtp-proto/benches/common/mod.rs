//! A stopwatch: the best of many runs, told as throughput and as a ratio.

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
        let table = Self { measures };
        for (name, speed) in &table.measures {
            table.row(name, *speed);
        }
        table
    }

    /// Prints one row, with its ratio to each of the measures.
    pub(crate) fn row(&self, name: &str, speed: f64) {
        print!("{name:>42} {:>8.2}", speed / 1e9);
        for (_, measure) in &self.measures {
            print!(" {:>8.2}x", speed / measure);
        }
        println!();
    }
}
