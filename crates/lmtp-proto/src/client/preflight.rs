//! What is decided before a server is asked.

use crate::client::{Chunking, Config, EightBit};
use crate::report::Answer;
use crate::value::{BodyType, Capabilities, EnhancedCode, MailParams, Reply, ReplyCode};
use crate::{Content, ContentClass, Report};

/// What MAIL will say, and what the content may hold then.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) params: MailParams,
    pub(super) allowed: ContentClass,
    /// Whether it leaves by BDAT.
    pub(super) chunked: bool,
}

/// Compares what a message needs with what a server offers. What the server
/// would have to refuse is refused here, in the server's stead: entered into the
/// report, for all recipients or for one.
pub(super) fn plan(report: &mut Report, content: Content, offered: &Capabilities, config: &Config) -> Plan {
    let eight_bit = config.eight_bit;
    if !offered.smtputf8() {
        for recipient in report.recipients.iter_mut().filter(|recipient| !recipient.path.is_ascii()) {
            recipient.rcpt = refusal(553, (6, 7), "the recipient needs SMTPUTF8, which the server does not offer");
        }
    }
    report.mail = refusal_for_all(report, content, offered, config);

    let class = content.class.unwrap_or(ContentClass::EightBit);
    let smtputf8 = offered.smtputf8()
        && (!report.from.is_ascii()
            || class == ContentClass::EightBitHeader
            || report.recipients.iter().any(|recipient| !recipient.path.is_ascii()));
    let eight_bit_mime = offered.eight_bit_mime() && class > ContentClass::SevenBit;
    let binary = class == ContentClass::Binary;
    let allowed = match (smtputf8, eight_bit_mime) {
        _ if binary => ContentClass::Binary,
        _ if eight_bit == EightBit::Send => ContentClass::EightBitHeader,
        (_, false) => ContentClass::SevenBit,
        (false, true) => ContentClass::EightBit,
        (true, true) => ContentClass::EightBitHeader,
    };
    let params = MailParams {
        size: offered.size().and(content.size),
        body: match binary {
            true => Some(BodyType::BinaryMime),
            false => eight_bit_mime.then_some(BodyType::EightBitMime),
        },
        smtputf8,
        ..MailParams::default()
    };
    let chunked = binary || config.chunking == Chunking::Always && offered.chunking();
    Plan { params, allowed, chunked }
}

/// RFC 6531 section 3.5, RFC 6152 section 3, RFC 3030 section 3, RFC 1870
/// section 6.1.
fn refusal_for_all(report: &Report, content: Content, offered: &Capabilities, config: &Config) -> Option<Answer> {
    let send = config.eight_bit == EightBit::Send;
    let binary = content.class == Some(ContentClass::Binary);
    if !report.from.is_ascii() && !offered.smtputf8() {
        return refusal(550, (6, 7), "the sender needs SMTPUTF8, which the server does not offer");
    }
    if content.class == Some(ContentClass::EightBitHeader) && !offered.smtputf8() && !send {
        return refusal(554, (6, 9), "the header holds UTF-8 and the server does not offer SMTPUTF8");
    }
    if binary && config.chunking == Chunking::Off {
        return refusal(554, (6, 1), "the message is binary and BDAT is not to be used");
    }
    if binary && !(offered.chunking() && offered.binary_mime()) {
        return refusal(554, (6, 1), "the message is binary and the server does not offer CHUNKING and BINARYMIME");
    }
    if !binary && content.class > Some(ContentClass::SevenBit) && !offered.eight_bit_mime() && !send {
        return refusal(554, (6, 3), "the message is 8-bit and the server does not offer 8BITMIME");
    }
    match (offered.size(), content.size) {
        (Some(limit), Some(size)) if limit > 0 && size > limit => {
            refusal(552, (3, 4), "the message is larger than the server's SIZE")
        }
        _ => None,
    }
}

/// A permanent refusal of our own.
fn refusal(code: u16, (subject, detail): (u16, u16), text: &str) -> Option<Answer> {
    let code = ReplyCode::new(code).ok()?;
    let enhanced = EnhancedCode::new(5, subject, detail).ok()?;
    Some(Answer::local(Reply::from_parts(code, Some(enhanced), text.as_bytes())))
}
