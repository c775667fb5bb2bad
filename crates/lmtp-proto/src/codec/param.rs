//! The parameters of MAIL and RCPT (RFC 5321 section 4.1.2).

use nom::bytes::complete::{tag, take_while_m_n};
use nom::character::complete::one_of;
use nom::combinator::{map_opt, opt, recognize};
use nom::{IResult, Parser};

use super::octets::{BASE64, LDH, VALUE};
use super::path::{atom, visible_utf8};
use super::{is_word, number, refused, run, whole, xtext};
use crate::value::{BodyType, ByMode, DeliverBy, Keyword, Notify, Priority, Ret};

/// The keywords of all parameters that have a type of their own.
pub(crate) const KNOWN: [&str; 13] = [
    "SIZE",
    "BODY",
    "SMTPUTF8",
    "RET",
    "ENVID",
    "AUTH",
    "BY",
    "MT-PRIORITY",
    "REQUIRETLS",
    "NOTIFY",
    "ORCPT",
    "XRCPTFORWARD",
    "IGNOREQUOTA",
];

/// A parameter as it stands in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawParam<'a> {
    pub(crate) keyword: &'a [u8],
    pub(crate) value: Option<&'a [u8]>,
}

/// ```abnf
/// esmtp-param = esmtp-keyword ["=" esmtp-value]
/// ```
///
/// The value of XRCPTFORWARD is base64, which may end in "=".
#[inline]
pub(crate) fn esmtp_param(input: &[u8]) -> IResult<&[u8], RawParam<'_>> {
    let (rest, keyword) = esmtp_keyword(input)?;
    let Some(value) = rest.strip_prefix(b"=") else { return Ok((rest, RawParam { keyword, value: None })) };
    let (rest, value) = if is_word(keyword, b"XRCPTFORWARD") { base64(value)? } else { esmtp_value(value)? };
    Ok((rest, RawParam { keyword, value: Some(value) }))
}

/// ```abnf
/// esmtp-keyword = ( ALPHA / DIGIT ) *( ALPHA / DIGIT / "-" )
/// ```
#[inline]
pub(crate) fn esmtp_keyword(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let (rest, keyword) = run(|octet| LDH.has(octet), input)?;
    if keyword.starts_with(b"-") || keyword.len() > Keyword::MAX { refused(input) } else { Ok((rest, keyword)) }
}

/// ```abnf
/// esmtp-value = 1*( %d33-60 / %d62-126 / UTF8-non-ascii )
/// ```
#[inline]
pub(crate) fn esmtp_value(input: &[u8]) -> IResult<&[u8], &[u8]> {
    visible_utf8(|octet| VALUE.has(octet), input)
}

/// ```abnf
/// base64 = 1*( ALPHA / DIGIT / "+" / "/" ) *2"="
/// ```
///
/// Padded or not, for Dovecot's own reader takes both.
pub(crate) fn base64(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let text = |input| run(|octet| BASE64.has(octet), input);
    recognize((text, take_while_m_n(0, 2, |octet| octet == b'='))).parse(input)
}

/// ```abnf
/// size-value = 1*20DIGIT
/// ```
///
/// (RFC 1870 section 3.)
#[inline]
pub(crate) fn size_value(input: &[u8]) -> IResult<&[u8], u64> {
    let (rest, size) = number(1, 20)(input)?;
    Ok((rest, size.unwrap_or(u64::MAX)))
}

