//! The status line on a terminal: what the program waits for, and how much of a
//! large message has left.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lmtp_blocking::{Endpoint, Handle, Phase};

use crate::console::Console;
use crate::session::Session;

/// How often the program looks at itself.
const TICK: Duration = Duration::from_millis(100);
/// A wait is worth a word after this long.
const PATIENCE: Duration = Duration::from_secs(3);
/// A message is large beyond this many octets.
const LARGE: u64 = 1024 * 1024;

/// How far the message has been read; written by its reader.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) octets: AtomicU64,
    /// Zero while it is not known.
    pub(crate) total: AtomicU64,
    /// The reader waits for whoever writes the message.
    pub(crate) starved: AtomicBool,
}

/// A thread that keeps the status line until it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Waiting {
    /// Watches the session, if somebody is there to see it.
    pub(crate) fn on(session: &Session<'_>, progress: &Arc<Progress>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { thread: None };
        }
        let (stop, stopped) = mpsc::channel();
        let mut line = StatusLine {
            endpoint: session.endpoint.clone(),
            handle: session.handle.clone(),
            console: Arc::clone(&session.console),
            progress: Arc::clone(progress),
            since: Instant::now(),
            what: What::Phase(Phase::Connect),
            shown: None,
        };
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                line.refresh();
            }
            line.console.set_status(None);
        });
        Self { thread: Some((stop, thread)) }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.thread.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

/// What the program is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Reading what somebody writes to a pipe.
    Reading,
    Phase(Phase),
}

/// What the status line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Waiting,
    Sending,
}

#[derive(Debug)]
struct StatusLine {
    endpoint: Endpoint,
    handle: Handle,
    console: Arc<Console>,
    progress: Arc<Progress>,
    /// What is waited for, and since when.
    what: What,
    since: Instant,
    shown: Option<(Shown, ProgressBar)>,
}

impl StatusLine {
    fn refresh(&mut self) {
        let what = match self.progress.starved.load(Ordering::Relaxed) {
            true => What::Reading,
            false => What::Phase(self.handle.phase()),
        };
        if what != self.what {
            (self.what, self.since) = (what, Instant::now());
        }
        let octets = self.progress.octets.load(Ordering::Relaxed);
        let total = self.progress.total.load(Ordering::Relaxed);
        let show = if what == What::Phase(Phase::Body) && octets.max(total) > LARGE {
            Some(Shown::Sending)
        } else if self.since.elapsed() >= PATIENCE {
            Some(Shown::Waiting)
        } else {
            None
        };
        if show != self.shown.as_ref().map(|(shown, _)| *shown) {
            self.shown = show.map(|show| (show, bar(show, octets, total)));
            self.console.set_status(self.shown.as_ref().map(|(_, bar)| bar.clone()));
        }
        match &self.shown {
            Some((Shown::Sending, bar)) => bar.set_position(octets),
            Some((Shown::Waiting, bar)) => {
                let seconds = self.since.elapsed().as_secs();
                bar.set_message(format!("{} ({seconds} s)", in_words(what, &self.endpoint)));
                bar.tick();
            }
            None => {}
        }
    }
}

/// A status line; it hides itself where there is no terminal.
fn bar(show: Shown, octets: u64, total: u64) -> ProgressBar {
    let template = match (show, total) {
        (Shown::Waiting, _) => "{spinner} {msg}",
        (Shown::Sending, 0) => "sending: {bytes} ({binary_bytes_per_sec})",
        (Shown::Sending, _) => "sending: [{bar:30}] {bytes} of {total_bytes} ({binary_bytes_per_sec})",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    let length = (total > 0 && show == Shown::Sending).then_some(total);
    ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr()).with_style(style).with_position(octets)
}

fn in_words(what: What, endpoint: &Endpoint) -> String {
    match what {
        What::Reading => "waiting for the message on standard input".into(),
        What::Phase(Phase::Connect) => format!("connecting to {endpoint}"),
        What::Phase(Phase::Greeting) => format!("waiting for the greeting of {endpoint}"),
        What::Phase(Phase::Body) => format!("waiting for {endpoint} to take the message"),
        What::Phase(Phase::Final) => format!("waiting for the answer for a recipient from {endpoint}"),
        What::Phase(phase) => {
            let command = phase.name().to_uppercase();
            format!("waiting for the reply to {command} from {endpoint}")
        }
    }
}
