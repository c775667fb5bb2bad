//! Which class a message is of, by what it holds where.

use super::ContentClass;

/// Tells header from body, and keeps the highest class met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Class {
    /// Whether no empty line has been met.
    in_header: bool,
    /// Whether the line holds nothing yet.
    line_is_empty: bool,
    met: ContentClass,
}

impl Class {
    /// At the start of a message.
    pub(super) fn new() -> Self {
        Self { in_header: true, line_is_empty: true, met: ContentClass::SevenBit }
    }

    /// The highest class met so far.
    pub(super) fn met(self) -> ContentClass {
        self.met
    }

    /// Looks at what comes next. No CRLF may be cut in two at either end.
    pub(super) fn look(&mut self, octets: &[u8]) {
        let body = if self.in_header { self.look_for_body(octets) } else { octets };
        if !body.is_ascii() {
            self.met = self.met.max(ContentClass::EightBit);
        }
    }

    /// Looks at the header; gives what is left behind its end.
    fn look_for_body<'a>(&mut self, octets: &'a [u8]) -> &'a [u8] {
        let end = match octets {
            [b'\r', b'\n', ..] if self.line_is_empty => Some(2),
            _ => memchr::memmem::find(octets, b"\r\n\r\n").map(|place| place.saturating_add(4)),
        };
        let (header, body) = octets.split_at(end.unwrap_or(octets.len()));
        if !header.is_ascii() {
            self.met = ContentClass::EightBitHeader;
        }
        if !header.is_empty() {
            self.line_is_empty = header.ends_with(b"\r\n");
        }
        self.in_header = end.is_none();
        body
    }

    /// A line end that is not in the octets looked at.
    pub(super) fn line_end(&mut self) {
        self.in_header &= !self.line_is_empty;
        self.line_is_empty = true;
    }
}
