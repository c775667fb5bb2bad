//! Values onto the wire.
//!
//! Nothing is checked here: what a value can hold was checked when it was made.

use core::fmt::Write;

use crate::SendQueue;
use crate::value::{Command, EnhancedCode, Reply};

/// Appends a command and its CRLF.
pub fn encode_command(command: &Command, queue: &mut SendQueue) {
    // Writing to a queue cannot fail, and no Display here does.
    let _ = match command {
        // Display masks what is said here.
        Command::Auth(mechanism, Some(response)) => write!(queue, "AUTH {mechanism} {}\r\n", response.to_base64()),
        command => write!(queue, "{command}\r\n"),
    };
}

/// Appends every line of a reply, the enhanced code on each (RFC 2034
/// section 4).
pub fn encode_reply(reply: &Reply, queue: &mut SendQueue) {
    let mut lines = reply.lines().peekable();
    while let Some(line) = lines.next() {
        let more = lines.peek().is_some();
        let mut codes = Codes::new(reply.code().get());
        if reply.enhanced().is_some() || more || !line.is_empty() {
            codes.put(if more { b'-' } else { b' ' });
        }
        if let Some(enhanced) = reply.enhanced() {
            codes.enhanced(enhanced);
            if !line.is_empty() {
                codes.put(b' ');
            }
        }
        queue.put(codes.octets());
        queue.put(line);
        queue.put(b"\r\n");
    }
}

/// The codes in front of a line of a reply. They are written without `fmt`: every
/// reply has them.
pub(crate) struct Codes {
    octets: [u8; Self::ROOM],
    length: usize,
}

impl Codes {
    /// `250-2.999.999 `
    const ROOM: usize = 14;

    pub(crate) fn new(code: u16) -> Self {
        let mut codes = Self { octets: [0; Self::ROOM], length: 0 };
        codes.number(code);
        codes
    }

    pub(crate) fn put(&mut self, octet: u8) {
        if let Some(place) = self.octets.get_mut(self.length) {
            *place = octet;
            self.length = self.length.saturating_add(1);
        }
    }

    /// A number of at most three digits.
    fn number(&mut self, number: u16) {
        for power in [100, 10, 1] {
            if number >= power || power == 1 {
                let digit = number.checked_div(power).and_then(|rest| rest.checked_rem(10)).unwrap_or_default();
                self.put(b'0'.saturating_add(u8::try_from(digit).unwrap_or_default()));
            }
        }
    }

    /// `2.1.5`
    pub(crate) fn enhanced(&mut self, code: EnhancedCode) {
        self.number(code.class().into());
        self.put(b'.');
        self.number(code.subject());
        self.put(b'.');
        self.number(code.detail());
    }

    pub(crate) fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}
