//! Content and responses, looked at octet by octet.

use alloc::vec::Vec;

/// The content of what follows DATA, as far as it is there; whether it is whole;
/// how much of it is more than a beginning of what could be the end.
pub(super) fn unstuffed(raw: &[u8]) -> (Vec<u8>, bool, usize) {
    let end = (0..raw.len()).find(|&at| raw[at..].starts_with(b".\r\n") && (at == 0 || raw[..at].ends_with(b"\r\n")));
    let mut read = end.unwrap_or(raw.len());
    if end.is_none() {
        let begins_line = |at: usize| at == 0 || raw[..at].ends_with(b"\r\n");
        let held = [&b".\r"[..], b".", b"\r"]
            .into_iter()
            .find(|held| raw.ends_with(held) && (held[0] != b'.' || begins_line(raw.len() - held.len())));
        read -= held.map_or(0, <[u8]>::len);
    }
    let mut content = Vec::new();
    for at in 0..read {
        let doubled = raw[at] == b'.' && (at == 0 || raw[..at].ends_with(b"\r\n"));
        if !doubled {
            content.push(raw[at]);
        }
    }
    (content, end.is_some(), end.map_or(read, |end| end + 3))
}

/// Where a lone CR or LF or a NUL stands. A CR at the end may still be followed by
/// its LF.
pub(super) fn first_fault(octets: &[u8]) -> Option<usize> {
    (0..octets.len()).find(|&at| match octets[at] {
        0 => true,
        b'\n' => at == 0 || octets[at - 1] != b'\r',
        b'\r' => octets.get(at + 1).is_some_and(|&next| next != b'\n'),
        _ => false,
    })
}

/// Of the lines that are said.
pub(super) fn is_base64(line: &[u8]) -> bool {
    let digits = line.strip_suffix(b"==").unwrap_or(line);
    line.len().is_multiple_of(4) && digits.iter().all(u8::is_ascii_alphanumeric)
}
