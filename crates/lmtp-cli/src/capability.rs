//! What an extension line of a server means, in a few words.

/// The meaning of a keyword, if it is a usual one.
pub(crate) fn meaning(keyword: &str) -> Option<&'static str> {
    KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(keyword)).map(|(_, meaning)| *meaning)
}

const KNOWN: [(&str, &str); 16] = [
    ("PIPELINING", "commands need not wait for replies (RFC 2920)"),
    ("ENHANCEDSTATUSCODES", "replies carry codes such as 5.1.1 (RFC 2034)"),
    ("8BITMIME", "content may be 8-bit (RFC 6152)"),
    ("SMTPUTF8", "addresses and header may be UTF-8 (RFC 6531)"),
    ("SIZE", "the largest message, in octets (RFC 1870)"),
    ("CHUNKING", "content may come in chunks, with BDAT (RFC 3030)"),
    ("BINARYMIME", "content may be any octets (RFC 3030)"),
    ("STARTTLS", "TLS may begin (RFC 3207)"),
    ("AUTH", "clients may log in (RFC 4954)"),
    ("DSN", "delivery reports may be asked for (RFC 3461)"),
    ("DELIVERBY", "a delivery may have a deadline (RFC 2852)"),
    ("LIMITS", "how much one session may ask for (RFC 9422)"),
    ("REQUIRETLS", "TLS may be asked for all the way (RFC 8689)"),
    ("VRFY", "addresses may be asked about (RFC 5321)"),
    ("HELP", "HELP is answered (RFC 5321)"),
    ("XCLIENT", "a proxy may name its client (Postfix)"),
];
