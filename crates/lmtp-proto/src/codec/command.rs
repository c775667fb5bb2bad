//! Commands (RFC 2033 section 4, RFC 5321 section 4.1.1), as a server reads
//! them.

use core::str;

use nom::bytes::complete::take_while_m_n;
use nom::{IResult, Parser};

use super::param::{RawParam, esmtp_param};
use super::path::{self, FoundMailbox};
use super::{enter, number, parsed, run};
use crate::command_error::CommandError;
use crate::value::{
    AddressProblem, AuthResponse, ClientAttributes, Command, CommandText, Domain, ForwardPath, InvalidClientAttributes,
    Keyword, LhloName, MailParams, MechanismName, RcptParams, ReversePath, Verb,
};

/// What is taken although the grammar does not allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Leniency {
    /// `RCPT TO:<alice>`: a recipient without a domain, as Cyrus takes it.
    pub local_names: bool,
    /// More than one space between words, and spaces around the colon of
    /// `FROM:` and `TO:` (RFC 5321 section 3.3).
    pub extra_spaces: bool,
}

/// Reads a command, given without its CRLF, by the rules alone.
///
/// White space at its end is dropped (RFC 5321 section 4.1.1). Addresses and
/// values may hold UTF-8: whether the client may send it is for the caller to
/// see, and each value has an `is_ascii`. A parameter that this library does
/// not know is kept, not refused.
///
/// # Errors
///
/// It is no command; [`CommandError::reply`] is the answer to it.
pub fn parse_command(line: &[u8]) -> Result<Command, CommandError> {
    parse_command_with(line, Leniency::default())
}

/// Reads a command as [`parse_command`] does, but takes more.
///
/// # Errors
///
/// It is no command all the same.
pub fn parse_command_with(line: &[u8], leniency: Leniency) -> Result<Command, CommandError> {
    let line = trim_end(line);
    let Some((verb, rest)) = verb(line) else { return Err(no_verb(line)) };
    let mut input = Input { line: rest, rest, verb, leniency };
    match verb {
        Verb::Mail => input.mail(),
        Verb::Rcpt => input.rcpt(),
        Verb::Data => input.end().map(|()| Command::Data),
        Verb::Bdat => input.bdat(),
        Verb::Rset => input.end().map(|()| Command::Rset),
        Verb::Quit => input.end().map(|()| Command::Quit),
        Verb::Lhlo => input.lhlo_name().map(Command::Lhlo),
        // What NOOP says means nothing, so it need not mean anything.
        Verb::Noop => Ok(Command::Noop(input.text().ok())),
        Verb::Help if rest.is_empty() => Ok(Command::Help(None)),
        Verb::Help => input.text().map(|text| Command::Help(Some(text))),
        Verb::Vrfy => input.text().map(Command::Vrfy),
        Verb::Expn => input.text().map(Command::Expn),
        Verb::StartTls => input.end().map(|()| Command::StartTls),
        Verb::Auth => input.auth(),
        Verb::Xclient => input.client_attributes().map(Command::Xclient),
        Verb::Xforward => input.client_attributes().map(Command::Xforward),
        Verb::Trace => input.text_as().map(Command::Trace),
    }
}

fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

fn trim_end(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., last] = line
        && is_blank(*last)
    {
        line = rest;
    }
    line
}

/// The verb that a line begins with, in any case (RFC 5321 section 2.4), and
/// what follows it.
#[inline]
fn verb(line: &[u8]) -> Option<(Verb, &[u8])> {
    let (start, rest) = line.split_first_chunk::<4>()?;
    // Nearly all have four letters, compared here as one number.
    let verb = match in_upper_case(*start) {
        LHLO => Verb::Lhlo,
        MAIL => Verb::Mail,
        RCPT => Verb::Rcpt,
        DATA => Verb::Data,
        BDAT => Verb::Bdat,
        RSET => Verb::Rset,
        NOOP => Verb::Noop,
        VRFY => Verb::Vrfy,
        EXPN => Verb::Expn,
        HELP => Verb::Help,
        QUIT => Verb::Quit,
        AUTH => Verb::Auth,
        _ => return long_verb(line),
    };
    rest.first().is_none_or(|&octet| is_blank(octet)).then_some((verb, rest))
}

