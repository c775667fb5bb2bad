//! Text within the value of a parameter: xtext (RFC 3461 section 4) and the
//! forms that hold UTF-8 (RFC 6533 section 3).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_while_m_n};
use nom::combinator::{map_opt, recognize, verify};
use nom::multi::{fold_many0, many1_count};
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

use super::octets::XCHAR;
use super::path::visible_utf8;
use super::{refused, run};
use crate::text::is_visible;

/// ```abnf
/// xtext = *( xchar / hexchar )
/// ```
///
/// At least one, and only what decodes to printable ASCII: nothing else may be
/// said in it (RFC 3461 sections 4.2 and 4.4), and nothing else could be passed
/// on safely.
pub(crate) fn printable(input: &[u8]) -> IResult<&[u8], ()> {
    let mut rest = input;
    loop {
        rest = match rest {
            [b'+', ..] => verify(hexchar, |&octet| matches!(octet, 32..=126)).parse(rest)?.0,
            [octet, ..] if XCHAR.has(*octet) => run(|octet| XCHAR.has(octet), rest)?.0,
            _ if rest.len() == input.len() => return refused(input),
            _ => return Ok((rest, ())),
        };
    }
}

/// ```abnf
/// xtext = *( xchar / hexchar )
/// ```
///
/// Decoded, whatever it says.
pub(crate) fn octets(input: &[u8]) -> IResult<&[u8], Vec<u8>> {
    let escaped = hexchar.map(|octet| Cow::Owned(Vec::from([octet])));
    let run = alt(((|input| run(|octet| XCHAR.has(octet), input)).map(Cow::Borrowed), escaped));
    fold_many0(run, Vec::new, |mut said, run: Cow<'_, [u8]>| {
        said.extend_from_slice(&run);
        said
    })
    .parse(input)
}

/// ```abnf
/// hexchar = "+" 2( DIGIT / "A" / "B" / "C" / "D" / "E" / "F" )
/// ```
///
/// In upper case only.
fn hexchar(input: &[u8]) -> IResult<&[u8], u8> {
    let upper = |digits: &[u8]| !digits.iter().any(u8::is_ascii_lowercase);
    map_opt(preceded(tag("+"), take(2_usize)), |digits| upper(digits).then(|| hex(digits))?)
        .map(|number| u8::try_from(number).unwrap_or_default())
        .parse(input)
}

/// ```abnf
/// utf-8-addr-xtext    = 1*( QCHAR / EmbeddedUnicodeChar )
/// utf-8-addr-unitext  = 1*( QUCHAR / EmbeddedUnicodeChar )
/// QCHAR  = %x21-2A / %x2C-3C / %x3E-5B / %x5D-7E
/// QUCHAR = QCHAR / UTF8-2 / UTF8-3 / UTF8-4
/// ```
pub(crate) fn unitext(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let quchar = |input| visible_utf8(|octet| XCHAR.has(octet) && octet != b'\\', input);
    recognize(many1_count(alt((quchar.map(|_| ()), embedded.map(|_| ()))))).parse(input)
}

/// ```abnf
/// EmbeddedUnicodeChar = %x5C.78 "{" HEXPOINT "}"
/// ```
///
/// Nothing is taken that cannot be seen, though HEXPOINT allows it; digits in lower
/// case are.
fn embedded(input: &[u8]) -> IResult<&[u8], char> {
    let digits = take_while_m_n(2, 6, |octet: u8| octet.is_ascii_hexdigit());
    let seen = |c: &char| *c == ' ' || is_visible(*c);
    verify(map_opt(delimited(tag("\\x{"), digits, tag("}")), |digits| hex(digits).and_then(char::from_u32)), seen)
        .parse(input)
}

fn hex(digits: &[u8]) -> Option<u32> {
    u32::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
}

/// What xtext says; text that is none as it is.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    decode(text, '+', |input| hexchar(input).map(|(rest, octet)| (rest, char::from(octet))))
}

/// What one of the forms of RFC 6533 says; text that is none as it is.
pub(crate) fn unitext_decoded(text: &str) -> Cow<'_, str> {
    decode(text, '\\', embedded)
}

fn decode(text: &str, mark: char, escape: impl Fn(&[u8]) -> IResult<&[u8], char>) -> Cow<'_, str> {
    if !text.contains(mark) {
        return Cow::Borrowed(text);
    }
    let (mut said, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((plain, escaped)) = rest.split_once(mark) {
        said.push_str(plain);
        let from = rest.len().saturating_sub(escaped.len()).saturating_sub(mark.len_utf8());
        let escaped = rest.get(from..).unwrap_or_default();
        let Ok((after, c)) = escape(escaped.as_bytes()) else { return Cow::Borrowed(text) };
        said.push(c);
        rest = escaped.get(escaped.len().saturating_sub(after.len())..).unwrap_or_default();
    }
    said.push_str(rest);
    Cow::Owned(said)
}

/// Text as xtext.
pub(crate) struct Encoded<'a>(pub(crate) &'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|octet| match octet {
            octet if XCHAR.has(octet) => f.write_char(octet.into()),
            octet => write!(f, "+{octet:02X}"),
        })
    }
}

/// Text as `utf-8-addr-xtext`, the form that is ASCII.
pub(crate) struct Unitext<'a>(pub(crate) &'a str);

impl fmt::Display for Unitext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match u8::try_from(c) {
            Ok(octet) if XCHAR.has(octet) && octet != b'\\' => f.write_char(c),
            _ => write!(f, "\\x{{{:02X}}}", u32::from(c)),
        })
    }
}
