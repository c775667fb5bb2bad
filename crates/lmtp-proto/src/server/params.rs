//! Whether what MAIL and RCPT say beside the address can be granted.

use super::config::Offer;
use super::say::Canned;
use crate::Limits;
use crate::value::{BodyType, ByMode, ForwardPath, MailParams, RcptParams, ReversePath};

/// What a MAIL is refused for before anybody is asked. A parameter of an
/// extension that is not offered is a parameter that nobody knows: 555
/// (RFC 5321 section 4.1.1.11).
pub(super) fn mail(
    from: &ReversePath,
    params: &MailParams,
    offer: &Offer,
    limits: &Limits,
    secured: bool,
) -> Result<(), Canned> {
    let not_offered = [
        params.body == Some(BodyType::BinaryMime) && !offer.binary(),
        params.smtputf8 && !offer.smtputf8,
        (params.ret.is_some() || params.envid.is_some()) && !offer.dsn,
        params.auth.is_some() && offer.auth.is_empty(),
        params.by.is_some() && offer.deliver_by.is_none(),
        params.priority.is_some() && offer.priority.is_none(),
        params.require_tls && !(offer.require_tls && secured),
        !params.others.is_empty() && !offer.unknown_parameters,
    ];
    if not_offered.contains(&true) {
        return Err(Canned::UNKNOWN_PARAMETER);
    }
    if !from.is_ascii() && !params.smtputf8 {
        return Err(Canned::SENDER_NEEDS_SMTPUTF8);
    }
    // What is announced as the minimum is one (RFC 2852 section 2).
    let minimum = offer.deliver_by.and_then(|least| i32::try_from(least).ok()).unwrap_or(i32::MAX);
    if params.by.is_some_and(|by| by.mode() == ByMode::Return && by.seconds() < minimum) {
        return Err(Canned::TOO_SOON);
    }
    match params.size {
        Some(size) if size > limits.message_size => Err(Canned::TOO_LARGE),
        _ => Ok(()),
    }
}

/// What a RCPT is refused for before anybody is asked.
pub(super) fn rcpt(to: &ForwardPath, params: &RcptParams, offer: &Offer, utf8: bool) -> Result<(), Canned> {
    let not_offered = [
        (params.notify.is_some() || params.orcpt.is_some()) && !offer.dsn,
        params.forward.is_some() && !offer.xrcptforward,
        params.ignore_quota && !offer.ignore_quota,
        !params.others.is_empty() && !offer.unknown_parameters,
    ];
    if not_offered.contains(&true) {
        return Err(Canned::UNKNOWN_PARAMETER);
    }
    if to.is_ascii() || utf8 { Ok(()) } else { Err(Canned::RECIPIENT_NEEDS_SMTPUTF8) }
}