/// Four letters as one number, in upper case. Without the bit that tells the
/// cases apart, a letter is like no other octet.
const fn in_upper_case(letters: [u8; 4]) -> u32 {
    u32::from_be_bytes(letters) & 0xDFDF_DFDF
}

const LHLO: u32 = in_upper_case(*b"LHLO");
const MAIL: u32 = in_upper_case(*b"MAIL");
const RCPT: u32 = in_upper_case(*b"RCPT");
const DATA: u32 = in_upper_case(*b"DATA");
const BDAT: u32 = in_upper_case(*b"BDAT");
const RSET: u32 = in_upper_case(*b"RSET");
const NOOP: u32 = in_upper_case(*b"NOOP");
const VRFY: u32 = in_upper_case(*b"VRFY");
const EXPN: u32 = in_upper_case(*b"EXPN");
const HELP: u32 = in_upper_case(*b"HELP");
const QUIT: u32 = in_upper_case(*b"QUIT");
const AUTH: u32 = in_upper_case(*b"AUTH");

/// A verb of more than four letters, and what follows it.
#[cold]
fn long_verb(line: &[u8]) -> Option<(Verb, &[u8])> {
    let end = line.iter().position(|&octet| is_blank(octet)).unwrap_or(line.len());
    let (word, rest) = line.split_at_checked(end)?;
    let verb = Verb::ALL.iter().find(|verb| verb.as_str().as_bytes().eq_ignore_ascii_case(word))?;
    Some((*verb, rest))
}

/// What a line is that does not begin with a verb.
fn no_verb(line: &[u8]) -> CommandError {
    match line.split(|&octet| is_blank(octet)).next() {
        _ if line.is_empty() => CommandError::Empty,
        Some(word) if ["HELO", "EHLO"].iter().any(|smtp| word.eq_ignore_ascii_case(smtp.as_bytes())) => {
            CommandError::Helo
        }
        _ => CommandError::UnknownVerb,
    }
}

/// What follows a verb.
struct Input<'a> {
    /// All of it.
    line: &'a [u8],
    /// What has not been read.
    rest: &'a [u8],
    verb: Verb,
    leniency: Leniency,
}

impl<'a> Input<'a> {
    fn syntax(&self) -> CommandError {
        CommandError::Syntax(self.verb)
    }

    /// What is wrong with a part of the line, unless the line is no text at all.
    #[cold]
    fn wrong(&self, error: CommandError) -> CommandError {
        if str::from_utf8(self.line).is_ok() { error } else { self.syntax() }
    }

