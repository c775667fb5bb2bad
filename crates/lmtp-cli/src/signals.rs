//! SIGINT and SIGTERM: the connection is closed, the report is printed.

use std::time::{Duration, Instant};
use std::{process, thread};

use lmtp_blocking::Handle;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Exit;

/// A signal so soon after the first is the same one, sent to the process and to
/// its group, or a key that was held down.
const SAME: Duration = Duration::from_secs(2);

/// Cancels the client at the first signal. Whoever sends a second one does not
/// want to wait for a report.
pub(crate) fn cancel(handle: &Handle) {
    // Without a handler a signal ends the program at once, as it would have.
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    let handle = handle.clone();
    thread::spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            handle.cancel();
        }
        let first = Instant::now();
        if signals.any(|_| first.elapsed() > SAME) {
            process::exit(Exit::TryLater as i32);
        }
    });
}
