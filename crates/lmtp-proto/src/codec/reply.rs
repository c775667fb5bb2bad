//! Replies (RFC 5321 section 4.2).

use alloc::vec::Vec;

use bytes::{Buf, BytesMut};
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while_m_n};
use nom::combinator::{map_opt, opt, rest, value};
use nom::{IResult, Parser};

use crate::error::{SyntaxError, excerpt};
use crate::lines::{LineError, LineFinder};
use crate::value::{EnhancedCode, Reply, ReplyCode};
use crate::{Error, Limit, Limits, Phase};

/// One line of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReplyLine<'a> {
    pub(crate) code: ReplyCode,
    /// Whether the reply goes on.
    pub(crate) more: bool,
    pub(crate) text: &'a [u8],
}

/// ```abnf
/// Reply-line = *( Reply-code "-" [ textstring ] CRLF )
///                 Reply-code [ SP textstring ] CRLF
/// ```
///
/// Lenient: the text may hold any octet that [`LineFinder`] let pass, for a
/// status is worth more than the tidiness of its comment.
pub(crate) fn reply_line(input: &[u8]) -> IResult<&[u8], ReplyLine<'_>> {
    let end = nom::combinator::eof.map(|_| false);
    (reply_code, alt((value(true, tag("-")), value(false, tag(" ")), end)), rest)
        .map(|(code, more, text)| ReplyLine { code, more, text })
        .parse(input)
}

/// ```abnf
/// Reply-code = %x32-35 %x30-35 %x30-39
/// ```
///
/// Lenient: any second digit, as the first one decides (section 4.3.2).
fn reply_code(input: &[u8]) -> IResult<&[u8], ReplyCode> {
    map_opt(digits(3, 3), |code| ReplyCode::new(code).ok()).parse(input)
}

/// ```abnf
/// status-code = ("2" / "4" / "5") "." 1*3DIGIT "." 1*3DIGIT
/// ```
///
/// Without leading zeros (RFC 3463 section 2).
pub(crate) fn enhanced_code(input: &[u8]) -> IResult<&[u8], EnhancedCode> {
    map_opt((digits(1, 1), tag("."), sub_code, tag("."), sub_code), |(class, _, subject, _, detail)| {
        EnhancedCode::new(u8::try_from(class).ok()?, subject, detail).ok()
    })
    .parse(input)
}

fn sub_code(input: &[u8]) -> IResult<&[u8], u16> {
    alt((digits(1, 1).and(nom::combinator::not(digits(1, 1))).map(|(digit, ())| digit), |input| {
        nom::combinator::not(tag("0")).parse(input)?;
        digits(2, 3).parse(input)
    }))
    .parse(input)
}

/// A number of `least` to `most` digits, `most` being at most 4.
fn digits<'a>(least: usize, most: usize) -> impl Parser<&'a [u8], Output = u16, Error = nom::error::Error<&'a [u8]>> {
    take_while_m_n(least, most, |octet: u8| octet.is_ascii_digit()).map(|digits: &[u8]| {
        digits.iter().fold(0_u16, |number, digit| {
            number.saturating_mul(10).saturating_add(u16::from(digit.saturating_sub(b'0')))
        })
    })
}

/// `status-code 1*SP` at the start of a line's text (RFC 2034 section 4).
fn leading_code(input: &[u8]) -> IResult<&[u8], EnhancedCode> {
    let end = nom::combinator::eof.map(|_| ());
    (enhanced_code, alt((tag(" ").map(|_| ()), end))).map(|(code, ())| code).parse(input)
}

/// For so many octets of a reply there is always room.
const KEPT: usize = 256;

/// The lines of one reply, gathered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Assembler {
    /// The code that all lines must share, once there is a line.
    code: Option<ReplyCode>,
    enhanced: Option<EnhancedCode>,
    text: Vec<u8>,
    /// Octets read for it, line ends and all.
    size: usize,
}

impl Assembler {
    /// Takes one more line's text.
    pub(crate) fn line(&mut self, code: ReplyCode, text: &[u8]) {
        let (plain, found) = opt(leading_code).parse(text).unwrap_or((text, None));
        let found = found.filter(|enhanced| enhanced.fits(code.class()));
        if self.code.is_none() {
            self.enhanced = found;
        } else {
            self.text.push(b'\n');
        }
        self.code = Some(code);
        let text = if found.is_some() && found == self.enhanced { plain } else { text };
        // A NUL means nothing in a text and much to what may print it.
        self.text.extend(text.iter().map(|&octet| if octet == 0 { b'?' } else { octet }));
    }

    /// The reply, of the code that its lines had.
    pub(crate) fn finish(&mut self, code: ReplyCode) -> Reply {
        let reply = Reply::from_parts(code, self.enhanced, &self.text);
        self.text.clear();
        self.text.shrink_to(KEPT);
        (self.code, self.enhanced, self.size) = (None, None, 0);
        reply
    }
}

/// Reads replies from a stream of octets, however it is cut.
#[derive(Debug, Clone, Default)]
pub struct ReplyReader {
    finder: LineFinder,
    assembler: Assembler,
}