    /// ```abnf
    /// "DATA" / "RSET" / "QUIT" / "STARTTLS"
    /// ```
    ///
    /// Nothing follows.
    fn end(&self) -> Result<(), CommandError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.syntax()) }
    }

    /// The space before the next word.
    #[inline]
    fn space(&mut self) -> Result<(), CommandError> {
        self.rest = self.rest.strip_prefix(b" ").ok_or_else(|| self.syntax())?;
        self.spaces();
        Ok(())
    }

    /// Spaces that need not be there.
    #[inline]
    fn spaces(&mut self) {
        while self.leniency.extra_spaces
            && let Some(rest) = self.rest.strip_prefix(b" ")
        {
            self.rest = rest;
        }
    }

    /// What a rule of the grammar makes of what it takes.
    #[inline]
    fn rule<T>(&mut self, rule: impl Fn(&'a [u8]) -> IResult<&'a [u8], T>) -> Option<T> {
        let (rest, made) = rule(self.rest).ok()?;
        self.rest = rest;
        Some(made)
    }

    /// The next word and the space before it; `None` at the end.
    #[inline]
    fn word(&mut self) -> Result<Option<&'a [u8]>, CommandError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.space()?;
        Ok(self.rule(|input| run(|octet| octet != b' ', input)).or(Some(b"")))
    }

    /// All that follows the space, as a value.
    fn text_as<T: str::FromStr>(&mut self) -> Result<T, CommandError> {
        self.space()?;
        parsed(self.rest).ok_or_else(|| self.syntax())
    }

    fn text(&mut self) -> Result<CommandText, CommandError> {
        self.text_as()
    }

    /// ```abnf
    /// lhlo = "LHLO" SP ( Domain / address-literal )
    /// ```
    fn lhlo_name(&mut self) -> Result<LhloName, CommandError> {
        let name: Domain = self.text_as()?;
        LhloName::try_from(name).map_err(|_| CommandError::NotAscii(self.verb))
    }

    /// ```abnf
    /// mail = "MAIL FROM:" Reverse-path [SP Mail-parameters]
    /// Reverse-path = Path / "<>"
    /// ```
    #[inline]
    fn mail(&mut self) -> Result<Command, CommandError> {
        self.keyword_and_colon(b"FROM")?;
        let from = if let Some(rest) = self.rest.strip_prefix(b"<>") {
            self.rest = rest;
            ReversePath::Null
        } else {
            let found = self.rule(path::path).ok_or_else(|| path::problem(self.rest)).and_then(FoundMailbox::made);
            ReversePath::Mailbox(found.map_err(|problem| self.wrong(CommandError::BadSender(problem)))?)
        };
        let mut params = MailParams::default();
        self.params(|param| enter::mail(&mut params, param))?;
        Ok(Command::Mail(from, params))
    }

    /// ```abnf
    /// rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path )
    ///        [SP Rcpt-parameters]
    /// Forward-path = Path
    /// ```
    #[inline]
    fn rcpt(&mut self) -> Result<Command, CommandError> {
        self.keyword_and_colon(b"TO")?;
        let to = match self.rule(path::path) {
            Some(found) => found.made().map(ForwardPath::Mailbox),
            None => self.local_recipient(),
        };
        let to = to.map_err(|problem| self.wrong(CommandError::BadRecipient(problem)))?;
        let mut params = RcptParams::default();
        self.params(|param| enter::rcpt(&mut params, param))?;
        Ok(Command::Rcpt(to, params))
    }

    /// ```abnf
    /// "<Postmaster>" / "<" Local-part ">"
    /// ```
    ///
    /// The latter only where [`Leniency::local_names`] allows it.
    #[cold]
    fn local_recipient(&mut self) -> Result<ForwardPath, AddressProblem> {
        let Some(name) = self.rule(path::local_path) else { return Err(path::problem(self.rest)) };
        let name = str::from_utf8(name).map_err(|_| AddressProblem::Syntax)?;
        if !name.eq_ignore_ascii_case("postmaster") && !self.leniency.local_names {
            return Err(AddressProblem::NoDomain);
        }
        ForwardPath::local(name).map_err(|error| error.problem())
    }

    /// ```abnf
    /// SP ( "FROM" / "TO" ) ":"
    /// ```
    #[inline]
    fn keyword_and_colon<const N: usize>(&mut self, keyword: &[u8; N]) -> Result<(), CommandError> {
        self.space()?;
        match self.rest.split_first_chunk::<N>() {
            Some((word, rest)) if word.eq_ignore_ascii_case(keyword) => self.rest = rest,
            _ => return Err(self.syntax()),
        }
        self.spaces();
        self.rest = self.rest.strip_prefix(b":").ok_or_else(|| self.syntax())?;
        self.spaces();
        Ok(())
    }

    /// ```abnf
    /// *( SP esmtp-param )
    /// ```
    ///
    /// Each is handed to `enter`.
    #[inline]
    fn params(&mut self, mut enter: impl FnMut(RawParam<'a>) -> Result<(), CommandError>) -> Result<(), CommandError> {
        while !self.rest.is_empty() {
            self.space()?;
            let param = self.rule(esmtp_param).ok_or_else(|| self.syntax())?;
            enter(param).map_err(|error| self.wrong(error))?;
        }
        Ok(())
    }

    /// ```abnf
    /// bdat       = "BDAT" SP chunk-size [SP "LAST"]
    /// chunk-size = 1*DIGIT
    /// ```
    #[inline]
    fn bdat(&mut self) -> Result<Command, CommandError> {
        self.space()?;
        let size = self.rule(number(1, usize::MAX)).ok_or_else(|| self.syntax())?;
        let last = match self.word()? {
            None => false,
            Some(word) if word.eq_ignore_ascii_case(b"LAST") && self.rest.is_empty() => true,
            Some(_) => return Err(self.syntax()),
        };
        size.map(|size| Command::Bdat { size, last }).ok_or(CommandError::ChunkTooLarge)
    }

    /// ```abnf
    /// auth = "AUTH" SP sasl-mech [SP initial-response]
    /// initial-response = base64 / "="
    /// ```
    fn auth(&mut self) -> Result<Command, CommandError> {
        let mechanism: MechanismName = self.word()?.and_then(parsed).ok_or_else(|| self.syntax())?;
        let response = match self.word()? {
            None => None,
            Some(word) => Some(AuthResponse::from_base64(word).map_err(|_| self.syntax())?),
        };
        if self.rest.is_empty() { Ok(Command::Auth(mechanism, response)) } else { Err(self.syntax()) }
    }

    /// ```abnf
    /// 1*( SP attribute-name "=" attribute-value )
    /// ```
    fn client_attributes(&mut self) -> Result<ClientAttributes, CommandError> {
        let mut attributes = alloc::vec::Vec::new();
        while let Some(word) = self.word()? {
            let equals = word.iter().position(|&octet| octet == b'=').ok_or_else(|| self.syntax())?;
            let (name, value) = word.split_at_checked(equals).ok_or_else(|| self.syntax())?;
            let name = parsed(name).ok_or_else(|| self.syntax())?;
            let value = value.strip_prefix(b"=").and_then(parsed);
            let value = value.ok_or_else(|| self.wrong(CommandError::BadParameter(keyword(&name))))?;
            attributes.push((name, value));
        }
        ClientAttributes::new(attributes).map_err(|error| match error {
            InvalidClientAttributes::Repeated(name) => self.wrong(CommandError::RepeatedParameter(keyword(&name))),
            InvalidClientAttributes::Empty => self.syntax(),
        })
    }
}

