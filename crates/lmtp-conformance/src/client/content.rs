//! Content as it is on the wire: slow and obvious, and sharing nothing with the codec of `lmtp`.

/// Where the dot stands that ends the content, from `begin` on.
pub(super) fn end(octets: &[u8], begin: usize) -> Option<usize> {
    if octets.starts_with(b".\r\n") {
        return Some(0);
    }
    let rest = octets.get(begin..)?;
    rest.windows(5).position(|five| five == b"\r\n.\r\n").map(|at| begin + at + 2)
}

/// Whether a CR or LF stands alone.
pub(super) fn has_bare_line_ends(octets: &[u8]) -> bool {
    (0..octets.len()).any(|at| match octets[at] {
        b'\r' => octets.get(at + 1) != Some(&b'\n'),
        b'\n' => at == 0 || octets[at - 1] != b'\r',
        _ => false,
    })
}

/// The content without the dots that were put before its lines, and whether each dot there has its second.
pub(super) fn unstuffed(octets: &[u8]) -> (Vec<u8>, bool) {
    let (mut content, mut is_stuffed) = (Vec::with_capacity(octets.len()), true);
    let mut rest = octets;
    while !rest.is_empty() {
        let length = rest.windows(2).position(|two| two == b"\r\n").map_or(rest.len(), |at| at + 2);
        let (line, behind) = rest.split_at(length);
        is_stuffed &= !line.starts_with(b".") || line.starts_with(b"..");
        content.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        rest = behind;
    }
    (content, is_stuffed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crlf_dot_crlf_ends_the_content_and_nothing_else_does() {
        assert_eq!(end(b".\r\n", 0), Some(0));
        assert_eq!(end(b"a\r\n.\r\nQUIT\r\n", 0), Some(3));
        for octets in [b"a\n.\r\n".as_slice(), b"a\r\n.\n", b"a\r\n..\r\n", b"a\r.\r\n", b"a\r\n."] {
            assert_eq!(end(octets, 0), None);
        }
    }

    #[test]
    fn dots_and_line_ends() {
        assert_eq!(unstuffed(b"..\r\na.\r\n..b\r\n"), (b".\r\na.\r\n.b\r\n".to_vec(), true));
        assert!(!unstuffed(b"a\r\n.b\r\n").1);
        assert!(has_bare_line_ends(b"a\nb\r\n") && has_bare_line_ends(b"a\rb") && has_bare_line_ends(b"\r"));
        assert!(!has_bare_line_ends(b"a\r\n\r\nb"));
    }
}
