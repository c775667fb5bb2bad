//! Parameters, each to the field that it belongs to.

use alloc::vec::Vec;
use core::str;

use super::param::{RawParam, size_value};
use super::whole;
use crate::command_error::CommandError;
use crate::value::{Keyword, MailParams, Param, RcptParams};

/// What is wrong with a parameter.
enum Wrong {
    Value,
    Repeated,
}

/// Enters a parameter of MAIL. One that is given twice is an error for each of
/// them (RFC 1870 section 6, RFC 3461 section 4.5, RFC 6152 section 3).
pub(crate) fn mail(params: &mut MailParams, raw: RawParam<'_>) -> Result<(), CommandError> {
    let is = |keyword: &str| raw.keyword.eq_ignore_ascii_case(keyword);
    let entered = if is("SIZE") {
        set(&mut params.size, raw.value.and_then(|value| whole(size_value, value.as_bytes())))
    } else if is("BODY") {
        set(&mut params.body, parsed(raw))
    } else if is("SMTPUTF8") {
        raise(&mut params.smtputf8, raw)
    } else if is("RET") {
        set(&mut params.ret, parsed(raw))
    } else if is("ENVID") {
        set(&mut params.envid, parsed(raw))
    } else if is("AUTH") {
        set(&mut params.auth, parsed(raw))
    } else if is("BY") {
        set(&mut params.by, parsed(raw))
    } else if is("MT-PRIORITY") {
        set(&mut params.priority, parsed(raw))
    } else if is("REQUIRETLS") {
        raise(&mut params.require_tls, raw)
    } else {
        keep(&mut params.others, raw)
    };
    entered.map_err(|wrong| wrong.of(raw))
}

/// Enters a parameter of RCPT.
pub(crate) fn rcpt(params: &mut RcptParams, raw: RawParam<'_>) -> Result<(), CommandError> {
    let is = |keyword: &str| raw.keyword.eq_ignore_ascii_case(keyword);
    let entered = if is("NOTIFY") {
        set(&mut params.notify, parsed(raw))
    } else if is("ORCPT") {
        set(&mut params.orcpt, parsed(raw))
    } else if is("XRCPTFORWARD") {
        set(&mut params.forward, parsed(raw))
    } else if is("IGNOREQUOTA") {
        raise(&mut params.ignore_quota, raw)
    } else {
        keep(&mut params.others, raw)
    };
    entered.map_err(|wrong| wrong.of(raw))
}

impl Wrong {
    fn of(self, raw: RawParam<'_>) -> CommandError {
        let keyword = Keyword::from_checked(raw.keyword);
        match self {
            Self::Value => CommandError::BadParameter(keyword),
            Self::Repeated => CommandError::RepeatedParameter(keyword),
        }
    }
}

fn parsed<T: str::FromStr>(raw: RawParam<'_>) -> Option<T> {
    raw.value?.parse().ok()
}

fn set<T>(slot: &mut Option<T>, value: Option<T>) -> Result<(), Wrong> {
    match (&slot, value) {
        (Some(_), _) => Err(Wrong::Repeated),
        (None, None) => Err(Wrong::Value),
        (None, value) => {
            *slot = value;
            Ok(())
        }
    }
}

fn raise(flag: &mut bool, raw: RawParam<'_>) -> Result<(), Wrong> {
    match (*flag, raw.value) {
        (true, _) => Err(Wrong::Repeated),
        (false, Some(_)) => Err(Wrong::Value),
        (false, None) => {
            *flag = true;
            Ok(())
        }
    }
}

/// So many unknown parameters that comparing each with each is no work; they are
/// refused anyway, or known to somebody.
const MOST_OTHERS: usize = 32;

fn keep(others: &mut Vec<Param>, raw: RawParam<'_>) -> Result<(), Wrong> {
    let same = |other: &Param| other.keyword().as_str().eq_ignore_ascii_case(raw.keyword);
    if others.iter().any(same) {
        return Err(Wrong::Repeated);
    }
    if others.len() >= MOST_OTHERS {
        return Err(Wrong::Value);
    }
    others.push(Param::from_checked(Keyword::from_checked(raw.keyword), raw.value));
    Ok(())
}
