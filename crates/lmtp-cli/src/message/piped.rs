//! A pipe that can be given up: its blocking reads happen on another thread.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use lmtp_blocking::Handle;

use super::unless_stopped;
use crate::waiting::Progress;

/// How much is read at once.
const PART: usize = 64 * 1024;
/// How many parts may lie ready: enough to keep both threads busy, little
/// enough to forget.
const AHEAD: usize = 4;
/// How long an interruption may go unnoticed. The channel cannot be waited for
/// together with a signal, and to look ten times a second costs nothing.
const LOOK: Duration = Duration::from_millis(20);

/// What another thread reads from a pipe, a terminal or a device.
#[derive(Debug)]
pub(super) struct Piped {
    /// Parts in order; an empty one is the end.
    parts: Receiver<io::Result<Vec<u8>>>,
    part: Vec<u8>,
    taken: usize,
    ended: bool,
    handle: Handle,
    progress: Arc<Progress>,
}

impl Piped {
    /// Opens and reads on a thread of its own, which ends with the program.
    pub(super) fn new(open: impl FnOnce() -> io::Result<File> + Send + 'static, handle: &Handle) -> io::Result<Self> {
        let (sender, parts) = mpsc::sync_channel(AHEAD);
        thread::Builder::new().name("read".into()).spawn(move || {
            let mut file = match open() {
                Ok(file) => file,
                Err(error) => return drop(sender.send(Err(error))),
            };
            loop {
                let mut part = vec![0; PART];
                let read = file.read(&mut part).map(|count| {
                    part.truncate(count);
                    part
                });
                let last = match &read {
                    Ok(part) => part.is_empty(),
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(_) => true,
                };
                if sender.send(read).is_err() || last {
                    return;
                }
            }
        })?;
        let (part, handle, progress) = (Vec::new(), handle.clone(), Arc::default());
        Ok(Self { parts, part, taken: 0, ended: false, handle, progress })
    }

    /// Tells `progress` when nothing comes.
    pub(super) fn watched_by(mut self, progress: &Arc<Progress>) -> Self {
        self.progress = Arc::clone(progress);
        self
    }

    /// The next part, as soon as there is one.
    fn next_part(&self) -> io::Result<Vec<u8>> {
        loop {
            match self.parts.recv_timeout(LOOK) {
                Ok(part) => return part,
                Err(RecvTimeoutError::Timeout) => {
                    self.progress.starved.store(true, Ordering::Relaxed);
                    unless_stopped(&self.handle)?;
                }
                Err(RecvTimeoutError::Disconnected) => return Err(ErrorKind::UnexpectedEof.into()),
            }
        }
    }
}

impl Read for Piped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.part.len() && !self.ended {
            let part = self.next_part();
            self.progress.starved.store(false, Ordering::Relaxed);
            (self.part, self.taken) = (part?, 0);
            self.ended = self.part.is_empty();
        }
        let mut left = self.part.get(self.taken..).unwrap_or_default();
        let count = left.read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}
