//! The server's side.

use std::fmt::Write as _;
use std::{fmt, mem, str};

use lmtp_proto::auth::{AuthError, Mechanism, Step};

use super::{NAME, SEPARATOR, is_token};
use crate::gs2::Gs2;
use crate::verifier::{Verifier, authorized};
use crate::{Secret, prepare};

/// What a client of OAUTHBEARER says.
#[derive(Debug, Clone, Copy)]
pub struct BearerToken<'a> {
    /// The token.
    pub token: &'a Secret,
    /// The name that it wants to act for, prepared.
    pub authzid: Option<&'a str>,
    /// The host that it dialled, chosen by the client. A server that knows its
    /// name compares (RFC 7628 section 3.2).
    pub host: Option<&'a str>,
    /// The port that it dialled.
    pub port: Option<u16>,
}

/// The server of OAUTHBEARER.
///
/// A client whose token is refused hears why in JSON, and is refused after its
/// answer (RFC 7628 section 3.2.3).
pub struct OauthBearerServer<V> {
    verifier: V,
    scope: Option<String>,
    openid_configuration: Option<String>,
    state: State,
}

#[derive(Debug, PartialEq)]
enum State {
    Begin,
    Asked,
    Failed,
    Done,
    Over,
}

impl<V: Verifier> OauthBearerServer<V> {
    /// A server that asks `verifier`.
    pub fn new(verifier: V) -> Self {
        Self { verifier, scope: None, openid_configuration: None, state: State::Begin }
    }

    /// The same, telling a refused client which scope it needs.
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// The same, telling a refused client the URL of an `OpenID` configuration.
    #[must_use]
    pub fn with_openid_configuration(mut self, url: impl Into<String>) -> Self {
        self.openid_configuration = Some(url.into());
        self
    }

    fn check(&self, message: &[u8]) -> Result<Step, AuthError> {
        let message = str::from_utf8(message).map_err(|_| AuthError::Malformed)?;
        let response = parse(message)?;
        let Some(token) = response.token else { return Err(AuthError::Refused) };
        let authzid = response.authzid.as_deref();
        let token = BearerToken { token: &token, authzid, host: response.host, port: response.port };
        let authcid = prepare::heard(&self.verifier.check_token(&token)?)?;
        authorized(&self.verifier, authcid, response.authzid).map(Step::Done)
    }

    /// RFC 7628 section 3.2.2.
    fn error(&self) -> String {
        let mut json = "{\"status\":\"invalid_token\"".to_owned();
        let members = [("scope", &self.scope), ("openid-configuration", &self.openid_configuration)];
        for (name, value) in members.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            let _ = write!(json, ",\"{name}\":\"");
            for c in value.chars() {
                let _ = match c {
                    '"' | '\\' => write!(json, "\\{c}"),
                    c if c.is_control() => write!(json, "\\u{:04x}", u32::from(c)),
                    c => write!(json, "{c}"),
                };
            }
            json.push('"');
        }
        json.push('}');
        json
    }
}

impl<V: Verifier + Send> Mechanism for OauthBearerServer<V> {
    fn name(&self) -> &str {
        NAME
    }

    fn reveals_secret(&self) -> bool {
        true
    }

    fn step(&mut self, heard: Option<&[u8]>) -> Result<Step, AuthError> {
        let (state, step) = match (mem::replace(&mut self.state, State::Over), heard) {
            (State::Begin, None) => (State::Asked, Step::Say(Vec::new())),
            (State::Begin | State::Asked, Some(message)) => match self.check(message) {
                Ok(step) => (State::Done, step),
                Err(AuthError::Refused) => (State::Failed, Step::Say(self.error().into_bytes())),
                Err(error) => return Err(error),
            },
            (State::Failed, Some(b"\x01")) => return Err(AuthError::Refused),
            (State::Failed, Some(_)) => return Err(AuthError::Malformed),
            _ => return Err(AuthError::TooManySteps),
        };
        self.state = state;
        Ok(step)
    }

    fn is_complete(&self) -> bool {
        self.state == State::Done
    }
}

impl<V> fmt::Debug for OauthBearerServer<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OauthBearerServer").field("state", &self.state).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Response<'a> {
    authzid: Option<String>,
    /// Nothing when the value of `auth` is empty: the client asks for the scope.
    token: Option<Secret>,
    host: Option<&'a str>,
    port: Option<u16>,
}

