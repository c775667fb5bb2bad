//! EXTERNAL: what the line itself proved, such as a client certificate
//! (RFC 4422 appendix A).

use std::{fmt, mem, str};

use lmtp_proto::auth::{AuthError, Mechanism, Step};

use crate::verifier::{Verifier, authorized};
use crate::{InvalidCredentials, prepare};

const NAME: &str = "EXTERNAL";

/// The client of EXTERNAL. It says no secret, at most a name.
#[derive(Debug, Default)]
pub struct ExternalClient {
    authzid: Option<String>,
    state: Client,
}

#[derive(Debug, Default, PartialEq)]
enum Client {
    #[default]
    Begin,
    Said,
    Over,
}

impl ExternalClient {
    /// Whoever the server takes us for.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, acting for a name.
    ///
    /// # Errors
    ///
    /// The name cannot be prepared.
    pub fn with_authzid(mut self, authzid: &str) -> Result<Self, InvalidCredentials> {
        self.authzid = Some(prepare::to_say(authzid)?);
        Ok(self)
    }
}

impl Mechanism for ExternalClient {
    fn name(&self) -> &str {
        NAME
    }

    fn reveals_secret(&self) -> bool {
        false
    }

    fn step(&mut self, heard: Option<&[u8]>) -> Result<Step, AuthError> {
        match (mem::replace(&mut self.state, Client::Over), heard) {
            (Client::Begin, None) => {
                self.state = Client::Said;
                Ok(Step::Say(self.authzid.clone().unwrap_or_default().into_bytes()))
            }
            _ => Err(AuthError::TooManySteps),
        }
    }

    fn is_complete(&self) -> bool {
        self.state == Client::Said
    }
}

/// The server of EXTERNAL. To be offered only where the line has proved
/// something.
pub struct ExternalServer<V> {
    verifier: V,
    authcid: Option<String>,
    state: Server,
}

#[derive(Debug, PartialEq)]
enum Server {
    Begin,
    Asked,
    Done,
    Over,
}

impl<V: Verifier> ExternalServer<V> {
    /// A server that knows who the client is, from its certificate, say; if it
    /// does not, everybody is refused. `verifier` is asked whether it may act for
    /// the name that it gives.
    pub fn new(verifier: V, authcid: Option<String>) -> Self {
        Self { verifier, authcid, state: Server::Begin }
    }
}

impl<V: Verifier + Send> Mechanism for ExternalServer<V> {
    fn name(&self) -> &str {
        NAME
    }

    fn reveals_secret(&self) -> bool {
        false
    }

    fn step(&mut self, heard: Option<&[u8]>) -> Result<Step, AuthError> {
        match (mem::replace(&mut self.state, Server::Over), heard) {
            (Server::Begin, None) => {
                self.state = Server::Asked;
                Ok(Step::Say(Vec::new()))
            }
            (Server::Begin | Server::Asked, Some(message)) => {
                let authzid = match str::from_utf8(message) {
                    Ok("") => None,
                    Ok(authzid) if !authzid.contains('\0') => Some(prepare::heard(authzid)?),
                    _ => return Err(AuthError::Malformed),
                };
                let authcid = self.authcid.clone().ok_or(AuthError::Refused)?;
                let identity = authorized(&self.verifier, authcid, authzid)?;
                self.state = Server::Done;
                Ok(Step::Done(identity))
            }
            _ => Err(AuthError::TooManySteps),
        }
    }

    fn is_complete(&self) -> bool {
        self.state == Server::Done
    }
}

impl<V> fmt::Debug for ExternalServer<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authcid, state, .. } = self;
        f.debug_struct("ExternalServer").field("authcid", authcid).field("state", state).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::tests::One;

    fn server(authcid: Option<&str>) -> ExternalServer<One> {
        ExternalServer::new(One("", ""), authcid.map(str::to_owned))
    }

    /// RFC 4422 appendix A.2.
    #[test]
    fn the_examples_of_rfc_4422() {
        let mut client = ExternalClient::new();
        assert_eq!(client.step(None), Ok(Step::Say(Vec::new())));
        assert!(client.is_complete());
        let mut empty = server(Some("mx.example.org"));
        assert_eq!(empty.step(None), Ok(Step::Say(Vec::new())));
        let Ok(Step::Done(identity)) = empty.step(Some(b"")) else { panic!("{empty:?}") };
        assert_eq!((identity.authcid.as_str(), identity.authzid), ("mx.example.org", None));

        let mut client = ExternalClient::new().with_authzid("fred@example.com").unwrap();
        assert_eq!(client.step(None), Ok(Step::Say(b"fred@example.com".to_vec())));
        assert_eq!(server(Some("mx.example.org")).step(Some(b"fred@example.com")), Err(AuthError::Refused));
    }

    #[test]
    fn the_own_name_may_be_given() {
        let mut server = server(Some("fred@example.com"));
        let Ok(Step::Done(identity)) = server.step(Some(b"fred@example.com")) else { panic!("{server:?}") };
        assert_eq!(identity.authzid.as_deref(), Some("fred@example.com"));
        assert_eq!(server.step(Some(b"")), Err(AuthError::TooManySteps));
        assert!(!server.is_complete());
    }

    #[test]
    fn who_is_not_known_is_refused() {
        assert_eq!(server(None).step(Some(b"")), Err(AuthError::Refused));
        assert_eq!(server(None).step(Some(b"ann")), Err(AuthError::Refused));
        assert_eq!(server(Some("ann")).step(Some(b"a\0b")), Err(AuthError::Malformed));
        assert_eq!(server(Some("ann")).step(Some(b"\xff")), Err(AuthError::Malformed));
        assert_eq!(server(Some("ann")).step(Some(b"\x07")), Err(AuthError::Refused));
    }
}
