//! What DATA sends, by definition: slow, obvious, made of nothing but splitting.

/// What DATA sends of a message whose lines end in CRLF: a dot more before each
/// line that begins with one, the last line completed. Without the dot that ends
/// it.
pub fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").unwrap_or(rest.len());
        if rest[0] == b'.' {
            out.push(b'.');
        }
        out.extend_from_slice(&rest[..end]);
        out.extend_from_slice(b"\r\n");
        rest = rest.get(end + 2..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuffing_by_definition() {
        assert_eq!(stuffed(b""), b"");
        assert_eq!(stuffed(b".a\r\n.\r\nb.c"), b"..a\r\n..\r\nb.c\r\n");
    }
}
