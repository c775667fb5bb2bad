//! The client's side of one AUTH exchange (RFC 4954 section 4).

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::Error;
use crate::auth::{AuthError, Mechanism, Step, decode_line, encode_line, needs_tls};
use crate::value::{AuthResponse, Command, MechanismName};

/// The longest command line, CRLF included (RFC 5321 section 4.5.3.1.4).
const LONGEST_LINE: usize = 512;

/// How an exchange begins.
#[derive(Debug)]
pub(super) enum Begin {
    /// With AUTH, the initial response beside it.
    Response(AuthResponse),
    /// With AUTH alone, the response when the server asks for it: it is too long
    /// for the line.
    Later(AuthResponse),
    /// With AUTH alone: the server speaks first.
    Listen,
}

impl Begin {
    /// What is shown in place of what is said.
    pub(super) const MASK: &str = "***";
}

/// One exchange. Its `Debug` is that of the mechanism, which shows no secret.
#[derive(Debug)]
pub(super) struct Exchange {
    mechanism: Box<dyn Mechanism>,
    name: MechanismName,
    begin: Begin,
    failed: Option<AuthError>,
}

impl Exchange {
    /// Begins with the first mechanism that the server offers, and that may be
    /// used on this line: what reveals a secret only where it is `secured` or that
    /// is allowed `in_clear`.
    pub(super) fn begin(
        mechanisms: Vec<Box<dyn Mechanism>>,
        offered: impl Iterator<Item = MechanismName>,
        secured: bool,
        in_clear: bool,
    ) -> Result<Self, Error> {
        let offered: Vec<_> = offered.collect();
        let fits = |mechanism: Box<dyn Mechanism>| {
            let name = offered.iter().find(|name| name.as_str().eq_ignore_ascii_case(mechanism.name()))?;
            let may = secured || (!needs_tls(name.as_str()) && (in_clear || !mechanism.reveals_secret()));
            may.then(|| (mechanism, name.clone()))
        };
        let (mut mechanism, name) = mechanisms.into_iter().find_map(fits).ok_or(Error::NoMechanism)?;
        let begin = match mechanism.step(None) {
            Ok(Step::Say(octets)) => AuthResponse::new(octets),
            Ok(Step::Listen) => return Ok(Self { mechanism, name, begin: Begin::Listen, failed: None }),
            Ok(Step::Done(_)) => return Err(Error::AuthFailed { problem: AuthError::TooManySteps, reply: None }),
            Err(problem) => return Err(Error::AuthFailed { problem, reply: None }),
        };
        let line = ["AUTH ", name.as_str(), " \r\n"].iter().map(|part| part.len()).sum::<usize>();
        let fits = line.saturating_add(begin.to_base64().len()) <= LONGEST_LINE;
        let begin = if fits { Begin::Response(begin) } else { Begin::Later(begin) };
        Ok(Self { mechanism, name, begin, failed: None })
    }

    pub(super) fn command(&self) -> Command {
        let response = match &self.begin {
            Begin::Response(response) => Some(response.clone()),
            Begin::Later(_) | Begin::Listen => None,
        };
        Command::Auth(self.name.clone(), response)
    }

    /// The line that answers a 334 of this text: `*` gives up.
    pub(super) fn respond(&mut self, challenge: &[u8]) -> String {
        let said =
            decode_line(challenge).and_then(|challenge| match core::mem::replace(&mut self.begin, Begin::Listen) {
                Begin::Later(response) => Ok(encode_line(response.as_bytes())),
                Begin::Response(_) | Begin::Listen => match self.mechanism.step(Some(&challenge))? {
                    Step::Say(octets) => Ok(encode_line(&octets)),
                    Step::Listen | Step::Done(_) => Err(AuthError::TooManySteps),
                },
            });
        said.unwrap_or_else(|problem| {
            self.failed = Some(problem);
            "*".to_string()
        })
    }

    /// Why it was given up, if it was.
    pub(super) fn failed(&self) -> Option<AuthError> {
        self.failed
    }

    pub(super) fn is_complete(&self) -> bool {
        self.mechanism.is_complete()
    }
}
