//! What the server says of its own accord, and how a reply gets onto the wire.

use alloc::string::String;

use crate::SendQueue;
use crate::codec::Codes;
use crate::value::{EnhancedCode, Reply, ReplyClass, ReplyCode};

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// By the machine.
    Canned(Canned),
    /// By the application.
    Reply(Reply),
}

impl Said {
    pub(super) fn code(&self) -> u16 {
        match self {
            Self::Canned(Canned(code, ..)) => *code,
            Self::Reply(reply) => reply.code().get(),
        }
    }
}

/// A reply that costs no memory: code, enhanced code, text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Canned(pub(super) u16, pub(super) (u16, u16), pub(super) &'static str);

/// The longest line of a reply, with code and CRLF (RFC 5321
/// section 4.5.3.1.5).
const LINE: usize = 512;

#[rustfmt::skip]
impl Canned {
    pub(super) const OK: Self = Self(250, (0, 0), "Ok");
    pub(super) const SENDER: Self = Self(250, (1, 0), "Sender ok");
    pub(super) const RECIPIENT: Self = Self(250, (1, 5), "Recipient ok");
    pub(super) const CHUNK: Self = Self(250, (0, 0), "Chunk received");
    pub(super) const BYE: Self = Self(221, (0, 0), "Bye");
    pub(super) const START_TLS: Self = Self(220, (0, 0), "Ready for TLS");
    pub(super) const AUTHENTICATED: Self = Self(235, (7, 0), "Authenticated");
    pub(super) const HELP: Self = Self(214, (0, 0), "LMTP, RFC 2033: LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT");
    pub(super) const CANNOT_VERIFY: Self = Self(252, (5, 2), "Cannot verify; try RCPT");
    pub(super) const NO_LISTS: Self = Self(502, (5, 1), "No lists are expanded here");
    pub(super) const GO_ON: Self = Self(354, (0, 0), "End data with <CR><LF>.<CR><LF>");

    pub(super) const LHLO_FIRST: Self = Self(503, (5, 1), "Say LHLO first");
    pub(super) const MAIL_FIRST: Self = Self(503, (5, 1), "Say MAIL first");
    pub(super) const TRANSACTION_OPEN: Self = Self(503, (5, 1), "Not while a transaction is open; RSET ends it");
    pub(super) const TURNED_AWAY: Self = Self(503, (5, 1), "No service here; say QUIT");
    pub(super) const NO_RECIPIENTS: Self = Self(503, (5, 1), "No valid recipients");
    pub(super) const BINARY_NEEDS_BDAT: Self = Self(503, (5, 1), "BODY=BINARYMIME takes BDAT, not DATA");
    pub(super) const CHUNK_LOST: Self = Self(503, (5, 1), "The chunk was dropped: no transaction, or a chunk before it failed");
    pub(super) const NOT_OFFERED: Self = Self(502, (5, 1), "That is not offered here");
    pub(super) const ALREADY_SECURED: Self = Self(503, (5, 1), "TLS is active");
    pub(super) const ALREADY_AUTHENTICATED: Self = Self(503, (5, 1), "Already authenticated");
    pub(super) const NO_MECHANISM: Self = Self(504, (5, 4), "That mechanism is not offered here");
    pub(super) const AUTH_ABORTED: Self = Self(501, (7, 0), "Authentication aborted");
    pub(super) const BAD_BASE64: Self = Self(501, (5, 2), "That is not base64");
    pub(super) const BAD_RESPONSE: Self = Self(501, (5, 2), "That does not follow the mechanism");
    pub(super) const RESPONSE_TOO_LONG: Self = Self(500, (5, 6), "Authentication exchange line too long");
    pub(super) const CANNOT_CHECK: Self = Self(454, (7, 0), "Authentication is not possible now");
    pub(super) const BAD_CREDENTIALS: Self = Self(535, (7, 8), "Authentication credentials invalid");
    pub(super) const TLS_FIRST: Self = Self(530, (7, 0), "Say STARTTLS first");
    pub(super) const AUTH_FIRST: Self = Self(530, (7, 0), "Authentication required");
    pub(super) const NOT_TRUSTED: Self = Self(550, (7, 1), "Not authorised");
    pub(super) const LINE_TOO_LONG: Self = Self(500, (5, 2), "Line too long");
    pub(super) const BARE_OCTET: Self = Self(500, (5, 2), "Lines end with CRLF, and hold no other CR, LF or NUL");
    pub(super) const UNKNOWN_PARAMETER: Self = Self(555, (5, 4), "Parameter not recognised or not offered");
    pub(super) const UNKNOWN_ATTRIBUTE: Self = Self(501, (5, 4), "An attribute that is not offered");
    pub(super) const TOO_SOON: Self = Self(555, (5, 4), "The time of BY is below the minimum");
    pub(super) const SENDER_NEEDS_SMTPUTF8: Self = Self(550, (6, 7), "An address in UTF-8 needs SMTPUTF8");
    pub(super) const RECIPIENT_NEEDS_SMTPUTF8: Self = Self(553, (6, 7), "An address in UTF-8 needs SMTPUTF8");
    pub(super) const TOO_LARGE: Self = Self(552, (3, 4), "Message too large");
    pub(super) const BARE_NEWLINE: Self = Self(550, (6, 0), "The message holds a lone CR or LF, or a NUL");
    pub(super) const TOO_MANY_RECIPIENTS: Self = Self(452, (5, 3), "Too many recipients");
    pub(super) const INTERNAL: Self = Self(451, (3, 0), "Internal error, try again later");

