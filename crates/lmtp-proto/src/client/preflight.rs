//! What is decided before a server is asked.

use super::extensions::Usable;
use super::{Chunking, Config, EightBit};
use crate::report::{Answer, RecipientFacts};
use crate::value::{BodyType, ByMode, EnhancedCode, MailParams, RcptParams, Reply, ReplyCode};
use crate::{Content, ContentClass, RecipientId, Report};

/// What MAIL will say, and what the content may hold then.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) params: MailParams,
    pub(super) allowed: ContentClass,
    /// Whether it leaves by BDAT.
    pub(super) chunked: bool,
}

/// Compares what a message needs with what a server offers.
///
/// What the server would have to refuse is refused here, in the server's stead:
/// entered into the report, for all recipients or for one. What was wished for
/// and can be done without is left out, and the report is warned.
pub(super) fn plan(
    report: &mut Report,
    wishes: &MailParams,
    content: Content,
    usable: &Usable,
    config: &Config,
    secured: bool,
) -> Plan {
    if !usable.smtputf8 {
        for recipient in report.recipients.iter_mut().filter(|recipient| needs_smtputf8(recipient)) {
            recipient.rcpt = refusal(553, (6, 7), "the recipient needs SMTPUTF8, which the server does not offer");
        }
    }
    report.mail = refusal_for_all(report, content, usable, config).or_else(|| unkept(wishes, usable, secured));

    let class = content.class.unwrap_or(ContentClass::EightBit);
    let needs_smtputf8 = wishes.smtputf8 || class == ContentClass::EightBitHeader || has_utf8(report, wishes);
    let smtputf8 = usable.smtputf8 && needs_smtputf8;
    let eight_bit_mime = usable.eight_bit_mime && class > ContentClass::SevenBit;
    let binary = class == ContentClass::Binary;
    let allowed = match (smtputf8, eight_bit_mime) {
        _ if binary => ContentClass::Binary,
        _ if config.eight_bit == EightBit::Send => ContentClass::EightBitHeader,
        (_, false) => ContentClass::SevenBit,
        (false, true) => ContentClass::EightBit,
        (true, true) => ContentClass::EightBitHeader,
    };
    let mut params = wishes.clone();
    params.size = usable.size.and(content.size);
    params.body = match binary {
        true => Some(BodyType::BinaryMime),
        false => eight_bit_mime.then_some(BodyType::EightBitMime),
    };
    params.smtputf8 = smtputf8;
    if report.mail.is_none() {
        leave_out(report, &mut params, usable);
    }
    let chunked = binary || config.chunking == Chunking::Always && usable.chunking;
    Plan { params, allowed, chunked }
}

/// The same for a recipient that comes when MAIL was sent, with these parameters.
pub(super) fn plan_recipient(report: &mut Report, id: RecipientId, said: &MailParams, usable: &Usable) {
    let mut missing = Missing::default();
    let Some(recipient) = report.recipients.get_mut(id.index()) else { return };
    if needs_smtputf8(recipient) && !said.smtputf8 {
        recipient.rcpt = refusal(553, (6, 7), "the recipient needs SMTPUTF8, which the server was not asked for");
    }
    if let Some(params) = recipient.params.as_deref_mut() {
        leave_out_of_rcpt(params, usable, said.smtputf8, &mut missing);
    }
    missing.tell(report);
}

/// Whether anything but the content holds UTF-8 (RFC 6531 section 3.4).
fn has_utf8(report: &Report, wishes: &MailParams) -> bool {
    let utf8_orcpt = |recipient: &RecipientFacts| {
        let orcpt = recipient.params.as_deref().and_then(|params| params.orcpt.as_ref());
        orcpt.is_some_and(|orcpt| !orcpt.is_ascii())
    };
    !report.from.is_ascii()
        || wishes.others.iter().any(|param| !param.is_ascii())
        || report.recipients.iter().any(|recipient| needs_smtputf8(recipient) || utf8_orcpt(recipient))
}

/// Whether a recipient cannot be said in ASCII. ORCPT can.
fn needs_smtputf8(recipient: &RecipientFacts) -> bool {
    let mut others = recipient.params.iter().flat_map(|params| &params.others);
    !recipient.path.is_ascii() || others.any(|param| !param.is_ascii())
}

/// RFC 6531 section 3.5, RFC 6152 section 3, RFC 3030 section 3, RFC 1870
/// section 6.1.
fn refusal_for_all(report: &Report, content: Content, usable: &Usable, config: &Config) -> Option<Answer> {
    let send = config.eight_bit == EightBit::Send;
    let binary = content.class == Some(ContentClass::Binary);
    if !report.from.is_ascii() && !usable.smtputf8 {
        return refusal(550, (6, 7), "the sender needs SMTPUTF8, which the server does not offer");
    }
    if content.class == Some(ContentClass::EightBitHeader) && !usable.smtputf8 && !send {
        return refusal(554, (6, 9), "the header holds UTF-8 and the server does not offer SMTPUTF8");
    }
    if binary && config.chunking == Chunking::Off {
        return refusal(554, (6, 1), "the message is binary and BDAT is not to be used");
    }
    if binary && !(usable.chunking && usable.binary_mime) {
        return refusal(554, (6, 1), "the message is binary and the server does not offer CHUNKING and BINARYMIME");
    }
    if !binary && content.class > Some(ContentClass::SevenBit) && !usable.eight_bit_mime && !send {
        return refusal(554, (6, 3), "the message is 8-bit and the server does not offer 8BITMIME");
    }
    match (usable.size, content.size) {
        (Some(limit), Some(size)) if limit > 0 && size > limit => {
            refusal(552, (3, 4), "the message is larger than the server's SIZE")
        }
        _ => None,
    }
}

