//! What no part of a message may hold, found fast.

use super::ContentProblem;

/// The first NUL, CR without LF or LF without CR in `octets`, and what it is.
///
/// No CRLF may be cut in two at either end of `octets`.
pub(super) fn first_fault(octets: &[u8]) -> Option<(usize, ContentProblem)> {
    let mut before = 0;
    for (place, &octet) in octets.iter().enumerate() {
        match (before == b'\r', octet) {
            (true, b'\n') => {}
            (true, _) => return Some((place.saturating_sub(1), ContentProblem::BareCr)),
            (false, b'\n') => return Some((place, ContentProblem::BareLf)),
            (false, 0) => return Some((place, ContentProblem::Nul)),
            (false, _) => {}
        }
        before = octet;
    }
    (before == b'\r').then(|| (octets.len().saturating_sub(1), ContentProblem::BareCr))
}

/// How many LF there are.
pub(super) fn line_feeds(octets: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', octets).count() as u64
}
