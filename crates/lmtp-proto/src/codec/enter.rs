//! Parameters, each to the field that it belongs to.

use alloc::vec::Vec;
use core::mem::take;
use core::str::{self, FromStr};

use nom::IResult;

use super::param::{RawParam, body, by_value, notify, priority, ret, size_value};
use super::{is_word, parsed};
use crate::command_error::CommandError;
use crate::value::{Keyword, MailParams, Param, RcptParams};

/// What is wrong with a parameter.
enum Wrong {
    Value,
    Repeated,
}

/// Enters a parameter of MAIL. One that is given twice is an error for each of
/// them (RFC 1870 section 6, RFC 3461 section 4.5, RFC 6152 section 3).
#[inline]
pub(crate) fn mail(params: &mut MailParams, raw: RawParam<'_>) -> Result<(), CommandError> {
    let entered = if is_word(raw.keyword, b"SIZE") {
        set(&mut params.size, by_rule(size_value, raw))
    } else if is_word(raw.keyword, b"BODY") {
        set(&mut params.body, by_rule(body, raw))
    } else if is_word(raw.keyword, b"SMTPUTF8") {
        raise(&mut params.smtputf8, raw)
    } else if is_word(raw.keyword, b"RET") {
        set(&mut params.ret, by_rule(ret, raw))
    } else if is_word(raw.keyword, b"ENVID") {
        set(&mut params.envid, value(raw))
    } else if is_word(raw.keyword, b"AUTH") {
        set(&mut params.auth, value(raw))
    } else if is_word(raw.keyword, b"BY") {
        set(&mut params.by, by_rule(by_value, raw))
    } else if is_word(raw.keyword, b"MT-PRIORITY") {
        set(&mut params.priority, by_rule(priority, raw))
    } else if is_word(raw.keyword, b"REQUIRETLS") {
        raise(&mut params.require_tls, raw)
    } else {
        keep(take(&mut params.others), raw).map(|others| params.others = others)
    };
    entered.map_err(|wrong| wrong.of(raw))
}

/// Enters a parameter of RCPT.
#[inline]
pub(crate) fn rcpt(params: &mut RcptParams, raw: RawParam<'_>) -> Result<(), CommandError> {
    let entered = if is_word(raw.keyword, b"NOTIFY") {
        set(&mut params.notify, by_rule(notify, raw))
    } else if is_word(raw.keyword, b"ORCPT") {
        set(&mut params.orcpt, value(raw))
    } else if is_word(raw.keyword, b"XRCPTFORWARD") {
        set(&mut params.forward, value(raw))
    } else if is_word(raw.keyword, b"IGNOREQUOTA") {
        raise(&mut params.ignore_quota, raw)
    } else {
        keep(take(&mut params.others), raw).map(|others| params.others = others)
    };
    entered.map_err(|wrong| wrong.of(raw))
}

impl Wrong {
    #[cold]
    fn of(self, raw: RawParam<'_>) -> CommandError {
        let keyword = keyword(raw);
        match self {
            Self::Value => CommandError::BadParameter(keyword),
            Self::Repeated => CommandError::RepeatedParameter(keyword),
        }
    }
}

/// A value that is a word or a number: never text.
#[inline]
fn by_rule<T>(rule: impl Fn(&[u8]) -> IResult<&[u8], T>, raw: RawParam<'_>) -> Option<T> {
    match rule(raw.value?) {
        Ok(([], value)) => Some(value),
        _ => None,
    }
}

/// A value that is kept as text.
#[inline]
fn value<T: FromStr>(raw: RawParam<'_>) -> Option<T> {
    parsed(raw.value?)
}

#[inline]
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

#[inline]
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

#[cold]
fn keep(mut others: Vec<Param>, raw: RawParam<'_>) -> Result<Vec<Param>, Wrong> {
    let same = |other: &Param| other.keyword().as_str().as_bytes().eq_ignore_ascii_case(raw.keyword);
    if others.iter().any(same) {
        return Err(Wrong::Repeated);
    }
    if others.len() >= MOST_OTHERS {
        return Err(Wrong::Value);
    }
    let value = raw.value.map(str::from_utf8).transpose().map_err(|_| Wrong::Value)?;
    others.push(Param::from_checked(keyword(raw), value));
    Ok(others)
}

/// Its octets are ASCII.
fn keyword(raw: RawParam<'_>) -> Keyword {
    Keyword::from_checked(str::from_utf8(raw.keyword).unwrap_or_default())
}