/// Takes a client's response apart. Unknown keys are ignored; of the known ones
/// none may come twice, for who knows which one somebody else would take.
fn parse(message: &str) -> Result<Response<'_>, AuthError> {
    let gs2 = Gs2::parse(message)?;
    let mut response = Response { authzid: gs2.authzid, ..Response::default() };
    let pairs = gs2.rest.strip_prefix(SEPARATOR).and_then(|rest| rest.strip_suffix(SEPARATOR));
    let mut auth = None;
    let mut pairs = pairs.ok_or(AuthError::Malformed)?;
    while !pairs.is_empty() {
        let (pair, rest) = pairs.split_once(SEPARATOR).ok_or(AuthError::Malformed)?;
        let (key, value) = pair.split_once('=').ok_or(AuthError::Malformed)?;
        let fits = |octet: u8| matches!(octet, b' '..=b'~' | b'\t' | b'\r' | b'\n');
        if key.is_empty() || !key.bytes().all(|octet| octet.is_ascii_alphabetic()) || !value.bytes().all(fits) {
            return Err(AuthError::Malformed);
        }
        let before = match key {
            "auth" => auth.replace(value).is_some(),
            "host" => response.host.replace(value).is_some(),
            "port" => response.port.replace(port(value)?).is_some(),
            _ => false,
        };
        if before {
            return Err(AuthError::Malformed);
        }
        pairs = rest;
    }
    response.token = match auth.ok_or(AuthError::Malformed)? {
        "" => None,
        auth => {
            let (scheme, token) = auth.split_once(' ').ok_or(AuthError::Malformed)?;
            let token = token.trim_start_matches(' ');
            if !scheme.eq_ignore_ascii_case("bearer") || !is_token(token) {
                return Err(AuthError::Malformed);
            }
            Some(Secret::from(token))
        }
    };
    Ok(response)
}

/// A decimal number without leading zeros.
fn port(text: &str) -> Result<u16, AuthError> {
    let plain = text.starts_with(|c| matches!(c, '1'..='9'));
    text.parse().ok().filter(|_| plain).ok_or(AuthError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::tests::One;

    fn answer(message: &str) -> Result<Step, AuthError> {
        OauthBearerServer::new(One("ann", "tok")).step(Some(message.as_bytes()))
    }

    #[test]
    fn what_is_taken() {
        lmtp_testkit::proves!("R7628-3.1-a");
        for message in [
            "n,,\u{1}auth=Bearer tok\u{1}\u{1}",
            "y,,\u{1}auth=BeArEr  tok\u{1}\u{1}",
            "n,a=ann,\u{1}host=h\u{1}port=24\u{1}auth=bearer tok\u{1}mthd=POST\u{1}mthd=POST\u{1}\u{1}",
        ] {
            assert!(matches!(answer(message), Ok(Step::Done(_))), "{message:?}");
        }
    }

    #[test]
    fn what_is_not_taken() {
        lmtp_testkit::proves!("R7628-3.1-a");
        for message in [
            "",
            "\u{1}",
            "n,,",
            "n,,\u{1}",
            "n,,\u{1}\u{1}",
            "n,,auth=Bearer tok\u{1}\u{1}",
            "n,,\u{1}auth=Bearer tok\u{1}",
            "n,,\u{1}auth=Bearertok\u{1}\u{1}",
            "n,,\u{1}auth=Basic tok\u{1}\u{1}",
            "n,,\u{1}auth=Bearer \u{1}\u{1}",
            "n,,\u{1}auth=Bearer tok\u{1}auth=Bearer tok\u{1}\u{1}",
            "n,,\u{1}host=a\u{1}host=b\u{1}auth=Bearer tok\u{1}\u{1}",
            "n,,\u{1}port=024\u{1}auth=Bearer tok\u{1}\u{1}",
            "n,,\u{1}port=65536\u{1}auth=Bearer tok\u{1}\u{1}",
            "n,,\u{1}a1=x\u{1}auth=Bearer tok\u{1}\u{1}",
            "n,,\u{1}=x\u{1}auth=Bearer tok\u{1}\u{1}",
            "n,,\u{1}x=\0\u{1}auth=Bearer tok\u{1}\u{1}",
            // RFC 7628 section 4.4 as printed; "user=" is no gs2-header.
            "n,user=someuser@example.com,\u{1}auth=Bearer tok\u{1}\u{1}",
        ] {
            assert_eq!(answer(message), Err(AuthError::Malformed), "{message:?}");
        }
        let mut server = OauthBearerServer::new(One("ann", "tok"));
        assert_eq!(server.step(Some(b"\xff")), Err(AuthError::Malformed));
    }

    #[test]
    fn a_refusal_is_told_first() {
        for message in ["n,,\u{1}auth=Bearer other\u{1}\u{1}", "n,a=bob,\u{1}auth=Bearer tok\u{1}\u{1}"] {
            let mut server = OauthBearerServer::new(One("ann", "tok")).with_scope("a\"\\\n");
            assert_eq!(server.step(None), Ok(Step::Say(Vec::new())));
            let json = r#"{"status":"invalid_token","scope":"a\"\\\u000a"}"#;
            assert_eq!(server.step(Some(message.as_bytes())), Ok(Step::Say(json.into())));
            assert_eq!(server.step(Some(b"")), Err(AuthError::Malformed));
            assert_eq!(server.step(Some(b"\x01")), Err(AuthError::TooManySteps));
        }
    }
}
