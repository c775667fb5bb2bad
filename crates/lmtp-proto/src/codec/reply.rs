//! Replies (RFC 5321 section 4.2).

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::{Buf, BytesMut};
use nom::IResult;

use super::refused;
use crate::error::{SyntaxError, excerpt};
use crate::lines::{LineError, LineFinder, plain_line};
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
#[inline]
pub(crate) fn reply_line(input: &[u8]) -> IResult<&[u8], ReplyLine<'_>> {
    let (rest, code) = reply_code(input)?;
    let (more, text) = match rest {
        [b'-', text @ ..] => (true, text),
        [b' ', text @ ..] | text @ [] => (false, text),
        _ => return refused(input),
    };
    Ok((&[], ReplyLine { code, more, text }))
}

/// ```abnf
/// Reply-code = %x32-35 %x30-35 %x30-39
/// ```
///
/// Lenient: any second digit, as the first one decides (section 4.3.2).
#[inline]
fn reply_code(input: &[u8]) -> IResult<&[u8], ReplyCode> {
    match input {
        [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
            ReplyCode::new(decimal(&[*a, *b, *c])).map_or_else(|_| refused(input), |code| Ok((rest, code)))
        }
        _ => refused(input),
    }
}

/// ```abnf
/// status-code = ("2" / "4" / "5") "." 1*3DIGIT "." 1*3DIGIT
/// ```
///
/// Without leading zeros (RFC 3463 section 2).
#[inline]
pub(crate) fn enhanced_code(input: &[u8]) -> IResult<&[u8], EnhancedCode> {
    match input {
        // Nearly all are of one digit each.
        [class, b'.', subject @ b'0'..=b'9', b'.', detail @ b'0'..=b'9', rest @ ..]
            if !rest.first().is_some_and(u8::is_ascii_digit) =>
        {
            let code = EnhancedCode::new(class.wrapping_sub(b'0'), decimal(&[*subject]), decimal(&[*detail]));
            code.map_or_else(|_| refused(input), |code| Ok((rest, code)))
        }
        [_, b'.', ..] => long_enhanced_code(input),
        _ => refused(input),
    }
}

/// An enhanced code of more digits.
#[cold]
fn long_enhanced_code(input: &[u8]) -> IResult<&[u8], EnhancedCode> {
    let [class @ (b'2' | b'4' | b'5'), b'.', rest @ ..] = input else { return refused(input) };
    let (rest, subject) = sub_code(rest)?;
    let Some(rest) = rest.strip_prefix(b".") else { return refused(input) };
    let (rest, detail) = sub_code(rest)?;
    EnhancedCode::new(class & 0xF, subject, detail).map_or_else(|_| refused(input), |code| Ok((rest, code)))
}

/// One to three digits, the first of several not 0.
#[inline]
fn sub_code(input: &[u8]) -> IResult<&[u8], u16> {
    let [digit @ b'0'..=b'9', rest @ ..] = input else { return refused(input) };
    let (mut rest, mut code) = (rest, decimal(&[*digit]));
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        // Behind a 0, or a fourth one.
        if !(1..=99).contains(&code) {
            return refused(input);
        }
        (rest, code) = (behind, code.wrapping_mul(10).wrapping_add(decimal(&[*digit])));
    }
    Ok((rest, code))
}

/// The number that a few digits stand for.
#[inline]
fn decimal(digits: &[u8]) -> u16 {
    digits.iter().fold(0, |number: u16, digit| number.wrapping_mul(10).wrapping_add((digit & 0xF).into()))
}

/// `status-code 1*SP` at the start of a line's text (RFC 2034 section 4), of the
/// class of the line's code, and the text behind it.
#[inline]
fn leading_code(code: ReplyCode, text: &[u8]) -> Option<(EnhancedCode, &[u8])> {
    match enhanced_code(text).ok()? {
        ([b' ', text @ ..] | text @ [], enhanced) if enhanced.fits(code.class()) => Some((enhanced, text)),
        _ => None,
    }
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
    /// Whether there may be a NUL in the text.
    odd: bool,
    /// Octets read for it, line ends and all.
    size: usize,
}

impl Assembler {
    /// Takes one more line's text.
    #[inline]
    pub(crate) fn line(&mut self, code: ReplyCode, text: &[u8]) {
        let found = leading_code(code, text);
        if self.code.is_none() {
            self.enhanced = found.map(|(enhanced, _)| enhanced);
        } else {
            self.text.push(b'\n');
        }
        self.code = Some(code);
        let plain = found.filter(|(enhanced, _)| self.enhanced == Some(*enhanced)).map_or(text, |(_, plain)| plain);
        self.text.extend_from_slice(plain);
    }

