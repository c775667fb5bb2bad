//! Messages that something tends to go wrong with. All with CRLF, as they are on the wire.

/// An ordinary message, different for every `number`.
pub(crate) fn ordinary(number: usize) -> Vec<u8> {
    let body = format!("Message number {number}.\r\n");
    [header(&format!("ordinary {number}")), body.into_bytes()].concat()
}

/// Lines that begin with dots, also as the first and the last line, and one that would end the data.
pub(crate) fn dots() -> Vec<u8> {
    let body = ".\r\n..\r\n...\r\n.leading\r\n..two\r\ninner . dot\r\ntrailing.\r\n.\r\n\r\n.\r\n";
    [header("dots"), body.into()].concat()
}

/// Just over `size` octets, with a dot at the front of every seventh line.
pub(crate) fn large(size: usize) -> Vec<u8> {
    let mut message = header("large");
    let mut number = 0_usize;
    while message.len() < size {
        let dot = if number.is_multiple_of(7) { "." } else { "" };
        let line = format!("{dot}line {number} {}\r\n", "x".repeat(number % 61));
        message.extend_from_slice(line.as_bytes());
        number += 1;
    }
    message
}

/// UTF-8 and Latin-1 in the body; the header stays ASCII, as it has to without SMTPUTF8.
pub(crate) fn eight_bit() -> Vec<u8> {
    let fields = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                  Content-Transfer-Encoding: 8bit\r\n";
    let body = b"\r\nGr\xc3\xbc\xc3\x9fe \xe2\x80\x94 and, as Latin-1, caf\xe9\xff.\r\n";
    [fields.as_bytes(), &header("eight bit")[..], &body[..]].concat()
}

/// No header, no body, no octet.
pub(crate) fn empty() -> Vec<u8> {
    Vec::new()
}

/// The same message as a file on Unix has it.
pub(crate) fn with_unix_line_ends(message: &[u8]) -> Vec<u8> {
    message.iter().copied().filter(|&octet| octet != b'\r').collect()
}

/// The header begins with a field that the peer adds too: only the peer's may be taken off again.
fn header(subject: &str) -> Vec<u8> {
    let header = format!(
        "Return-Path: <not-this@example.org>\r\n\
         Received: from elsewhere.example.org\r\n\tby sender.example.org; Sun, 1 Nov 2026 00:00:00 +0000\r\n\
         From: <sender@example.org>\r\n\
         Subject: {subject}\r\n\
         Message-ID: <{}@example.org>\r\n\
         Date: Sun, 1 Nov 2026 00:00:00 +0000\r\n\r\n",
        subject.replace(' ', ".")
    );
    header.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_large_message_is_large_and_has_no_bare_line_end() {
        let large = large(5 << 20);
        assert!((5 << 20..(5 << 20) + 200).contains(&large.len()));
        let unix = with_unix_line_ends(&large);
        let lines = unix.split(|&octet| octet == b'\n').count() - 1;
        assert_eq!(large.len(), unix.len() + lines);
    }
}
