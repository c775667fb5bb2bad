//! Addresses (RFC 5321 sections 4.1.2 and 4.1.3, widened by RFC 6531
//! section 3.3).
//!
//! The parsers take UTF-8 wherever RFC 6531 allows it; the values tell whether
//! they hold some, and the machine asks whether it may be sent. Beyond ASCII,
//! control characters, white space and what turns the direction of text are not
//! taken: what cannot be seen has no place in an address, and one can be printed
//! as it is.

use alloc::borrow::Cow;
use core::net::Ipv6Addr;
use core::str;

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_while_m_n, take_while1};
use nom::combinator::{consumed, map_opt, opt, recognize};
use nom::multi::{many0_count, separated_list1};
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

use crate::text::is_visible;
use crate::value::{AddressProblem, Mailbox};

/// ```abnf
/// Mailbox = Local-part "@" ( Domain / address-literal )
/// ```
///
/// Gives the place of the "@".
pub(crate) fn mailbox(input: &[u8]) -> IResult<&[u8], usize> {
    (local_part, tag("@"), domain).map(|(local, _, _)| local.len()).parse(input)
}

/// ```abnf
/// Local-part = Dot-string / Quoted-string
/// Dot-string = Atom *("." Atom)
/// Atom       = 1*atext
/// ```
pub(crate) fn local_part(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let dot_string = recognize(separated_list1(tag("."), atom));
    alt((quoted_string, dot_string)).parse(input)
}

/// ```abnf
/// atext =/ UTF8-non-ascii
/// ```
pub(crate) fn atom(input: &[u8]) -> IResult<&[u8], &[u8]> {
    visible_utf8(|octet| octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet), input)
}

/// ```abnf
/// Quoted-string  = DQUOTE *QcontentSMTP DQUOTE
/// QcontentSMTP   = qtextSMTP / quoted-pairSMTP
/// qtextSMTP      = %d32-33 / %d35-91 / %d93-126 / UTF8-non-ascii
/// quoted-pairSMTP = %d92 %d32-126
/// ```
fn quoted_string(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let text = |input| visible_utf8(|octet| matches!(octet, 32..=33 | 35..=91 | 93..=126), input);
    let pair = recognize((tag("\\"), take_while_m_n(1, 1, |octet| matches!(octet, 32..=126))));
    recognize((tag("\""), many0_count(alt((text, pair))), tag("\""))).parse(input)
}

/// What a local part says, without quotes and without what escapes in them.
pub(crate) fn unquoted(local_part: &str) -> Cow<'_, str> {
    let Some(text) = local_part.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return Cow::Borrowed(local_part);
    };
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut escaped = false;
    let plain = text.chars().filter(|&c| {
        escaped = c == '\\' && !escaped;
        !escaped
    });
    Cow::Owned(plain.collect())
}

/// ```abnf
/// Domain / address-literal
/// Domain     = sub-domain *("." sub-domain)
/// sub-domain = Let-dig [Ldh-str] / U-label
/// ```
pub(crate) fn domain(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let name = recognize(separated_list1(tag("."), sub_domain));
    alt((address_literal, name)).parse(input)
}

fn sub_domain(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let (rest, label) = visible_utf8(|octet| octet.is_ascii_alphanumeric() || octet == b'-', input)?;
    match label {
        [b'-', ..] | [.., b'-'] => Err(nom::Err::Error(nom::error::make_error(input, nom::error::ErrorKind::Verify))),
        _ => Ok((rest, label)),
    }
}

/// ```abnf
/// address-literal = "[" ( IPv4-address-literal / IPv6-address-literal /
///                   General-address-literal ) "]"
/// ```
///
/// A tag of `IPv6:` is never a general literal: a bad IPv6 address is bad.
fn address_literal(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let ipv6 = (tag_no_case("IPv6:"), dcontent).map(|(_, text)| is_ipv6(text));
    let general = (ldh_tag, tag(":"), dcontent).map(|_| true);
    let ipv4 = dcontent.map(is_ipv4);
    recognize((tag("["), map_opt(alt((ipv6, general, ipv4)), |good| good.then_some(())), tag("]"))).parse(input)
}

/// ```abnf
/// dcontent = %d33-90 / %d94-126
/// ```
fn dcontent(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while1(|octet| matches!(octet, 33..=90 | 94..=126)).parse(input)
}

/// ```abnf
/// Standardized-tag = Ldh-str
/// Ldh-str          = *( ALPHA / DIGIT / "-" ) Let-dig
/// ```
fn ldh_tag(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let ldh = take_while1(|octet: u8| octet.is_ascii_alphanumeric() || octet == b'-');
    nom::combinator::verify(ldh, |text: &[u8]| !text.ends_with(b"-")).parse(input)
}

