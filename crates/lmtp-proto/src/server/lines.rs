//! Command lines out of a stream, the bad ones dropped whole.

use bytes::{Buf, BytesMut};

use crate::lines::plain_line;

/// Finds command lines. A line that is too long or ends in the wrong way is
/// reported once and swallowed to its CRLF: its tail is never a command of its
/// own (RFC 5321 section 2.3.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CommandLines {
    /// How much of the buffer is known to hold no LF.
    searched: usize,
    /// Whether what comes up to the next CRLF belongs to a bad line.
    swallowing: bool,
    /// Swallowing, the last octet dropped was a CR.
    after_cr: bool,
}

/// What is at the front of the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A line of so many octets before its CRLF, to be dropped by
    /// [`CommandLines::drop_line`] when it was read.
    Line(usize),
    /// A line that went past its limit; what there is of it has been dropped.
    /// Behind a BDAT its chunk follows.
    TooLong { bdat: bool },
    /// A line with a lone CR, LF or NUL in it; dropped up to there.
    BareOctet { bdat: bool },
    /// No whole line.
    Nothing,
}

impl CommandLines {
    /// Looks for a line; `limit` counts its CRLF.
    pub(super) fn find(&mut self, buffer: &mut BytesMut, limit: usize) -> Found {
        if self.swallowing && !self.swallow(buffer) {
            return Found::Nothing;
        }
        if self.searched == 0
            && let Some(length) = plain_line(buffer, limit)
        {
            return Found::Line(length);
        }
        let unread = buffer.get(self.searched..).unwrap_or_default();
        let Some(lf) = memchr::memchr(b'\n', unread).map(|found| self.searched.saturating_add(found)) else {
            self.searched = buffer.len();
            return if buffer.len() >= limit { self.too_long(buffer) } else { Found::Nothing };
        };
        self.searched = 0;
        if lf >= limit {
            return self.too_long(buffer);
        }
        let bdat = is_bdat(buffer);
        match buffer.get(..lf) {
            Some([line @ .., b'\r']) if memchr::memchr2(b'\r', 0, line).is_none() => Found::Line(line.len()),
            Some([.., b'\r']) => {
                buffer.advance(lf.saturating_add(1));
                Found::BareOctet { bdat }
            }
            _ => {
                buffer.advance(lf.saturating_add(1));
                (self.swallowing, self.after_cr) = (true, false);
                Found::BareOctet { bdat }
            }
        }
    }

    /// Drops a line of `length` octets and its CRLF.
    pub(super) fn drop_line(buffer: &mut BytesMut, length: usize) {
        buffer.advance(length.saturating_add(2).min(buffer.len()));
    }

    fn too_long(&mut self, buffer: &mut BytesMut) -> Found {
        (self.swallowing, self.after_cr, self.searched) = (true, false, 0);
        let bdat = is_bdat(buffer);
        // All that is there may belong to it: its end is found by `swallow`.
        self.swallow(buffer);
        Found::TooLong { bdat }
    }

    /// Drops what belongs to a bad line; whether its end was there.
    fn swallow(&mut self, buffer: &mut BytesMut) -> bool {
        let mut from = 0;
        while let Some(lf) = memchr::memchr(b'\n', buffer.get(from..).unwrap_or_default()) {
            let lf = from.saturating_add(lf);
            let cr = match lf.checked_sub(1) {
                Some(before) => buffer.get(before) == Some(&b'\r'),
                None => self.after_cr,
            };
            if cr {
                buffer.advance(lf.saturating_add(1));
                *self = Self::default();
                return true;
            }
            from = lf.saturating_add(1);
        }
        if let Some(&last) = buffer.last() {
            self.after_cr = last == b'\r';
        }
        buffer.clear();
        false
    }
}

/// Whether a line begins with the verb BDAT.
fn is_bdat(line: &[u8]) -> bool {
    let verb = line.split(|octet| !octet.is_ascii_alphanumeric()).next();
    verb.is_some_and(|verb| verb.eq_ignore_ascii_case(b"BDAT"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// What comes of the pieces: lines as text, `!` too long, `?` bare octet.
    fn found(pieces: &[&[u8]], limit: usize) -> Vec<String> {
        let (mut lines, mut buffer, mut all) = (CommandLines::default(), BytesMut::new(), Vec::new());
        for piece in pieces {
            buffer.extend_from_slice(piece);
            loop {
                match lines.find(&mut buffer, limit) {
                    Found::Line(length) => {
                        all.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
                        CommandLines::drop_line(&mut buffer, length);
                    }
                    Found::TooLong { .. } => all.push("!".into()),
                    Found::BareOctet { .. } => all.push("?".into()),
                    Found::Nothing => break,
                }
            }
            assert!(buffer.len() < limit);
        }
        all
    }

    #[test]
    fn bad_lines_are_dropped_whole() {
        for (text, expected) in [
            ("NOOP\r\nQUIT\r\n", &["NOOP", "QUIT"][..]),
            ("NOOP\nQUIT\r\nRSET\r\n", &["?", "RSET"]),
            ("NO\rOP\r\nRSET\r\n", &["?", "RSET"]),
            ("NO\0OP\r\nRSET\r\n", &["?", "RSET"]),
            ("0123456789\r\nQUIT\r\n", &["!", "QUIT"]),
            ("01234567\r\nQUIT\r\n", &["01234567", "QUIT"]),
            ("0123456789\nQUIT\r\nRSET\r\n", &["!", "RSET"]),
            ("0123456789\r\r\nRSET\r\n", &["!", "RSET"]),
            ("\r\n\r\n", &["", ""]),
        ] {
            let octets: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(found(&[text.as_bytes()], 10), expected, "{text:?}");
            assert_eq!(found(&octets, 10), expected, "{text:?}, octet by octet");
        }
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference(text in "[a\r\n\0]{0,40}", cut in 0_usize..40) {
            let whole = found(&[text.as_bytes()], 8);
            let (left, right) = text.as_bytes().split_at(cut.min(text.len()));
            prop_assert_eq!(found(&[left, right], 8), whole);
        }
    }
}