fn keyword(attribute: &crate::value::ClientAttribute) -> Keyword {
    Keyword::from_checked(attribute.as_str())
}

/// ```abnf
/// sasl-mech = 1*20( ALPHA / DIGIT / "-" / "_" )
/// ```
///
/// (RFC 4422 section 3.1; letters of either case.)
pub(crate) fn sasl_mech(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while_m_n(1, 20, |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_')).parse(input)
}

/// ```abnf
/// trace-id = 1*255( ALPHA / DIGIT / "-" / "_" / "." )
/// ```
pub(crate) fn trace_id(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while_m_n(1, 255, |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.'))
        .parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Octets that are no UTF-8 are what is wrong with a line, whatever else is.
    #[test]
    fn a_line_that_is_no_text_is_a_syntax_error() {
        for line in [&b"MAIL FROM:<a@b> SIZE=x Y=\xff"[..], b"MAIL FROM:<a\xff@b>", b"MAIL FROM:<> SIZE=1 SIZE=1 \xff"]
        {
            assert_eq!(parse_command(line), Err(CommandError::Syntax(Verb::Mail)), "{}", line.escape_ascii());
        }
        for line in [&b"RCPT TO:<a> \xff"[..], b"RCPT TO:<a@b> NOTIFY=x Y=\xff"] {
            assert_eq!(parse_command(line), Err(CommandError::Syntax(Verb::Rcpt)), "{}", line.escape_ascii());
        }
        let keyword = "SIZE".parse().unwrap();
        assert_eq!(parse_command(b"MAIL FROM:<a@b> SIZE=x"), Err(CommandError::BadParameter(keyword)));
    }

    /// The bit that tells the cases of a letter apart tells other octets apart, too.
    #[test]
    fn a_verb_is_compared_exactly() {
        assert_eq!(parse_command(b"rSeT"), Ok(Command::Rset));
        for line in [&b"RSE\x14"[..], b"RSE4", b"RSETX", b"RSE"] {
            assert_eq!(parse_command(line), Err(CommandError::UnknownVerb), "{}", line.escape_ascii());
        }
    }
}