/// ```abnf
/// IPv4-address-literal = Snum 3("."  Snum)
/// Snum                 = 1*3DIGIT
/// ```
fn is_ipv4(text: &[u8]) -> bool {
    let snum = |part: &[u8]| {
        let number = str::from_utf8(part).ok().filter(|_| part.iter().all(u8::is_ascii_digit));
        part.len() <= 3 && number.is_some_and(|number| number.parse::<u8>().is_ok())
    };
    text.split(|&octet| octet == b'.').count() == 4 && text.split(|&octet| octet == b'.').all(snum)
}

/// The forms of section 4.1.3 are those of the standard library, but that "::"
/// stands for two groups at least: no more than six others, an IPv4 address
/// counting for two.
fn is_ipv6(text: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(text) else { return false };
    let groups = |part: &str| part.split(':').filter(|group| !group.is_empty()).count();
    let ipv4 = usize::from(text.contains('.'));
    let enough = text
        .split_once("::")
        .is_none_or(|(left, right)| groups(left).saturating_add(groups(right)).saturating_add(ipv4) <= 6);
    enough && text.parse::<Ipv6Addr>().is_ok()
}

/// One or more octets of `ascii`, or UTF-8 characters beyond ASCII that can be
/// seen.
pub(crate) fn visible_utf8(ascii: impl Fn(u8) -> bool, input: &[u8]) -> IResult<&[u8], &[u8]> {
    let end = input.iter().position(|&octet| octet.is_ascii() && !ascii(octet)).unwrap_or(input.len());
    let (text, rest) = input.split_at_checked(end).unwrap_or_default();
    let visible = |text: &str| text.chars().all(|c| c.is_ascii() || is_visible(c));
    if !text.is_empty() && str::from_utf8(text).is_ok_and(visible) {
        Ok((rest, text))
    } else {
        Err(nom::Err::Error(nom::error::make_error(input, nom::error::ErrorKind::TakeWhile1)))
    }
}

/// A mailbox that was found, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoundMailbox<'a> {
    text: &'a [u8],
    /// The place of the "@".
    at: usize,
}

impl FoundMailbox<'_> {
    /// The mailbox as a value.
    pub(crate) fn mailbox(self) -> Result<Mailbox, AddressProblem> {
        let text = str::from_utf8(self.text).map_err(|_| AddressProblem::Syntax)?;
        Mailbox::from_checked(text, self.at).ok_or(AddressProblem::TooLong)
    }
}

/// ```abnf
/// Path  = "<" [ A-d-l ":" ] Mailbox ">"
/// ```
///
/// A source route is recognised and dropped (RFC 5321 section 3.3).
pub(crate) fn path(input: &[u8]) -> IResult<&[u8], FoundMailbox<'_>> {
    let mailbox = consumed(mailbox).map(|(text, at)| FoundMailbox { text, at });
    delimited(tag("<"), preceded(opt(source_route), mailbox), tag(">")).parse(input)
}

/// ```abnf
/// "<" Local-part ">"
/// ```
///
/// No path by the grammar but for `<Postmaster>` (RFC 5321 section 4.1.1.3).
pub(crate) fn local_path(input: &[u8]) -> IResult<&[u8], &[u8]> {
    delimited(tag("<"), local_part, tag(">")).parse(input)
}

/// ```abnf
/// A-d-l = At-domain *( "," At-domain )
/// At-domain = "@" Domain
/// ```
///
/// With the ":" behind it.
fn source_route(input: &[u8]) -> IResult<&[u8], ()> {
    (separated_list1(tag(","), (tag("@"), domain)), tag(":")).map(|_| ()).parse(input)
}

/// What is wrong with text that is no path.
pub(crate) fn problem(text: &[u8]) -> AddressProblem {
    if text.utf8_chunks().any(|chunk| chunk.valid().chars().any(char::is_control)) {
        AddressProblem::ControlCharacter
    } else if !text.contains(&b'@') {
        AddressProblem::NoDomain
    } else {
        AddressProblem::Syntax
    }
}

/// The address inside a path, or the text as it is when it has no brackets.
///
/// As in [`path`], a source route is dropped.
pub(crate) fn unbracketed(text: &str) -> &str {
    let Some(inner) = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')) else {
        return text;
    };
    match source_route(inner.as_bytes()) {
        // Behind a route there must be a mailbox; alone it is no null path.
        Ok((mailbox, ())) if mailbox.contains(&b'@') => {
            inner.get(inner.len().saturating_sub(mailbox.len())..).unwrap_or(inner)
        }
        Ok(_) | Err(_) => inner,
    }
}
