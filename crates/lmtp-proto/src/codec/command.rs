//! Commands (RFC 2033 section 4, RFC 5321 section 4.1.1), as a server reads
//! them.

use core::str;

use nom::bytes::complete::{tag_no_case, take_while_m_n};
use nom::{IResult, Parser};

use super::param::{RawParam, esmtp_param};
use super::{enter, number, path, whole};
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
    if line.is_empty() {
        return Err(CommandError::Empty);
    }
    let end = line.iter().position(|&octet| is_blank(octet)).unwrap_or(line.len());
    let (word, rest) = line.split_at_checked(end).unwrap_or_default();
    let verb = verb(word)?;
    let mut input = Input { rest, verb, leniency };
    let command = match verb {
        Verb::Mail => return input.mail(),
        Verb::Rcpt => return input.rcpt(),
        Verb::Xclient => Command::Xclient(input.client_attributes()?),
        Verb::Xforward => Command::Xforward(input.client_attributes()?),
        Verb::Auth => input.auth()?,
        Verb::Bdat => input.bdat()?,
        Verb::Lhlo => Command::Lhlo(input.lhlo_name()?),
        // What NOOP says means nothing, so it need not mean anything.
        Verb::Noop => Command::Noop(input.rest().ok().and_then(|rest| text(rest)?.parse().ok())),
        Verb::Help if input.rest.is_empty() => Command::Help(None),
        Verb::Help => Command::Help(Some(input.text()?)),
        Verb::Vrfy => Command::Vrfy(input.text()?),
        Verb::Expn => Command::Expn(input.text()?),
        Verb::Trace => Command::Trace(input.text_as()?),
        Verb::Data => input.alone(Command::Data)?,
        Verb::Rset => input.alone(Command::Rset)?,
        Verb::Quit => input.alone(Command::Quit)?,
        Verb::StartTls => input.alone(Command::StartTls)?,
    };
    Ok(command)
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

/// The verb of that name, in any case (RFC 5321 section 2.4).
fn verb(word: &[u8]) -> Result<Verb, CommandError> {
    let found = Verb::ALL.iter().copied().find(|verb| verb.as_str().as_bytes().eq_ignore_ascii_case(word));
    found.ok_or_else(|| match word {
        word if word.eq_ignore_ascii_case(b"HELO") || word.eq_ignore_ascii_case(b"EHLO") => CommandError::Helo,
        _ => CommandError::UnknownVerb,
    })
}

/// What follows a verb.
struct Input<'a> {
    rest: &'a [u8],
    verb: Verb,
    leniency: Leniency,
}

impl<'a> Input<'a> {
    fn syntax(&self) -> CommandError {
        CommandError::Syntax(self.verb)
    }

    /// ```abnf
    /// "DATA" / "RSET" / "QUIT" / "STARTTLS"
    /// ```
    fn alone(&self, command: Command) -> Result<Command, CommandError> {
        if self.rest.is_empty() { Ok(command) } else { Err(self.syntax()) }
    }

    /// The space before the next word.
    fn space(&mut self) -> Result<(), CommandError> {
        self.rest = self.rest.strip_prefix(b" ").ok_or_else(|| self.syntax())?;
        self.spaces();
        Ok(())
    }

    /// Spaces that need not be there.
    fn spaces(&mut self) {
        while self.leniency.extra_spaces
            && let Some(rest) = self.rest.strip_prefix(b" ")
        {
            self.rest = rest;
        }
    }