    /// The reply, of the code that its lines had.
    #[inline]
    pub(crate) fn finish(&mut self, code: ReplyCode) -> Reply {
        // A NUL means nothing in a text and much to what may print it.
        if self.odd {
            self.text.iter_mut().filter(|octet| **octet == 0).for_each(|octet| *octet = b'?');
        }
        let (enhanced, text) = (self.enhanced, Arc::<[u8]>::from(self.text.as_slice()));
        self.text.clear();
        self.text.shrink_to(KEPT);
        (self.code, self.enhanced, self.odd, self.size) = (None, None, false, 0);
        // Put together last, so that it is where it is wanted and is not moved there.
        Reply::from_shared(code, enhanced, text)
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
        if self.assembler.code.is_none()
            && self.finder.is_fresh()
            && let Some((length, reply)) = plain_reply(input, limits)
        {
            input.advance(length);
            return Ok(Some(reply));
        }
        self.read_lines(input, limits, phase)
    }

    /// Reads line by line, however long it takes.
    fn read_lines(&mut self, input: &mut BytesMut, limits: &Limits, phase: Phase) -> Result<Option<Reply>, Error> {
        let mut taken = 0;
        loop {
            let rest = input.get(taken..).unwrap_or_default();
            let length = if self.finder.is_fresh()
                && let Some(length) = plain_line(rest, limits.reply_line)
            {
                length
            } else if let Some(length) = self.odd_line(rest, limits, phase)? {
                length
            } else {
                input.advance(taken);
                return Ok(None);
            };
            let line = rest.get(..length).unwrap_or_default();
            let syntax = |problem| Error::Syntax { phase, problem, line: excerpt(line) };
            let Ok((_, ReplyLine { code, more, text })) = reply_line(line) else {
                return Err(syntax(SyntaxError::NoCode));
            };
            if self.assembler.code.is_some_and(|first| first != code) {
                return Err(syntax(SyntaxError::MixedCodes));
            }
            let length = length.saturating_add(2);
            taken = taken.saturating_add(length);
            self.assembler.size = self.assembler.size.saturating_add(length);
            if self.assembler.size > limits.reply_size {
                return Err(Error::Limit { phase, limit: Limit::ReplySize });
            }
            self.assembler.line(code, text);
            if more {
                continue;
            }
            input.advance(taken);
            return Ok(Some(self.assembler.finish(code)));
        }
    }

    /// The length of a line that is not plain or came in pieces; `None` while it is
    /// incomplete.
    #[cold]
    fn odd_line(&mut self, input: &[u8], limits: &Limits, phase: Phase) -> Result<Option<usize>, Error> {
        self.assembler.odd = true;
        self.finder.find(input, limits.reply_line).map_err(|problem| match problem {
            LineError::TooLong => Error::Limit { phase, limit: Limit::ReplyLine },
            LineError::Syntax(problem) => Error::Syntax { phase, problem, line: excerpt(until_line_feed(input)) },
        })
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

/// A reply like nearly all: one whole line in which nothing is odd, so that there
/// is nothing to gather. With the octets that it takes.
#[inline]
fn plain_reply(input: &[u8], limits: &Limits) -> Option<(usize, Reply)> {
    if input.get(3) == Some(&b'-') {
        return None;
    }
    let length = plain_line(input, limits.reply_line.min(limits.reply_size))?;
    let (_, ReplyLine { code, text, .. }) = reply_line(input.get(..length)?).ok()?;
    let (enhanced, text) = leading_code(code, text).map_or((None, text), |(enhanced, text)| (Some(enhanced), text));
    Some((length.saturating_add(2), Reply::from_shared(code, enhanced, Arc::from(text))))
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

    /// What was searched of a line that came in pieces is forgotten with it.
    #[test]
    fn a_line_in_pieces_leaves_nothing_to_the_next() {
        const LONG: &[u8] = b"250 a reply that comes in two pieces\r\n";
        for cut in 0..LONG.len() {
            let (mut reader, mut input) = (ReplyReader::new(), BytesMut::new());
            let mut read = |octets: &[u8]| {
                input.extend_from_slice(octets);
                reader.read(&mut input, &Limits::default(), Phase::Mail)
            };
            assert_eq!(read(&LONG[..cut]), Ok(None));
            assert!(matches!(read(&LONG[cut..]), Ok(Some(_))), "cut at {cut}");
            assert!(
                matches!(read(b"250 b\n250 and more than the last\r\n"), Err(Error::Syntax { .. })),
                "cut at {cut}"
            );
        }
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