/// What was promised to the sender and this server cannot keep: RFC 8689 section
/// 4.2.1, RFC 2852 section 4.1.4.1.
fn unkept(wishes: &MailParams, usable: &Usable, secured: bool) -> Option<Answer> {
    if wishes.others.iter().any(|param| !param.is_ascii()) && !usable.smtputf8 {
        return refusal(550, (6, 7), "a parameter needs SMTPUTF8, which the server does not offer");
    }
    if wishes.require_tls && !secured {
        return refusal(550, (7, 10), "the message requires TLS and the connection is not encrypted");
    }
    if wishes.require_tls && !usable.require_tls {
        return refusal(550, (7, 30), "the message requires TLS and the server does not offer REQUIRETLS");
    }
    let by = wishes.by.filter(|by| by.mode() == ByMode::Return)?;
    if !usable.deliver_by {
        return refusal(554, (3, 3), "the message is to be returned in time and the server does not offer DELIVERBY");
    }
    let minimum = usable.shortest_time?;
    match i64::from(by.seconds()) < i64::from(minimum) {
        true => refusal(554, (3, 3), "the message is to be returned sooner than the server's DELIVERBY allows"),
        false => None,
    }
}

/// Leaves out the parameters that the server does not offer to take. Whoever set
/// them is told, but for MT-PRIORITY, which is a wish and no more (RFC 6710
/// section 4.2).
fn leave_out(report: &mut Report, params: &mut MailParams, usable: &Usable) {
    let mut missing = Missing::default();
    if !usable.dsn {
        missing.dsn |= params.ret.take().is_some() | params.envid.take().is_some();
    }
    if !usable.auth {
        missing.auth = params.auth.take().is_some();
    }
    if !usable.deliver_by {
        missing.by = params.by.take().is_some();
    }
    if !usable.priority {
        params.priority = None;
    }
    if !usable.others {
        missing.others |= !core::mem::take(&mut params.others).is_empty();
    }
    for params in report.recipients.iter_mut().filter_map(|recipient| recipient.params.as_deref_mut()) {
        leave_out_of_rcpt(params, usable, usable.smtputf8, &mut missing);
    }
    missing.tell(report);
}

fn leave_out_of_rcpt(params: &mut RcptParams, usable: &Usable, smtputf8: bool, missing: &mut Missing) {
    if !usable.dsn {
        missing.dsn |= params.notify.take().is_some() | params.orcpt.take().is_some();
    }
    if let Some(orcpt) = params.orcpt.take_if(|orcpt| !orcpt.is_ascii() && !smtputf8) {
        params.orcpt = orcpt.to_ascii().ok();
        missing.orcpt |= params.orcpt.is_none();
    }
    if !usable.xrcptforward {
        missing.forward |= params.forward.take().is_some();
    }
    if !usable.ignore_quota {
        missing.quota |= core::mem::take(&mut params.ignore_quota);
    }
    if !usable.others {
        missing.others |= !core::mem::take(&mut params.others).is_empty();
    }
}

/// What was wished for and left out.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a set")]
struct Missing {
    dsn: bool,
    orcpt: bool,
    auth: bool,
    by: bool,
    forward: bool,
    quota: bool,
    others: bool,
}

impl Missing {
    fn tell(&self, report: &mut Report) {
        for (missing, warning) in [
            (self.dsn, "the server does not offer DSN: RET, ENVID, NOTIFY and ORCPT are left out"),
            (self.orcpt, "an ORCPT is too long in ASCII and the server does not offer SMTPUTF8: it is left out"),
            (self.auth, "the server does not offer AUTH: AUTH= is left out"),
            (self.by, "the server does not offer DELIVERBY: BY is left out"),
            (self.forward, "the server does not offer XRCPTFORWARD: it is left out"),
            (self.quota, "the server does not offer IGNOREQUOTA: it is left out"),
            (self.others, "unknown parameters are forbidden: they are left out"),
        ] {
            if missing {
                report.warn(warning);
            }
        }
    }
}

/// A permanent refusal of our own.
fn refusal(code: u16, (subject, detail): (u16, u16), text: &str) -> Option<Answer> {
    let code = ReplyCode::new(code).ok()?;
    let enhanced = EnhancedCode::new(5, subject, detail).ok()?;
    Some(Answer::local(Reply::from_parts(code, Some(enhanced), text.as_bytes())))
}
