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
use nom::combinator::{map_opt, recognize};
use nom::multi::many0_count;
use nom::sequence::delimited;
use nom::{IResult, Parser};

use super::octets::{ATEXT, LDH};
use super::refused;
use crate::text::is_visible;
use crate::value::{AddressProblem, Mailbox};

/// ```abnf
/// Mailbox = Local-part "@" ( Domain / address-literal )
/// ```
///
/// Gives the place of the "@".
#[inline]
pub(crate) fn mailbox(input: &[u8]) -> IResult<&[u8], usize> {
    let (rest, local) = local_part(input)?;
    let Some(rest) = rest.strip_prefix(b"@") else { return refused(input) };
    let (rest, _) = domain(rest)?;
    Ok((rest, local.len()))
}

/// ```abnf
/// Local-part = Dot-string / Quoted-string
/// ```
#[inline]
pub(crate) fn local_part(input: &[u8]) -> IResult<&[u8], &[u8]> {
    if input.starts_with(b"\"") { quoted_string(input) } else { dot_string(input) }
}

/// ```abnf
/// Dot-string = Atom *("." Atom)
/// ```
#[inline]
fn dot_string(input: &[u8]) -> IResult<&[u8], &[u8]> {
    dotted(atom, input)
}

/// ```abnf
/// Atom   = 1*atext
/// atext =/ UTF8-non-ascii
/// ```
#[inline]
pub(crate) fn atom(input: &[u8]) -> IResult<&[u8], &[u8]> {
    visible_utf8(|octet| ATEXT.has(octet), input)
}

/// Parts with dots between them: nom's `separated_list1`, without a list.
#[inline]
fn dotted(part: impl Fn(&[u8]) -> IResult<&[u8], &[u8]>, input: &[u8]) -> IResult<&[u8], &[u8]> {
    let mut rest = input;
    // `part` is called at one place, so that it is inlined there.
    loop {
        (rest, _) = part(rest)?;
        match rest.strip_prefix(b".") {
            Some(behind) => rest = behind,
            None => break,
        }
    }
    match input.split_at_checked(input.len().saturating_sub(rest.len())) {
        Some((all, rest)) => Ok((rest, all)),
        None => refused(input),
    }
}

/// ```abnf
/// Quoted-string  = DQUOTE *QcontentSMTP DQUOTE
/// QcontentSMTP   = qtextSMTP / quoted-pairSMTP
/// qtextSMTP      = %d32-33 / %d35-91 / %d93-126 / UTF8-non-ascii
/// quoted-pairSMTP = %d92 %d32-126
/// ```
#[cold]
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
/// Domain = sub-domain *("." sub-domain)
/// ```
#[inline]
pub(crate) fn domain(input: &[u8]) -> IResult<&[u8], &[u8]> {
    if input.starts_with(b"[") {
        return address_literal(input);
    }
    dotted(sub_domain, input)
}

/// ```abnf
/// sub-domain = Let-dig [Ldh-str] / U-label
/// ```
#[inline]
fn sub_domain(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let (rest, label) = visible_utf8(|octet| LDH.has(octet), input)?;
    if label.starts_with(b"-") || label.ends_with(b"-") { refused(input) } else { Ok((rest, label)) }
}

/// ```abnf
/// address-literal = "[" ( IPv4-address-literal / IPv6-address-literal /
///                   General-address-literal ) "]"
/// ```
///
/// A tag of `IPv6:` is never a general literal: a bad IPv6 address is bad.
#[cold]
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
#[inline]
pub(crate) fn visible_utf8(ascii: impl Fn(u8) -> bool, input: &[u8]) -> IResult<&[u8], &[u8]> {
    let mut length = input.iter().position(|&octet| !ascii(octet)).unwrap_or(input.len());
    // Beyond ASCII a closer look is needed; most text never gets there.
    if input.get(length).is_some_and(|octet| !octet.is_ascii()) {
        length = input.iter().position(|&octet| octet.is_ascii() && !ascii(octet)).unwrap_or(input.len());
        let visible = |text: &str| text.chars().all(|c| c.is_ascii() || is_visible(c));
        if !input.get(..length).is_some_and(|text| str::from_utf8(text).is_ok_and(visible)) {
            return refused(input);
        }
    }
    match input.split_at_checked(length) {
        Some((text, rest)) if length > 0 => Ok((rest, text)),
        _ => refused(input),
    }
}

/// A mailbox as it stands in its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoundMailbox<'a> {
    text: &'a [u8],
    /// The place of the "@" in it.
    at: usize,
}

impl FoundMailbox<'_> {
    /// The mailbox as a value.
    #[inline]
    pub(crate) fn made(self) -> Result<Mailbox, AddressProblem> {
        let text = str::from_utf8(self.text).map_err(|_| AddressProblem::Syntax)?;
        Mailbox::from_checked(text, self.at).ok_or(AddressProblem::TooLong)
    }
}

/// ```abnf
/// Path  = "<" [ A-d-l ":" ] Mailbox ">"
/// ```
///
/// A source route is recognised and dropped (RFC 5321 section 3.3).
#[inline]
pub(crate) fn path(input: &[u8]) -> IResult<&[u8], FoundMailbox<'_>> {
    let Some(inner) = input.strip_prefix(b"<") else { return refused(input) };
    let inner = if inner.starts_with(b"@") { source_route(inner)?.0 } else { inner };
    let (rest, at) = mailbox(inner)?;
    let text = inner.get(..inner.len().saturating_sub(rest.len())).unwrap_or_default();
    let Some(rest) = rest.strip_prefix(b">") else { return refused(input) };
    Ok((rest, FoundMailbox { text, at }))
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
#[cold]
fn source_route(input: &[u8]) -> IResult<&[u8], ()> {
    (tag("@"), domain, many0_count((tag(",@"), domain)), tag(":")).map(|_| ()).parse(input)
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
