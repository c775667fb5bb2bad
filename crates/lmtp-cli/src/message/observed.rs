//! A reader that sees what goes through it: how much, and with what line ends.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use lmtp_blocking::Handle;

use super::unless_stopped;
use crate::console::Console;
use crate::session::Session;
use crate::waiting::Progress;

/// A reader that tells of its progress, ends when the user interrupts it, and
/// says once that line ends are being put right.
#[derive(Debug)]
pub(super) struct Observed<R> {
    reader: R,
    handle: Handle,
    console: Arc<Console>,
    progress: Arc<Progress>,
    /// What the message is called, while its line ends are being looked at.
    note: Option<String>,
    /// Whether the last octet was a CR.
    after_cr: bool,
}

impl<R> Observed<R> {
    /// Observes a reader; with a name, its line ends too.
    pub(super) fn new(reader: R, note: Option<String>, session: &Session<'_>, progress: &Arc<Progress>) -> Self {
        Self {
            reader,
            handle: session.handle.clone(),
            console: Arc::clone(&session.console),
            progress: Arc::clone(progress),
            note,
            after_cr: false,
        }
    }

    /// Looks at the line ends of the next part; nothing more is the end.
    fn look_at(&mut self, part: &[u8]) {
        let Some(name) = &self.note else { return };
        if let Some(kind) = odd_line_end(part, &mut self.after_cr) {
            self.console.note(&format!("{name} has {kind}; they are sent as CRLF"));
            self.note = None;
        }
    }
}

/// The first kind of line end other than CRLF. An empty part is the end of the
/// message.
fn odd_line_end(part: &[u8], after_cr: &mut bool) -> Option<&'static str> {
    if part.is_empty() && *after_cr {
        return Some("carriage returns without line feeds");
    }
    for &octet in part {
        match (*after_cr, octet) {
            (false, b'\n') => return Some("Unix line ends"),
            (true, octet) if octet != b'\n' => return Some("carriage returns without line feeds"),
            _ => *after_cr = octet == b'\r',
        }
    }
    None
}

impl<R: Read> Read for Observed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        unless_stopped(&self.handle)?;
        let count = self.reader.read(buffer)?;
        self.progress.octets.fetch_add(count as u64, Ordering::Relaxed);
        self.look_at(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// Back to the start of the message, to read it again.
impl<R: Seek> Seek for Observed<R> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.progress.octets.store(0, Ordering::Relaxed);
        self.after_cr = false;
        self.reader.seek(position)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        self.reader.stream_position()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cut at every place, and closed by the empty part that is the end.
    fn kinds(message: &str) -> Vec<Option<&'static str>> {
        let cut = |at| {
            let (first, second): (&str, &str) = message.split_at(at);
            let mut after_cr = false;
            let parts = [first, second, ""].into_iter().filter(|part| !part.is_empty()).chain([""]);
            parts.map(str::as_bytes).find_map(|part| odd_line_end(part, &mut after_cr))
        };
        (0..=message.len()).map(cut).collect()
    }

    #[test]
    fn line_ends_are_seen_across_cuts() {
        for (message, kind) in [
            ("a\r\nb\r\n", None),
            ("a", None),
            ("", None),
            ("\n", Some("Unix line ends")),
            ("a\r\nb\nc", Some("Unix line ends")),
            ("a\rb\n", Some("carriage returns without line feeds")),
            ("a\r", Some("carriage returns without line feeds")),
            ("a\r\r\n", Some("carriage returns without line feeds")),
        ] {
            assert!(kinds(message).into_iter().all(|found| found == kind), "{message:?}");
        }
    }
}