    pub(super) const TIMED_OUT: Self = Self(421, (4, 2), "Timed out, closing");
    pub(super) const SHUTTING_DOWN: Self = Self(421, (3, 2), "Shutting down");
    pub(super) const TOO_MANY_ERRORS: Self = Self(421, (7, 0), "Too many errors, closing");
    pub(super) const TOO_MANY_MESSAGES: Self = Self(421, (4, 5), "Too many messages on one connection, closing");
    pub(super) const TOO_MUCH: Self = Self(421, (3, 4), "Too much is sent of what was refused, closing");
    pub(super) const STRAY_BEFORE_TLS: Self = Self(421, (7, 0), "Nothing may follow STARTTLS before TLS, closing");
    pub(super) const LOST_IN_CHUNK: Self = Self(421, (5, 2), "Where the chunk ends cannot be told, closing");
}

impl Canned {
    /// The same as a value.
    pub(super) fn reply(self) -> Reply {
        let Self(code, (subject, detail), text) = self;
        let code = ReplyCode::new(code).unwrap_or(ReplyCode::CLOSING);
        let enhanced = class_digit(code).and_then(|class| EnhancedCode::new(class, subject, detail).ok());
        Reply::from_parts(code, enhanced, text.as_bytes())
    }

    pub(super) fn write(self, queue: &mut SendQueue) {
        let Self(code, (subject, detail), text) = self;
        let class = u8::try_from(code.checked_div(100).unwrap_or_default()).unwrap_or_default();
        let mut codes = Codes::new(code);
        codes.put(b' ');
        // There is none for 3yz (RFC 2034 section 4).
        if let Ok(enhanced) = EnhancedCode::new(class, subject, detail) {
            codes.enhanced(enhanced);
            codes.put(b' ');
        }
        queue.put(codes.octets());
        queue.put(text.as_bytes());
        queue.put(b"\r\n");
    }

    pub(super) const fn is_refusal(self) -> bool {
        self.0 >= 400
    }
}

/// The class of the enhanced codes that fit; none for 3yz (RFC 2034 section 4).
fn class_digit(code: ReplyCode) -> Option<u8> {
    match code.class() {
        ReplyClass::PositiveCompletion => Some(2),
        ReplyClass::PositiveIntermediate => None,
        ReplyClass::TransientNegative => Some(4),
        ReplyClass::PermanentNegative => Some(5),
    }
}

