//! Commands and replies as the server reads them: slow and obvious, and sharing nothing with the codec of `lmtp`.

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Lhlo,
    /// EHLO or HELO.
    Foreign,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Rset,
    Noop,
    Quit,
    /// A command of this extension.
    Extension(&'static str),
    Unknown,
}

impl Command {
    pub(super) fn of(line: &str) -> Self {
        match line.split(' ').next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "LHLO" => Self::Lhlo,
            "EHLO" | "HELO" => Self::Foreign,
            "MAIL" => Self::Mail,
            "RCPT" => Self::Rcpt,
            "DATA" => Self::Data,
            "BDAT" => Self::Bdat,
            "RSET" => Self::Rset,
            "NOOP" => Self::Noop,
            "QUIT" => Self::Quit,
            "STARTTLS" => Self::Extension("STARTTLS"),
            "AUTH" => Self::Extension("AUTH"),
            "XCLIENT" => Self::Extension("XCLIENT"),
            "XFORWARD" => Self::Extension("XFORWARD"),
            _ => Self::Unknown,
        }
    }

    /// Nothing may follow it in its group (RFC 2920 section 3.1).
    pub(super) fn ends_group(self) -> bool {
        matches!(self, Self::Lhlo | Self::Foreign | Self::Data | Self::Noop | Self::Quit)
    }
}

/// The path of MAIL or RCPT, and the parameters.
pub(super) fn path(line: &str, begin: &str) -> Option<(String, Vec<String>)> {
    let (head, rest) = line.split_at_checked(begin.len())?;
    let rest = rest.strip_prefix('<').filter(|_| head.eq_ignore_ascii_case(begin))?;
    let (mut is_quoted, mut is_escaped) = (false, false);
    let end = rest.char_indices().find_map(|(at, char)| {
        let ends = char == '>' && !is_quoted;
        if is_escaped {
            is_escaped = false;
        } else if char == '"' {
            is_quoted = !is_quoted;
        } else if char == '\\' {
            is_escaped = is_quoted;
        }
        ends.then_some(at)
    })?;
    let parameters = match &rest[end + 1..] {
        "" => Vec::new(),
        parameters => parameters.strip_prefix(' ')?.split(' ').map(str::to_owned).collect(),
    };
    Some((rest[..end].to_owned(), parameters))
}

/// Whether two paths are one: the case of a domain does not matter (RFC 5321 section 2.4).
pub(super) fn same_path(one: &str, other: &str) -> bool {
    match (one.rsplit_once('@'), other.rsplit_once('@')) {
        (Some((one, at)), Some((other, there))) => one == other && at.eq_ignore_ascii_case(there),
        _ => one == other,
    }
}

/// Whether a path is what was asked for, which may have held what no path can: control octets a client may leave out, as
/// one that reads addresses as a header has them does. They are not what tells one mailbox from another.
pub(super) fn is_asked_for(path: &str, asked: &str) -> bool {
    same_path(path, asked) || same_path(path, &asked.replace(|char: char| char.is_ascii_control(), ""))
}

/// The extension that a parameter belongs to.
pub(super) fn keyword(parameter: &str) -> String {
    let parameter = parameter.to_ascii_uppercase();
    match parameter.split('=').next().unwrap_or_default() {
        "BODY" if parameter == "BODY=BINARYMIME" => "BINARYMIME".to_owned(),
        "BODY" => "8BITMIME".to_owned(),
        "RET" | "ENVID" | "NOTIFY" | "ORCPT" => "DSN".to_owned(),
        "BY" => "DELIVERBY".to_owned(),
        "HOLDFOR" | "HOLDUNTIL" => "FUTURERELEASE".to_owned(),
        name => name.to_owned(),
    }
}

/// The keywords of a reply to LHLO.
pub(super) fn offers(said: &[u8]) -> Vec<String> {
    let said = String::from_utf8_lossy(said);
    let words = said.lines().skip(1).filter_map(|line| line.get(4..)?.split(' ').next().map(str::to_owned));
    words.collect()
}

/// The code of the first whole reply.
pub(super) fn code(said: &[u8]) -> Option<u16> {
    let mut first = None;
    for line in said.split_inclusive(|&octet| octet == b'\n') {
        let digits = std::str::from_utf8(line.get(..3)?).ok()?;
        let code = digits.parse::<u16>().ok()?;
        // Two codes in one reply make none.
        if *first.get_or_insert(code) != code || !line.ends_with(b"\n") {
            return None;
        }
        if line.get(3) != Some(&b'-') {
            return first;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_an_end() {
        let path = |line| path(line, "RCPT TO:");
        assert_eq!(path("rcpt to:<a@b> X=1 Y"), Some(("a@b".to_owned(), vec!["X=1".to_owned(), "Y".to_owned()])));
        assert_eq!(path("RCPT TO:<\"a>\\\"b\"@c>"), Some(("\"a>\\\"b\"@c".to_owned(), Vec::new())));
        for line in ["RCPT TO: <a@b>", "RCPT TO:a@b", "RCPT TO:<a@b", "RCPT TO:<a@b>x", "RCPT"] {
            assert_eq!(path(line), None, "{line}");
        }
    }

    #[test]
    fn control_octets_may_be_left_out_and_nothing_else() {
        assert!(is_asked_for("a@b", "a@b\r\n") && is_asked_for("a@b", "a\r@b") && is_asked_for("a@B", "a@b"));
        for (path, asked) in [("a@b", "a@b> X"), ("a@b", "a@b>\r\nRCPT TO:<c@d"), ("a@b", "A@b"), ("ab@c", "a b@c")] {
            assert!(!is_asked_for(path, asked), "{path} {asked}");
        }
    }

    #[test]
    fn half_a_reply_has_no_code() {
        assert_eq!(code(b"250-a\r\n250 b\r\n"), Some(250));
        assert_eq!(code(b"250\r\n550 x\r\n"), Some(250));
        for said in [b"250 a".as_slice(), b"250-a\r\n", b"250-a\r\n550 b\r\n", b"", b"25\r\n", b"hi there\r\n"] {
            assert_eq!(code(said), None);
        }
    }
}
