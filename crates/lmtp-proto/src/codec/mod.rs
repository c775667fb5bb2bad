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
//! | `A-d-l` | [`path::unbracketed`] |
//! | `SIZE` in the reply to LHLO | [`capability::size`] |

pub(crate) mod capability;
mod encode;
pub(crate) mod path;
#[cfg(test)]
mod proof;
pub(crate) mod reply;

pub use encode::{encode_command, encode_reply};
pub use reply::ReplyReader;

use nom::{IResult, Parser};

/// What a parser makes of all of the input, if it takes all of it.
pub(crate) fn whole<'a, T>(parser: impl Fn(&'a [u8]) -> IResult<&'a [u8], T>, input: &'a [u8]) -> Option<T> {
    nom::combinator::all_consuming(parser).parse(input).ok().map(|(_, value)| value)
}