/// A reply as this server may say it: with an enhanced code, unless it is 3yz
/// (RFC 2034 section 4), in lines that are not too long, in ASCII unless the
/// client said SMTPUTF8 (RFC 5321 section 4.2).
pub(super) fn fit(reply: &Reply, utf8: bool) -> Reply {
    let enhanced = reply.enhanced().or_else(|| EnhancedCode::new(class_digit(reply.code())?, 0, 0).ok());
    let short = reply.lines().all(|line| line.len() <= text_room());
    let plain = |text: &[u8]| text.iter().all(|&octet| matches!(octet, b'\t' | b'\n' | 32..=126));
    if short && plain(reply.octets()) {
        return match enhanced == reply.enhanced() {
            true => reply.clone(),
            false => Reply::from_parts(reply.code(), enhanced, reply.octets()),
        };
    }
    let mut text = String::new();
    for (index, line) in reply.lines().enumerate() {
        let line = String::from_utf8_lossy(line);
        let mut length = 0_usize;
        if index > 0 {
            text.push('\n');
        }
        for c in line.chars() {
            let c = if c == '\t' || (32..127).contains(&u32::from(c)) || (utf8 && !c.is_control()) { c } else { '?' };
            length = length.saturating_add(c.len_utf8());
            if length > text_room() {
                text.push('\n');
                length = c.len_utf8();
            }
            text.push(c);
        }
    }
    Reply::from_parts(reply.code(), enhanced, text.as_bytes())
}

/// What is left of a line beside codes, separators and CRLF.
const fn text_room() -> usize {
    LINE.saturating_sub("250-2.999.999 \r\n".len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::encode_reply;
    use alloc::string::ToString;
    use bytes::Buf;
    use proptest::prelude::*;

    #[test]
    fn a_canned_reply_is_written_as_its_value_would_be() {
        for canned in [Canned::OK, Canned::GO_ON, Canned::LHLO_FIRST, Canned::TOO_MANY_RECIPIENTS, Canned::TIMED_OUT] {
            let (mut one, mut two) = (SendQueue::new(), SendQueue::new());
            canned.write(&mut one);
            encode_reply(&canned.reply(), &mut two);
            assert_eq!(one.copy_to_bytes(one.remaining()), two.copy_to_bytes(two.remaining()));
        }
    }

    #[test]
    fn an_enhanced_code_is_added() {
        let fit = |code, text| fit(&Reply::new(code, None, text).unwrap(), false).to_string();
        assert_eq!(fit(250, "ok"), "250 2.0.0 ok");
        assert_eq!(fit(550, "5.1.1 no"), "550 5.1.1 no");
        assert_eq!(fit(354, "go on"), "354 go on");
        assert_eq!(fit(452, "f\u{fc}ll"), "452 4.0.0 f?ll");
    }

    proptest! {
        /// No line is longer than 512 octets, none holds what it must not.
        #[test]
        fn replies_fit(text in "(\\PC|[\t\n]|[\x00-\x1f\x7f]){0,2000}", utf8: bool) {
            lmtp_testkit::proves!("R5321-4.2-i", "R5321-4.5.3.1.5-a");
            let reply = Reply::from_parts(ReplyCode::OK, None, text.as_bytes());
            let mut queue = SendQueue::new();
            encode_reply(&fit(&reply, utf8), &mut queue);
            let wire = queue.copy_to_bytes(queue.remaining());
            for line in wire.split_inclusive(|&octet| octet == b'\n') {
                prop_assert!(line.len() <= LINE, "{}", line.len());
                let text = line.strip_suffix(b"\r\n").unwrap();
                let printable = |octet: &u8| matches!(octet, b'\t' | 32..=126) || (utf8 && *octet > 127);
                prop_assert!(text.iter().all(printable), "{}", text.escape_ascii());
            }
            prop_assert!(core::str::from_utf8(&wire).is_ok());
        }
    }
}
