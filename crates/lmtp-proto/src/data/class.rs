//! Which class a message is of, by what it holds where.

use super::ContentClass;
use super::look::is_ascii;

/// Tells header from body, and keeps the highest class met.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    pub(super) fn met(&self) -> ContentClass {
        self.met
    }

    /// Looks at what comes next, and gives the first octet above what is
    /// `allowed`: its place and its class. No CRLF may be cut in two at either
    /// end.
    pub(super) fn look(
        &mut self,
        octets: &[u8],
        eight_bit: bool,
        allowed: ContentClass,
    ) -> Option<(usize, ContentClass)> {
        let body = if self.in_header { self.header(octets) } else { 0 };
        if !eight_bit {
            return None;
        }
        let (header, body) = octets.split_at_checked(body)?;
        let in_header = first_eight_bit(header).map(|place| (place, ContentClass::EightBitHeader));
        let in_body =
            || first_eight_bit(body).map(|place| (place.saturating_add(header.len()), ContentClass::EightBit));
        let highest = in_header.or_else(in_body)?;
        self.met = self.met.max(highest.1);
        // What stands in the header stands first, and is the most of all.
        (highest.1 > allowed).then_some(highest)
    }

    /// A line end that is not among the octets looked at.
    pub(super) fn line_end(&mut self) {
        self.in_header &= !self.line_is_empty;
        self.line_is_empty = true;
    }

    /// How many of the octets belong to the header.
    fn header(&mut self, octets: &[u8]) -> usize {
        let end = match octets {
            [b'\r', b'\n', ..] if self.line_is_empty => Some(2),
            // Lines whose ends are converted come without.
            _ if memchr::memchr(b'\r', octets).is_none() => None,
            _ => memchr::memmem::find(octets, b"\r\n\r\n").map(|place| place.saturating_add(4)),
        };
        self.in_header = end.is_none();
        self.line_is_empty = octets.ends_with(b"\r\n") || (octets.is_empty() && self.line_is_empty);
        end.unwrap_or(octets.len())
    }
}

fn first_eight_bit(octets: &[u8]) -> Option<usize> {
    // All at once first: most is ASCII.
    (!is_ascii(octets)).then(|| octets.iter().position(|octet| !octet.is_ascii())).flatten()
}
