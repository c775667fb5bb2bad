//! What servers say, in plain words.

use lmtp_tokio::proto::value::EnhancedCode;
use lmtp_tokio::{Outcome, RecipientReport, Reply};

/// An extension that servers offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capability {
    /// Its first word.
    pub keyword: &'static str,
    /// What it lets clients do.
    pub meaning: &'static str,
    /// The number of the RFC that it is from, if it is from one.
    pub rfc: Option<u16>,
}

/// What a keyword means, if it is a usual one.
pub fn capability(keyword: &str) -> Option<Capability> {
    let (keyword, meaning, rfc) = *CAPABILITIES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(keyword))?;
    Some(Capability { keyword, meaning, rfc })
}

const CAPABILITIES: [(&str, &str, Option<u16>); 17] = [
    ("PIPELINING", "commands need not wait for replies", Some(2920)),
    ("ENHANCEDSTATUSCODES", "replies carry codes such as 5.1.1", Some(2034)),
    ("8BITMIME", "content may be 8-bit", Some(6152)),
    ("SMTPUTF8", "addresses and header may be UTF-8", Some(6531)),
    ("SIZE", "the largest message, in octets", Some(1870)),
    ("CHUNKING", "content may come in chunks, with BDAT", Some(3030)),
    ("BINARYMIME", "content may be any octets", Some(3030)),
    ("STARTTLS", "TLS may begin", Some(3207)),
    ("AUTH", "clients may log in", Some(4954)),
    ("DSN", "delivery reports may be asked for", Some(3461)),
    ("DELIVERBY", "a delivery may have a deadline", Some(2852)),
    ("LIMITS", "how much one session may ask for", Some(9422)),
    ("MT-PRIORITY", "messages may be urgent", Some(6710)),
    ("REQUIRETLS", "TLS may be asked for all the way", Some(8689)),
    ("VRFY", "addresses may be asked about", Some(5321)),
    ("HELP", "HELP is answered", Some(5321)),
    ("XCLIENT", "a proxy may name its client", None),
];

/// What an enhanced status code means (RFC 3463), whatever its class.
pub fn enhanced(code: EnhancedCode) -> Option<&'static str> {
    Some(match (code.subject(), code.detail()) {
        (1, 0) => "Something about the address.",
        (1, 1) => "There is no such mailbox.",
        (1, 2) => "There is no such domain.",
        (1, 3) => "The address is not one.",
        (1, 4) => "The address is more than one mailbox.",
        (1, 6) => "The mailbox has moved.",
        (1, 7 | 8) => "The sender's address is not taken.",
        (2, 0) => "Something about the mailbox.",
        (2, 1) => "The mailbox is closed.",
        (2, 2) => "The mailbox is full.",
        (2, 3) => "The message is too large for the mailbox.",
        (2, 4) => "A list has trouble with its members.",
        (3, 0) => "The server has trouble of its own.",
        (3, 1) => "The server's disk is full.",
        (3, 2) => "The server takes no mail just now.",
        (3, 4) => "The message is too large for the server.",
        (4, 1) => "The next server does not answer.",
        (4, 2) => "The connection was lost.",
        (4, 4) => "The server does not know where to send it.",
        (4, 6) => "The message goes round in circles.",
        (4, 7) => "The time for the delivery is up.",
        (5, 0 | 1 | 2 | 4 | 5) => "The server does not understand what was asked.",
        (5, 3) => "Too many recipients at once.",
        (6, 0 | 1) => "Something in the message is not taken.",
        (6, 3) => "The message would have to be converted.",
        (6, 7..=9) => "The server does not take addresses in UTF-8.",
        (7, 0 | 1) => "It is not allowed.",
        (7, 8 | 9 | 11) => "The server wants a login, or does not take this one.",
        (7, 10) => "The server wants encryption.",
        _ => return None,
    })
}

/// What an outcome means for whoever sent the message.
pub fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered => "The server has taken responsibility for it.",
        Outcome::Temporary => "Not now: it can be sent again.",
        Outcome::Permanent => "Not at all: sending it again will not help.",
        Outcome::Uncertain => "It was handed over and no answer came: sending it again may deliver it twice.",
        Outcome::Unsent => "The server surely did not take it: sending it again cannot deliver it twice.",
    }
}

/// What became of a message for a recipient.
pub(crate) fn recipient(told: &RecipientReport<'_>) -> String {
    let why = told.reply().and_then(Reply::enhanced).filter(|_| told.outcome() != Outcome::Delivered);
    let why = why.and_then(enhanced).map(|why| format!("{why} ")).unwrap_or_default();
    format!("{why}{}", outcome(told.outcome()))
}
