//! The grammar: nom parsers with the ABNF rule above each, and the encoder.
//!
//! A line is found first ([`crate::lines`]); then *complete* parsers run on it.
//! None of them ever asks for more input, so none is ever run twice over the
//! same octets.
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
pub(crate) mod param;
pub(crate) mod path;
#[cfg(test)]
mod proof;
pub(crate) mod reply;
pub(crate) mod xtext;

pub use command::{Leniency, parse_command, parse_command_with};
pub use encode::{encode_command, encode_reply};
pub use reply::ReplyReader;

use nom::Parser;
use nom::bytes::complete::take_while_m_n;

/// What a parser makes of all of the input, if it takes all of it.
pub(crate) fn whole<'a, T>(
    parser: impl Parser<&'a [u8], Output = T, Error = nom::error::Error<&'a [u8]>>,
    input: &'a [u8],
) -> Option<T> {
    nom::combinator::all_consuming(parser).parse(input).ok().map(|(_, value)| value)
}

/// A number of `least` to `most` digits; `None` when it is too large for 64 bits.
pub(crate) fn number<'a>(
    least: usize,
    most: usize,
) -> impl Parser<&'a [u8], Output = Option<u64>, Error = nom::error::Error<&'a [u8]>> {
    take_while_m_n(least, most, |octet: u8| octet.is_ascii_digit()).map(|digits: &[u8]| {
        digits
            .iter()
            .try_fold(0_u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit.saturating_sub(b'0'))))
    })
}