impl ReplyReader {
    /// A reader at the start of a reply.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next whole reply, taken out of `input`; `None` while it is incomplete.
    /// Complete lines of an incomplete reply are taken out, too.
    ///
    /// # Errors
    ///
    /// What is read is no reply, or too long for one. `phase` is put into the
    /// error. Nothing that follows can be trusted.
    pub fn read(&mut self, input: &mut BytesMut, limits: &Limits, phase: Phase) -> Result<Option<Reply>, Error> {
        loop {
            let length = match self.finder.find(input, limits.reply_line) {
                Ok(Some(length)) => length,
                Ok(None) => return Ok(None),
                Err(LineError::TooLong) => return Err(Error::Limit { phase, limit: Limit::ReplyLine }),
                Err(LineError::Syntax(problem)) => {
                    return Err(Error::Syntax { phase, problem, line: excerpt(until_line_feed(input)) });
                }
            };
            let line = input.get(..length).unwrap_or_default();
            let syntax = |problem| Error::Syntax { phase, problem, line: excerpt(line) };
            let Ok((_, ReplyLine { code, more, text })) = reply_line(line) else {
                return Err(syntax(SyntaxError::NoCode));
            };
            if self.assembler.code.is_some_and(|first| first != code) {
                return Err(syntax(SyntaxError::MixedCodes));
            }
            self.assembler.size = self.assembler.size.saturating_add(length).saturating_add(2);
            if self.assembler.size > limits.reply_size {
                return Err(Error::Limit { phase, limit: Limit::ReplySize });
            }
            self.assembler.line(code, text);
            input.advance(length.saturating_add(2));
            if !more {
                return Ok(Some(self.assembler.finish(code)));
            }
        }
    }

    /// All that the framing of what comes next depends on, beside the input.
    #[cfg(test)]
    pub(super) fn state(&self) -> Option<u16> {
        self.assembler.code.map(ReplyCode::get)
    }

    /// Whether a reply has begun and not ended.
    pub fn is_amid_reply(&self) -> bool {
        self.assembler.code.is_some()
    }
}

/// What a bad line shows of itself: all up to its LF, however it arrived.
fn until_line_feed(input: &[u8]) -> &[u8] {
    input.split(|&octet| octet == b'\n').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Option<Reply>, Error> {
        ReplyReader::new().read(&mut BytesMut::from(text), &Limits::default(), Phase::Mail)
    }

    #[expect(clippy::unnecessary_wraps, reason = "compared with what is read")]
    fn reply(code: u16, enhanced: &str, text: &str) -> Result<Option<Reply>, Error> {
        Ok(Some(Reply::new(code, enhanced.parse().ok(), text).unwrap()))
    }

    #[test]
    fn replies_of_every_form() {
        lmtp_testkit::proves!("R5321-4.2-c", "R2034-4-d", "R2034-4-f", "R3463-2-a");
        assert_eq!(read(b"250 ok\r\n"), reply(250, "", "ok"));
        assert_eq!(read(b"250\r\n"), reply(250, "", ""));
        assert_eq!(read(b"250 \r\n"), reply(250, "", ""));
        assert_eq!(read(b"299 ok\r\n"), reply(299, "", "ok"));
        assert_eq!(read(b"250 2.1.5 ok\r\n"), reply(250, "2.1.5", "ok"));
        assert_eq!(read(b"250 2.1.5\r\n"), reply(250, "2.1.5", ""));
        assert_eq!(read(b"250-2.1.5 a\r\n250 2.1.5 b\r\n"), reply(250, "2.1.5", "a\nb"));
        assert_eq!(read(b"250-2.1.5 a\r\n250 b\r\n"), reply(250, "2.1.5", "a\nb"));
        assert_eq!(read(b"250-\r\n250-\r\n250\r\n"), reply(250, "", "\n\n"));
        assert_eq!(read(b"550 2.1.5 no\r\n"), reply(550, "", "2.1.5 no"));
        assert_eq!(read(b"250 2.1.5ok\r\n"), reply(250, "", "2.1.5ok"));
        assert_eq!(read(b"250 2.01.5 ok\r\n"), reply(250, "", "2.01.5 ok"));
        assert_eq!(read(b"250 a\0b\r\n"), reply(250, "", "a?b"));
        assert_eq!(read(b"250-a\r\n"), Ok(None));
    }

    #[test]
    fn what_is_no_reply() {
        lmtp_testkit::proves!("R5321-2.3.8-a", "R5321-4.2.1-c");
        let problem = |text| match read(text) {
            Err(Error::Syntax { problem, .. }) => problem,
            other => panic!("{other:?}"),
        };
        for text in [
            "\r\n",
            "25 ok\r\n",
            "2500 ok\r\n",
            "199 ok\r\n",
            "600 ok\r\n",
            "ok\r\n",
            "250ok\r\n",
            "250\tok\r\n",
            " 250 ok\r\n",
        ] {
            assert_eq!(problem(text.as_bytes()), SyntaxError::NoCode, "{text:?}");
        }
        assert_eq!(problem(b"250-a\r\n251 b\r\n"), SyntaxError::MixedCodes);
        assert_eq!(problem(b"250 a\n"), SyntaxError::BareLf);
        assert_eq!(problem(b"250 a\rb\r\n"), SyntaxError::BareCr);
    }

    #[test]
    fn limits_hold() {
        lmtp_testkit::proves!("R5321-4.5.3.1.5-b");
        let limits = Limits { reply_line: 16, reply_size: 40, ..Limits::default() };
        let read = |text: &str| ReplyReader::new().read(&mut BytesMut::from(text), &limits, Phase::Data);
        assert!(read("250 0123456789\r\n").is_ok());
        assert_eq!(read("250 01234567890\r\n"), Err(Error::Limit { phase: Phase::Data, limit: Limit::ReplyLine }));
        let endless = "250-0123456789\r\n".repeat(3);
        assert_eq!(read(&endless), Err(Error::Limit { phase: Phase::Data, limit: Limit::ReplySize }));
        // Lines without text count as well.
        let empty = "250-\r\n".repeat(30);
        assert_eq!(read(&empty), Err(Error::Limit { phase: Phase::Data, limit: Limit::ReplySize }));
    }
}
