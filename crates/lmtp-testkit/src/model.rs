//! What a server must have understood: slow, obvious, made of nothing but string
//! splitting.

/// What a server that never refuses anything has stored, given every octet that
/// a client wrote: the content of each transaction whose end it saw, unstuffed.
/// `data_accepted` says for each DATA in turn whether it got a 354.
pub fn stored(wire: &[u8], data_accepted: &[bool]) -> Vec<Vec<u8>> {
    let mut stored = Vec::new();
    let mut answers = data_accepted.iter();
    let mut rest = wire;
    while let Some(end) = find(rest, b"\r\n") {
        let line = &rest[..end];
        rest = &rest[end + 2..];
        if line != b"DATA" || answers.next() != Some(&true) {
            continue;
        }
        let (content, after) = if let Some(after) = rest.strip_prefix(b".\r\n") {
            (&b""[..], after)
        } else if let Some(end) = find(rest, b"\r\n.\r\n") {
            (&rest[..end + 2], &rest[end + 5..])
        } else {
            return stored; // the end never came
        };
        stored.push(unstuffed(content));
        rest = after;
    }
    stored
}

/// What DATA sends of a message whose lines end in CRLF, by definition: a dot
/// more before each line that begins with one, the last line completed. Without
/// the dot that ends it.
pub fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let end = find(rest, b"\r\n").unwrap_or(rest.len());
        if rest[0] == b'.' {
            out.push(b'.');
        }
        out.extend_from_slice(&rest[..end]);
        out.extend_from_slice(b"\r\n");
        rest = rest.get(end + 2..).unwrap_or_default();
    }
    out
}

fn unstuffed(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = content;
    while let Some(end) = find(rest, b"\r\n") {
        let line = &rest[..end];
        out.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        out.extend_from_slice(b"\r\n");
        rest = &rest[end + 2..];
    }
    out
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_stored_when_its_end_is_seen() {
        let wire = b"LHLO x\r\nMAIL FROM:<>\r\nDATA\r\na\r\n..b\r\n.\r\nDATA\r\nc\r\n";
        assert_eq!(stored(wire, &[true, true]), [b"a\r\n.b\r\n".to_vec()]);
        assert_eq!(stored(b"DATA\r\n.\r\n", &[true]), [b"".to_vec()]);
        assert!(stored(b"DATA\r\n", &[true]).is_empty());
        assert!(stored(b"DATA\r\n", &[false]).is_empty());
    }

    #[test]
    fn stuffing_by_definition() {
        assert_eq!(stuffed(b""), b"");
        assert_eq!(stuffed(b".a\r\n.\r\nb.c"), b"..a\r\n..\r\nb.c\r\n");
    }
}
