//! Parameters of the extensions that a server announces.

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_while_m_n, take_while1};
use nom::combinator::{map_opt, opt, recognize, rest};
use nom::multi::many0_count;
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::{number, whole};

/// ```abnf
/// SIZE-param = [1*DIGIT]
/// ```
///
/// (RFC 1870 section 3.) A number too large for 64 bits is no limit that anybody
/// will reach.
pub(crate) fn size(input: &[u8]) -> IResult<&[u8], u64> {
    number(1, usize::MAX).map(|size| size.unwrap_or(u64::MAX)).parse(input)
}

/// ```abnf
/// limit = 1*( ALPHA / DIGIT / "-" / "_" ) ["=" 1*( %x21-3A / %x3C-7E )]
/// ```
///
/// (RFC 9422 section 3.) The value is `None` when it is missing or no number
/// that a limit can have.
pub(crate) fn limit(input: &[u8]) -> IResult<&[u8], (&[u8], Option<u32>)> {
    let name = take_while1(|octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'));
    let value = take_while1(|octet| matches!(octet, 0x21..=0x3A | 0x3C..=0x7E));
    let value = opt(preceded(tag("="), value)).map(|value: Option<_>| whole(limit_value, value?));
    (name, value).parse(input)
}

/// ```abnf
/// limit-value = %x31-39 0*5DIGIT
/// ```
///
/// (RFC 9422 section 4.)
fn limit_value(input: &[u8]) -> IResult<&[u8], u32> {
    nom::combinator::not(tag("0")).parse(input)?;
    map_opt(number(1, 6), |value| u32::try_from(value?).ok()).parse(input)
}

/// ```abnf
/// deliverby-param = min-by-time *( "," extension-token )
/// min-by-time     = [1*9DIGIT]
/// extension-token = 1*<any CHAR excluding SP, COMMA and all control characters>
/// ```
///
/// (RFC 2852 section 2.)
pub(crate) fn minimum_by_time(input: &[u8]) -> IResult<&[u8], Option<u32>> {
    let token = take_while1(|octet: u8| octet.is_ascii_graphic() && octet != b',');
    let minimum = map_opt(number(1, 9), |seconds| u32::try_from(seconds?).ok());
    (opt(minimum), many0_count(preceded(tag(","), token))).map(|(minimum, _)| minimum).parse(input)
}

/// ```abnf
/// priority-policy = 1*20( ALPHA / DIGIT / "-" / "_" / "." )
/// ```
///
/// (RFC 6710 section 7.)
pub(crate) fn priority_policy(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while_m_n(1, 20, |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.')).parse(input)
}

/// ```abnf
/// auth-line = "AUTH" ( SP / "=" ) sasl-mech *( SP sasl-mech )
/// ```
///
/// The form with "=" is older than RFC 2554. Gives what follows.
pub(crate) fn auth_line(input: &[u8]) -> IResult<&[u8], &[u8]> {
    preceded((tag_no_case("AUTH"), alt((tag(" "), tag("=")))), recognize(rest)).parse(input)
}
