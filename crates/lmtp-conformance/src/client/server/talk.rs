//! What the server says and hears, octet by octet.

use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

use super::{LINGER, Session, TICK};

impl Session<'_> {
    pub(super) fn say(&mut self, octets: &[u8]) {
        self.record.show('S', octets);
        let size = if self.script.splits { 1 } else { octets.len().max(1) };
        for mut piece in octets.chunks(size) {
            while !piece.is_empty() {
                match self.wire.write(piece) {
                    Ok(count) => piece = &piece[count..],
                    Err(error) if waits(error.kind()) && !self.over.is_over() => {}
                    // The client has gone; what it says of this is judged elsewhere.
                    Err(_) => return,
                }
            }
        }
    }

    pub(super) fn endless(&mut self, piece: &[u8], pause: Duration) {
        self.record.note("the server goes on without end");
        while !self.over.is_over() {
            let gone = self.wire.write(piece).is_err_and(|error| !waits(error.kind()));
            if gone || self.read(pause) == Heard::Closed {
                break;
            }
            self.unread.clear();
            thread::sleep(pause);
        }
        self.is_done = true;
    }

    pub(super) fn cut(&mut self) {
        self.record.note("the server closes the connection");
        self.wire.end();
        self.drain(Some(LINGER));
    }

    /// Hears without listening, until the client goes.
    pub(super) fn drain(&mut self, most: Option<Duration>) {
        let begin = Instant::now();
        while self.read(TICK) != Heard::Closed && !self.over.is_over() && most.is_none_or(|most| begin.elapsed() < most)
        {
            self.unread.clear();
        }
        // What was not listened to is no content and no command.
        self.unread.clear();
        self.is_done = true;
    }

    /// A line up to its LF, whatever is before that.
    pub(super) fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.unread.iter().position(|&octet| octet == b'\n') {
                return Some(self.unread.drain(..=end).collect());
            }
            if !self.wait() {
                if !self.unread.is_empty() {
                    let rest = std::mem::take(&mut self.unread);
                    self.record.show('C', &rest);
                }
                return None;
            }
        }
    }

    /// Reads something; `false` is the end.
    pub(super) fn wait(&mut self) -> bool {
        loop {
            match self.read(TICK) {
                Heard::Octets => return true,
                Heard::Closed => return false,
                Heard::Nothing if self.over.is_over() => return false,
                Heard::Nothing => {}
            }
        }
    }

    pub(super) fn read(&mut self, most: Duration) -> Heard {
        let mut room = [0; 16 * 1024];
        self.wire.be_patient(most);
        match self.wire.read(&mut room) {
            Ok(0) => Heard::Closed,
            Ok(count) => {
                self.unread.extend_from_slice(&room[..count]);
                Heard::Octets
            }
            Err(error) if waits(error.kind()) => Heard::Nothing,
            Err(_) => Heard::Closed,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Octets,
    Nothing,
    Closed,
}

fn waits(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
