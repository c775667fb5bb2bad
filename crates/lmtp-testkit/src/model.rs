//! What DATA sends and what it means, by definition: slow, obvious, made of
//! nothing but splitting.

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

/// The message that was sent behind DATA, and what lies behind its end; `None`
/// where there is no end. Only CRLF ends a line; what is bare stays as it is.
pub fn unstuffed(wire: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut message = Vec::new();
    let mut rest = wire;
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let (line, behind) = rest.split_at(end + 2);
        if line == b".\r\n" {
            return Some((message, behind));
        }
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        rest = behind;
    }
}

/// The message with each CR and each LF that is not part of CRLF made one.
pub fn converted(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = message;
    while let [octet, behind @ ..] = rest {
        rest = behind.strip_prefix(b"\n").filter(|_| *octet == b'\r').unwrap_or(behind);
        match octet {
            b'\r' | b'\n' => out.extend_from_slice(b"\r\n"),
            octet => out.push(*octet),
        }
    }
    out
}

/// The place of the first octet that no message may hold: a NUL, a CR without LF
/// behind it, an LF without CR before it.
pub fn first_fault(message: &[u8]) -> Option<usize> {
    (0..message.len()).find(|&place| match message[place] {
        b'\r' => message.get(place + 1) != Some(&b'\n'),
        b'\n' => place == 0 || message[place - 1] != b'\r',
        octet => octet == 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuffing_by_definition() {
        assert_eq!(stuffed(b""), b"");
        assert_eq!(stuffed(b".a\r\n.\r\nb.c"), b"..a\r\n..\r\nb.c\r\n");
    }

    #[test]
    fn unstuffing_by_definition() {
        assert_eq!(unstuffed(b".\r\nx"), Some((b"".to_vec(), &b"x"[..])));
        assert_eq!(unstuffed(b"..a\r\n..\r\n.b\r\n.\r\n"), Some((b".a\r\n.\r\nb\r\n".to_vec(), &b""[..])));
        assert_eq!(unstuffed(b"a\n.\n\r.\r\n"), None);
    }

    #[test]
    fn what_is_bare() {
        assert_eq!(converted(b"\r\r\n\n\n\r"), b"\r\n".repeat(5));
        assert_eq!([&b"a\r\n"[..], b"\r\n\n", b"\r\r\n", b"a\0"].map(first_fault), [None, Some(2), Some(0), Some(1)]);
    }
}
