//! Lines out of a stream: the first thing done to every octet that is read.

use crate::error::SyntaxError;

/// The length of the first line in `buffer`, without its CRLF, when it is a line
/// like nearly all: whole, within `limit`, which counts the CRLF, and with no CR,
/// LF or NUL in it. For any other line there are readers that look closer.
#[inline]
pub(crate) fn plain_line(buffer: &[u8], limit: usize) -> Option<usize> {
    let cr = memchr::memchr3(b'\r', b'\n', 0, buffer)?;
    let (line, end) = buffer.split_at_checked(cr)?;
    (end.starts_with(b"\r\n") && line.len().saturating_add(2) <= limit).then_some(line.len())
}

/// Finds where the next line ends, without looking at any octet twice.
#[derive(Debug, Clone, Default)]
pub(crate) struct LineFinder {
    /// How much of the buffer is known to hold no LF.
    searched: usize,
}

/// What stands in the way of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineError {
    TooLong,
    Syntax(SyntaxError),
}

impl LineFinder {
    /// The length of the first line in `buffer`, without its CRLF; `None` while
    /// it is incomplete. `limit` counts the CRLF.
    ///
    /// Only CRLF ends a line (RFC 5321 section 2.3.8). A lone CR or LF ends
    /// nothing and is never skipped: it is an error of its own, because two
    /// readers that disagree about it can be played against each other.
    pub(crate) fn find(&mut self, buffer: &[u8], limit: usize) -> Result<Option<usize>, LineError> {
        let unread = buffer.get(self.searched..).unwrap_or_default();
        let Some(found) = memchr::memchr(b'\n', unread) else {
            self.searched = buffer.len();
            return if buffer.len() >= limit { Err(LineError::TooLong) } else { Ok(None) };
        };
        let lf = self.searched.saturating_add(found);
        if lf >= limit {
            return Err(LineError::TooLong);
        }
        self.searched = 0;
        match buffer.get(..lf) {
            Some([line @ .., b'\r']) => match memchr::memchr(b'\r', line) {
                None => Ok(Some(line.len())),
                Some(_) => Err(LineError::Syntax(SyntaxError::BareCr)),
            },
            _ => Err(LineError::Syntax(SyntaxError::BareLf)),
        }
    }

    /// Whether nothing of the line at the front has been searched.
    pub(crate) fn is_fresh(&self) -> bool {
        self.searched == 0
    }

    /// How much of the buffer has been searched.
    #[cfg(test)]
    pub(crate) fn state(&self) -> usize {
        self.searched
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;

    fn find(text: &[u8], limit: usize) -> Result<Option<usize>, LineError> {
        // Byte by byte and whole must agree.
        let whole = LineFinder::default().find(&BytesMut::from(text), limit);
        let mut finder = LineFinder::default();
        let mut buffer = BytesMut::new();
        let mut slow = Ok(None);
        for &octet in text {
            buffer.extend_from_slice(&[octet]);
            slow = finder.find(&buffer, limit);
            if slow != Ok(None) {
                break;
            }
        }
        assert_eq!(whole, slow);
        whole
    }

    #[test]
    fn only_crlf_ends_a_line() {
        lmtp_testkit::proves!("R5321-2.3.8-a");
        assert_eq!(find(b"250 ok", 100), Ok(None));
        assert_eq!(find(b"250 ok\r", 100), Ok(None));
        assert_eq!(find(b"250 ok\r\nmore", 100), Ok(Some(6)));
        assert_eq!(find(b"\r\n", 100), Ok(Some(0)));
        assert_eq!(find(b"250 ok\n", 100), Err(LineError::Syntax(SyntaxError::BareLf)));
        assert_eq!(find(b"250 o\rk\r\n", 100), Err(LineError::Syntax(SyntaxError::BareCr)));
        assert_eq!(find(b"250 ok\r\r\n", 100), Err(LineError::Syntax(SyntaxError::BareCr)));
    }

    #[test]
    fn a_plain_line_is_whole_and_has_nothing_odd_in_it() {
        assert_eq!(plain_line(b"250 ok\r\n\0", 8), Some(6));
        assert_eq!(plain_line(b"\r\n", 2), Some(0));
        for (text, limit) in [("250 ok\r\n", 7), ("250 ok\r", 100), ("250 ok", 100)] {
            assert_eq!(plain_line(text.as_bytes(), limit), None, "{text:?}");
        }
        for odd in ["2\x0050 ok\r\n", "250 o\rk\r\n", "250 ok\n\r\n"] {
            assert_eq!(plain_line(odd.as_bytes(), 100), None, "{odd:?}");
        }
    }

    #[test]
    fn the_limit_counts_the_line_end() {
        lmtp_testkit::proves!("R5321-4.5.3.1.5-b");
        assert_eq!(find(b"12345678\r\n", 10), Ok(Some(8)));
        assert_eq!(find(b"123456789\r\n", 10), Err(LineError::TooLong));
        assert_eq!(find(b"1234567890123", 10), Err(LineError::TooLong));
    }
}
