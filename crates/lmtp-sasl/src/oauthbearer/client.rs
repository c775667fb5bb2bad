//! The client's side.

use std::{fmt, mem};

use lmtp_proto::auth::{AuthError, Mechanism, Step};

use super::{NAME, SEPARATOR, is_token};
use crate::{InvalidCredentials, Secret, gs2, prepare};

/// The client of OAUTHBEARER. For encrypted lines only: it says the token
/// (R7628-3-a).
pub struct OauthBearerClient {
    token: Secret,
    authzid: Option<String>,
    server: Option<(String, u16)>,
    state: State,
}

#[derive(Debug, PartialEq)]
enum State {
    Begin,
    Said,
    Over,
}

impl OauthBearerClient {
    /// Whoever holds a token.
    ///
    /// # Errors
    ///
    /// It is not a token of RFC 6750 section 2.1.
    pub fn new(token: impl Into<Secret>) -> Result<Self, InvalidCredentials> {
        let token = token.into();
        if !is_token(token.expose()) {
            return Err(InvalidCredentials::Token);
        }
        Ok(Self { token, authzid: None, server: None, state: State::Begin })
    }

    /// The same, acting for a name: usually the mailbox whose token it is.
    ///
    /// # Errors
    ///
    /// The name cannot be prepared.
    pub fn with_authzid(mut self, authzid: &str) -> Result<Self, InvalidCredentials> {
        self.authzid = Some(prepare::to_say(authzid)?);
        Ok(self)
    }

    /// The same, telling the server whom it was dialled as.
    ///
    /// # Errors
    ///
    /// The host is empty or holds what is not visible ASCII.
    pub fn with_server(mut self, host: &str, port: u16) -> Result<Self, InvalidCredentials> {
        if host.is_empty() || !host.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(InvalidCredentials::Host);
        }
        self.server = Some((host.to_owned(), port));
        Ok(self)
    }

    /// ```abnf
    /// client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep
    /// kvpair      = key "=" value kvsep
    /// ```
    fn response(&self) -> Vec<u8> {
        let header = gs2::header(self.authzid.as_deref());
        let server = match &self.server {
            Some((host, port)) => format!("host={host}{SEPARATOR}port={port}{SEPARATOR}"),
            None => String::new(),
        };
        let token = self.token.expose();
        format!("{header}{SEPARATOR}{server}auth=Bearer {token}{SEPARATOR}{SEPARATOR}").into_bytes()
    }
}

impl Mechanism for OauthBearerClient {
    fn name(&self) -> &str {
        NAME
    }

    fn reveals_secret(&self) -> bool {
        true
    }

    fn step(&mut self, heard: Option<&[u8]>) -> Result<Step, AuthError> {
        match (mem::replace(&mut self.state, State::Over), heard) {
            (State::Begin, None) => {
                self.state = State::Said;
                Ok(Step::Say(self.response()))
            }
            // An error in JSON, whatever it says: the refusal itself comes behind it.
            (State::Said, Some(_)) => Ok(Step::Say(vec![SEPARATOR as u8])),
            _ => Err(AuthError::TooManySteps),
        }
    }

    fn is_complete(&self) -> bool {
        self.state == State::Said
    }
}

impl fmt::Debug for OauthBearerClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authzid, server, state, .. } = self;
        let mut shown = f.debug_struct("OauthBearerClient");
        shown.field("authzid", authzid).field("server", server).field("state", state).finish_non_exhaustive()
    }
}