/// ```abnf
/// by-value = ["-" / "+"] 1*9DIGIT ";" ( "N" / "R" ) ["T"]
/// ```
///
/// (RFC 2852 section 4.)
#[inline]
pub(crate) fn by_value(input: &[u8]) -> IResult<&[u8], DeliverBy> {
    let (sign, rest) = match input {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] | rest => (1, rest),
    };
    let (rest, seconds) = number(1, 9)(rest)?;
    let (mode, rest) = match rest {
        [b';', b'N' | b'n', rest @ ..] => (ByMode::Notify, rest),
        [b';', b'R' | b'r', rest @ ..] => (ByMode::Return, rest),
        _ => return refused(input),
    };
    let (trace, rest) = match rest {
        [b'T' | b't', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let seconds = seconds.and_then(|seconds| i32::try_from(seconds).ok()?.checked_mul(sign));
    match seconds.map(|seconds| DeliverBy::new(seconds, mode, trace)) {
        Some(Ok(by)) => Ok((rest, by)),
        _ => refused(input),
    }
}

/// ```abnf
/// priority-value = "0" / ( ["-"] %x31-39 )
/// ```
///
/// (RFC 6710 section 7.)
pub(crate) fn priority(input: &[u8]) -> IResult<&[u8], Priority> {
    let digit = one_of("0123456789");
    map_opt((opt(tag("-")), digit), |(minus, digit)| {
        let number = i8::try_from(digit.to_digit(10)?).ok()?;
        match (minus, number) {
            (Some(_), 0) => None,
            (Some(_), number) => Priority::new(number.saturating_neg()).ok(),
            (None, number) => Priority::new(number).ok(),
        }
    })
    .parse(input)
}

/// ```abnf
/// notify-esmtp-value = "NEVER" / 1#notify-list-element
/// notify-list-element = "SUCCESS" / "FAILURE" / "DELAY"
/// ```
///
/// (RFC 3461 section 4.1.)
#[inline]
pub(crate) fn notify(input: &[u8]) -> IResult<&[u8], Notify> {
    let (mut rest, mut notify) = notify_element(input)?;
    while !notify.never()
        && let Some(list) = rest.strip_prefix(b",")
    {
        let (after, more) = notify_element(list)?;
        if more.never() {
            return refused(list);
        }
        (rest, notify) = (after, notify.and(more));
    }
    Ok((rest, notify))
}

#[inline]
fn notify_element(input: &[u8]) -> IResult<&[u8], Notify> {
    let (rest, word) = run(|octet| octet != b',', input)?;
    let notify = if is_word(word, b"FAILURE") {
        Notify::FAILURE
    } else if is_word(word, b"SUCCESS") {
        Notify::SUCCESS
    } else if is_word(word, b"DELAY") {
        Notify::DELAY
    } else if is_word(word, b"NEVER") {
        Notify::NEVER
    } else {
        return refused(input);
    };
    Ok((rest, notify))
}

/// ```abnf
/// body-value = "7BIT" / "8BITMIME" / "BINARYMIME"
/// ```
///
/// (RFC 6152 section 2, RFC 3030 section 3.)
#[inline]
pub(crate) fn body(input: &[u8]) -> IResult<&[u8], BodyType> {
    let body = if is_word(input, b"8BITMIME") {
        BodyType::EightBitMime
    } else if is_word(input, b"7BIT") {
        BodyType::SevenBit
    } else if is_word(input, b"BINARYMIME") {
        BodyType::BinaryMime
    } else {
        return refused(input);
    };
    Ok((&[], body))
}

/// ```abnf
/// ret-value = "FULL" / "HDRS"
/// ```
///
/// (RFC 3461 section 4.3.)
#[inline]
pub(crate) fn ret(input: &[u8]) -> IResult<&[u8], Ret> {
    let ret = if is_word(input, b"FULL") {
        Ret::Full
    } else if is_word(input, b"HDRS") {
        Ret::Headers
    } else {
        return refused(input);
    };
    Ok((&[], ret))
}

/// ```abnf
/// original-recipient-address = addr-type ";" xtext
/// addr-type                  = Atom
/// utf-8-type-addr            = "utf-8;" utf-8-enc-addr
/// ```
///
/// (RFC 3461 section 4.2, RFC 6533 section 3.) Gives the place of the ";". A
/// `utf-8` address of another form is xtext like any other: it is passed on as it
/// is.
pub(crate) fn original_recipient(input: &[u8]) -> IResult<&[u8], usize> {
    let (rest, kind) = atom(input)?;
    let Some(address) = rest.strip_prefix(b";").filter(|_| kind.is_ascii()) else { return refused(input) };
    if kind.eq_ignore_ascii_case(b"utf-8") && whole(xtext::unitext, address).is_some() {
        return Ok((&[], kind.len()));
    }
    let (rest, ()) = xtext::printable(address)?;
    Ok((rest, kind.len()))
}
