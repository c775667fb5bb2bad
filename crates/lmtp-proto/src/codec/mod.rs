//! The grammar: nom parsers with the ABNF rule above each, and the encoder.
//!
//! A line is found first ([`crate::lines`]); then *complete* parsers run on it.
//! None of them ever asks for more input, so none is ever run twice over the
//! same octets. What sees every octet of a line is written out ([`run`],
//! [`path::visible_utf8`]), with nom's combinators above it.
//!
//! | rule | function |
//! |---|---|
//! | `Reply-line` | [`reply::reply_line`] |
//! | `status-code` | [`reply::enhanced_code`] |
//! | `Mailbox`, `Local-part` | [`path::mailbox`] |
//! | `Domain`, `address-literal` | [`path::domain`] |
//! | `base64`, `initial-response` | [`base64`] |
//! | `Path`, `A-d-l` | [`path::path`], [`path::unbracketed`] |
//! | commands | [`command::parse_command`] |
//! | `esmtp-param` and the values | [`param::esmtp_param`], … |
//! | `xtext`, `utf-8-addr-xtext` | [`xtext::printable`], [`xtext::unitext`] |
//! | parameters in the reply to LHLO | [`capability`] |

pub(crate) mod base64;
pub(crate) mod capability;
pub(crate) mod command;
mod encode;
mod enter;
pub(crate) mod octets;
pub(crate) mod param;
pub(crate) mod path;
#[cfg(test)]
mod proof;
pub(crate) mod reply;
pub(crate) mod xtext;

pub use command::{Leniency, parse_command, parse_command_with};
pub(crate) use encode::Codes;
pub use encode::{encode_command, encode_reply};
pub use reply::ReplyReader;

use core::str::{self, FromStr};

use nom::{IResult, Parser};

/// What a parser makes of all of the input, if it takes all of it.
#[inline]
pub(crate) fn whole<'a, T>(
    mut parser: impl Parser<&'a [u8], Output = T, Error = nom::error::Error<&'a [u8]>>,
    input: &'a [u8],
) -> Option<T> {
    match parser.parse(input) {
        Ok(([], value)) => Some(value),
        _ => None,
    }
}

/// What text says as a value. UTF-8 is checked here: only what is kept is text.
#[inline]
pub(crate) fn parsed<T: FromStr>(text: &[u8]) -> Option<T> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// Whether a word is this one, which is in upper case, in any case. All octets are
/// looked at, and at once: that is faster than to stop at the first that differs.
#[inline]
pub(crate) fn is_word<const N: usize>(word: &[u8], name: &[u8; N]) -> bool {
    let same = |word: &[u8; N]| {
        word.iter().zip(name).fold(true, |same, (octet, letter)| same & (octet.to_ascii_uppercase() == *letter))
    };
    word.try_into().is_ok_and(same)
}

/// The input does not begin with what a rule wants.
pub(crate) fn refused<T>(input: &[u8]) -> IResult<&[u8], T> {
    Err(nom::Err::Error(nom::error::make_error(input, nom::error::ErrorKind::Verify)))
}

/// One or more octets of a kind: nom's `take_while1`, which is not inlined, and
/// this is where the time goes.
#[inline]
pub(crate) fn run(kind: impl Fn(u8) -> bool, input: &[u8]) -> IResult<&[u8], &[u8]> {
    let length = input.iter().position(|&octet| !kind(octet)).unwrap_or(input.len());
    match input.split_at_checked(length) {
        Some((run, rest)) if length > 0 => Ok((rest, run)),
        _ => refused(input),
    }
}

/// A number of `least` to `most` digits; `None` when it is too large for 64 bits.
#[inline]
pub(crate) fn number(least: usize, most: usize) -> impl Fn(&[u8]) -> IResult<&[u8], Option<u64>> {
    move |input| {
        let (mut rest, mut number) = (input, Some(0_u64));
        while let [digit @ b'0'..=b'9', behind @ ..] = rest {
            number = number.and_then(|number| number.checked_mul(10)?.checked_add((digit & 0xF).into()));
            rest = behind;
        }
        let digits = input.len().saturating_sub(rest.len());
        if (least..=most).contains(&digits) { Ok((rest, number)) } else { refused(input) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Octets that differ from a digit or a hyphen by the bit that tells the cases of letters apart.
    #[test]
    fn a_word_is_compared_exactly() {
        for (word, same) in [("7BIT", true), ("7bIt", true), ("\x17BIT", false), ("7BI", false), ("7BITS", false)] {
            assert_eq!(is_word(word.as_bytes(), b"7BIT"), same, "{word:?}");
        }
        assert!(is_word(b"mt-priority", b"MT-PRIORITY") && !is_word(b"MT\rPRIORITY", b"MT-PRIORITY"));
    }

    #[test]
    fn numbers_go_to_the_last_of_64_bits() {
        let read = |text: &'static str| whole(number(1, 25), text.as_bytes());
        assert_eq!(read("0018446744073709551615"), Some(Some(u64::MAX)));
        assert_eq!(read("18446744073709551616"), Some(None));
        assert_eq!((read(""), read("1x")), (None, None));
        assert_eq!(whole(number(2, 3), b"1"), None);
        assert_eq!(whole(number(2, 3), b"1234"), None);
    }
}
