//! What is printed: results on standard output, all else on standard error.
//!
//! Nothing here can fail. Whoever closes an output is not interested, and the
//! exit code says what happened all the same.

use std::fmt::Display;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::ProgressBar;

/// Good news.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Bad news.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// News that may yet turn either way.
pub(crate) const OPEN: Style = AnsiColor::Yellow.on_default();
/// What matters less.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// What heads a section.
pub(crate) const HEAD: Style = Style::new().bold();

/// Prints a line on standard output, in colour only on a terminal.
pub(crate) fn result(line: &impl Display) {
    let _ = writeln!(anstream::stdout(), "{line}");
}

/// Text in a style.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Standard error, shared by everybody who has something to say there and the
/// status line below it.
#[derive(Debug)]
pub(crate) struct Console {
    start: Instant,
    status: Mutex<Option<ProgressBar>>,
}

impl Console {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), status: Mutex::new(None) }
    }

    /// How long the program has been running.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Prints what went wrong.
    pub(crate) fn error(&self, message: &str) {
        self.marked(AnsiColor::Red, "error", message);
    }

    /// Prints what went wrong without consequences.
    pub(crate) fn warning(&self, message: &str) {
        self.marked(AnsiColor::Yellow, "warning", message);
    }

    /// Prints what may help.
    pub(crate) fn hint(&self, message: &str) {
        self.marked(AnsiColor::Cyan, "hint", message);
    }

    /// Prints what was done beyond what was asked.
    pub(crate) fn note(&self, message: &str) {
        self.marked(AnsiColor::Cyan, "note", message);
    }

    fn marked(&self, colour: AnsiColor, mark: &str, message: &str) {
        self.say(&format!("{}: {message}", styled(colour.on_default().bold(), mark)));
    }

    /// Prints lines above the status line.
    pub(crate) fn say(&self, lines: &str) {
        let print = || {
            let _ = writeln!(anstream::stderr(), "{lines}");
        };
        match &*self.status() {
            Some(status) => status.suspend(print),
            None => print(),
        }
    }

    /// Replaces the status line; `None` removes it.
    pub(crate) fn set_status(&self, new: Option<ProgressBar>) {
        if let Some(old) = std::mem::replace(&mut *self.status(), new) {
            old.finish_and_clear();
        }
    }

    /// A thread that panicked has left nothing half done here.
    fn status(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
