//! Parameters of the extensions that a server announces.

use nom::{IResult, Parser, bytes::complete::take_while1};

/// `SIZE-param = [1*DIGIT]` (RFC 1870 section 3). A number too large for 64 bits
/// is no limit that anybody will reach.
pub(crate) fn size(input: &[u8]) -> IResult<&[u8], u64> {
    take_while1(|octet: u8| octet.is_ascii_digit())
        .map(|digits: &[u8]| {
            digits.iter().fold(0_u64, |size, digit| {
                size.saturating_mul(10).saturating_add(u64::from(digit.saturating_sub(b'0')))
            })
        })
        .parse(input)
}
