//! The parameters of MAIL and RCPT (RFC 5321 section 4.1.2).

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_while_m_n, take_while1};
use nom::character::complete::one_of;
use nom::combinator::{eof, map_opt, opt, peek, recognize, value, verify};
use nom::multi::fold_many0;
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};

use super::path::{atom, visible_utf8};
use super::{number, xtext};
use crate::value::{ByMode, DeliverBy, Keyword, Notify, Priority};

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
pub(crate) fn esmtp_param(input: &[u8]) -> IResult<&[u8], RawParam<'_>> {
    let forward = (tag_no_case("XRCPTFORWARD"), preceded(tag("="), base64).map(Some));
    let any = (esmtp_keyword, opt(preceded(tag("="), esmtp_value)));
    alt((forward, any)).map(|(keyword, value)| RawParam { keyword, value }).parse(input)
}

/// ```abnf
/// esmtp-keyword = ( ALPHA / DIGIT ) *( ALPHA / DIGIT / "-" )
/// ```
pub(crate) fn esmtp_keyword(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let ldh = take_while_m_n(1, Keyword::MAX, |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-');
    verify(ldh, |keyword: &[u8]| !keyword.starts_with(b"-")).parse(input)
}

/// ```abnf
/// esmtp-value = 1*( %d33-60 / %d62-126 / UTF8-non-ascii )
/// ```
pub(crate) fn esmtp_value(input: &[u8]) -> IResult<&[u8], &[u8]> {
    visible_utf8(|octet| matches!(octet, 33..=60 | 62..=126), input)
}

/// ```abnf
/// base64 = 1*( ALPHA / DIGIT / "+" / "/" ) *2"="
/// ```
///
/// Padded or not, for Dovecot's own reader takes both.
pub(crate) fn base64(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let text = take_while1(|octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/'));
    recognize((text, take_while_m_n(0, 2, |octet| octet == b'='))).parse(input)
}

/// ```abnf
/// size-value = 1*20DIGIT
/// ```
///
/// (RFC 1870 section 3.)
pub(crate) fn size_value(input: &[u8]) -> IResult<&[u8], u64> {
    number(1, 20).map(|size| size.unwrap_or(u64::MAX)).parse(input)
}

/// ```abnf
/// by-value = ["-" / "+"] 1*9DIGIT ";" ( "N" / "R" ) ["T"]
/// ```
///
/// (RFC 2852 section 4.)
pub(crate) fn by_value(input: &[u8]) -> IResult<&[u8], DeliverBy> {
    let mode = alt((value(ByMode::Notify, one_of("Nn")), value(ByMode::Return, one_of("Rr"))));
    map_opt((opt(one_of("+-")), number(1, 9), tag(";"), mode, opt(one_of("Tt"))), |(sign, seconds, _, mode, trace)| {
        let seconds = i32::try_from(seconds?).ok()?;
        let seconds = if sign == Some('-') { seconds.saturating_neg() } else { seconds };
        DeliverBy::new(seconds, mode, trace.is_some()).ok()
    })
    .parse(input)
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
pub(crate) fn notify(input: &[u8]) -> IResult<&[u8], Notify> {
    let never = value(Notify::NEVER, tag_no_case("NEVER"));
    let (rest, first) = alt((never, notify_element)).parse(input)?;
    if first.never() {
        return Ok((rest, first));
    }
    fold_many0(preceded(tag(","), notify_element), move || first, Notify::and).parse(rest)
}

fn notify_element(input: &[u8]) -> IResult<&[u8], Notify> {
    alt((
        value(Notify::SUCCESS, tag_no_case("SUCCESS")),
        value(Notify::FAILURE, tag_no_case("FAILURE")),
        value(Notify::DELAY, tag_no_case("DELAY")),
    ))
    .parse(input)
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
    let utf8 = (terminated(tag_no_case("utf-8"), peek(tag(";"))), tag(";"), xtext::unitext);
    let kind = verify(atom, <[u8]>::is_ascii);
    let plain = (kind, tag(";"), xtext::printable);
    alt((terminated(utf8, eof), terminated(plain, eof))).map(|(kind, _, _)| kind.len()).parse(input)
}