    /// All that follows the space.
    fn rest(&mut self) -> Result<&'a [u8], CommandError> {
        self.space()?;
        Ok(self.rest)
    }

    /// The next word and the space before it; `None` at the end.
    fn word(&mut self) -> Result<Option<&'a [u8]>, CommandError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.space()?;
        let end = memchr::memchr(b' ', self.rest).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        self.rest = rest;
        Ok(Some(word))
    }

    /// All that follows the space, as a value of text.
    fn text_as<T: str::FromStr>(&mut self) -> Result<T, CommandError> {
        let rest = self.rest()?;
        text(rest).and_then(|text| text.parse().ok()).ok_or_else(|| self.syntax())
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
    fn mail(&mut self) -> Result<Command, CommandError> {
        self.keyword_and_colon("FROM")?;
        let from = if let Some(rest) = self.rest.strip_prefix(b"<>") {
            self.rest = rest;
            ReversePath::Null
        } else {
            match path::path(self.rest) {
                Ok((rest, found)) => {
                    self.rest = rest;
                    ReversePath::Mailbox(found.mailbox().map_err(CommandError::BadSender)?)
                }
                Err(_) => return Err(CommandError::BadSender(path::problem(self.rest))),
            }
        };
        let mut params = MailParams::default();
        while let Some(param) = self.param()? {
            enter::mail(&mut params, param)?;
        }
        Ok(Command::Mail(from, params))
    }

    /// ```abnf
    /// rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path )
    ///        [SP Rcpt-parameters]
    /// Forward-path = Path
    /// ```
    fn rcpt(&mut self) -> Result<Command, CommandError> {
        self.keyword_and_colon("TO")?;
        let to = match path::path(self.rest) {
            Ok((rest, found)) => {
                self.rest = rest;
                ForwardPath::Mailbox(found.mailbox().map_err(CommandError::BadRecipient)?)
            }
            Err(_) => self.local_recipient()?,
        };
        let mut params = RcptParams::default();
        while let Some(param) = self.param()? {
            enter::rcpt(&mut params, param)?;
        }
        Ok(Command::Rcpt(to, params))
    }

    /// ```abnf
    /// "<Postmaster>" / "<" Local-part ">"
    /// ```
    ///
    /// The latter only where [`Leniency::local_names`] allows it.
    fn local_recipient(&mut self) -> Result<ForwardPath, CommandError> {
        let bad = CommandError::BadRecipient;
        let Ok((rest, local)) = path::local_path(self.rest) else {
            return Err(bad(path::problem(self.rest)));
        };
        let name = text(local).unwrap_or_default();
        if !name.eq_ignore_ascii_case("postmaster") && !self.leniency.local_names {
            return Err(bad(AddressProblem::NoDomain));
        }
        self.rest = rest;
        ForwardPath::local(name).map_err(|error| bad(error.problem()))
    }

    /// ```abnf
    /// SP ( "FROM" / "TO" ) ":"
    /// ```
    fn keyword_and_colon(&mut self, keyword: &str) -> Result<(), CommandError> {
        self.space()?;
        let found: IResult<_, _> = tag_no_case(keyword).parse(self.rest);
        (self.rest, _) = found.map_err(|_| self.syntax())?;
        self.spaces();
        self.rest = self.rest.strip_prefix(b":").ok_or_else(|| self.syntax())?;
        self.spaces();
        Ok(())
    }

    /// ```abnf
    /// *( SP esmtp-param )
    /// ```
    fn param(&mut self) -> Result<Option<RawParam<'a>>, CommandError> {
        let Some(word) = self.word()? else { return Ok(None) };
        whole(esmtp_param, word).map(Some).ok_or_else(|| self.syntax())
    }

    /// ```abnf
    /// bdat       = "BDAT" SP chunk-size [SP "LAST"]
    /// chunk-size = 1*DIGIT
    /// ```
    fn bdat(&mut self) -> Result<Command, CommandError> {
        let size = self.word()?.and_then(|word| whole(number(1, usize::MAX), word)).ok_or_else(|| self.syntax())?;
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
        let mechanism: MechanismName =
            self.word()?.and_then(text).and_then(|word| word.parse().ok()).ok_or_else(|| self.syntax())?;
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
            let (name, value) = text(word).and_then(|word| word.split_once('=')).ok_or_else(|| self.syntax())?;
            let name = name.parse().map_err(|_| self.syntax())?;
            let value = value.parse().map_err(|_| CommandError::BadParameter(keyword(&name)))?;
            attributes.push((name, value));
        }
        ClientAttributes::new(attributes).map_err(|error| match error {
            InvalidClientAttributes::Repeated(name) => CommandError::RepeatedParameter(keyword(&name)),
            InvalidClientAttributes::Empty => self.syntax(),
        })
    }
}

fn keyword(attribute: &crate::value::ClientAttribute) -> Keyword {
    Keyword::from_checked(attribute.as_str().as_bytes())
}

fn text(octets: &[u8]) -> Option<&str> {
    str::from_utf8(octets).ok()
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
