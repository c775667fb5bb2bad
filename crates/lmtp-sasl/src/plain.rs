//! PLAIN: a name and a password, as they are (RFC 4616).

use std::{fmt, mem, str};

use lmtp_proto::auth::{AuthError, Mechanism, Step};

use crate::verifier::{Verifier, checked};
use crate::{InvalidCredentials, Secret, prepare};

const NAME: &str = "PLAIN";

/// The client of PLAIN. For encrypted lines only: it says the password.
///
/// ```
/// use lmtp_sasl::{Mechanism, PlainClient, Step};
///
/// let mut client = PlainClient::new("tim", "tanstaaftanstaaf")?;
/// assert_eq!(client.step(None)?, Step::Say(b"\0tim\0tanstaaftanstaaf".to_vec()));
/// assert!(client.is_complete());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PlainClient {
    authzid: Option<String>,
    authcid: String,
    password: Secret,
    state: Client,
}

#[derive(Debug, PartialEq)]
enum Client {
    Begin,
    Said,
    Over,
}

impl PlainClient {
    /// Somebody with a password.
    ///
    /// # Errors
    ///
    /// The name cannot be prepared, or the password is empty or holds NUL.
    pub fn new(authcid: &str, password: impl Into<Secret>) -> Result<Self, InvalidCredentials> {
        let password = password.into();
        if password.expose().is_empty() || password.expose().contains('\0') {
            return Err(InvalidCredentials::Password);
        }
        Ok(Self { authzid: None, authcid: prepare::to_say(authcid)?, password, state: Client::Begin })
    }

    /// The same, acting for somebody else.
    ///
    /// # Errors
    ///
    /// The name cannot be prepared.
    pub fn with_authzid(mut self, authzid: &str) -> Result<Self, InvalidCredentials> {
        self.authzid = Some(prepare::to_say(authzid)?);
        Ok(self)
    }
}

impl Mechanism for PlainClient {
    fn name(&self) -> &str {
        NAME
    }

    fn reveals_secret(&self) -> bool {
        true
    }

    fn step(&mut self, heard: Option<&[u8]>) -> Result<Step, AuthError> {
        match (mem::replace(&mut self.state, Client::Over), heard) {
            (Client::Begin, None) => {
                self.state = Client::Said;
                let authzid = self.authzid.as_deref().unwrap_or_default();
                Ok(Step::Say([authzid, &self.authcid, self.password.expose()].join("\0").into_bytes()))
            }
            _ => Err(AuthError::TooManySteps),
        }
    }

    fn is_complete(&self) -> bool {
        self.state == Client::Said
    }
}

impl fmt::Debug for PlainClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authzid, authcid, state, .. } = self;
        let mut shown = f.debug_struct("PlainClient");
        shown.field("authcid", authcid).field("authzid", authzid).field("state", state).finish_non_exhaustive()
    }
}

/// The server of PLAIN.
pub struct PlainServer<V> {
    verifier: V,
    state: Server,
}

#[derive(Debug, PartialEq)]
enum Server {
    Begin,
    Asked,
    Done,
    Over,
}

impl<V: Verifier> PlainServer<V> {
    /// A server that asks `verifier`.
    pub fn new(verifier: V) -> Self {
        Self { verifier, state: Server::Begin }
    }
}

impl<V: Verifier + Send> Mechanism for PlainServer<V> {
    fn name(&self) -> &str {
        NAME
    }

    fn reveals_secret(&self) -> bool {
        true
    }

    fn step(&mut self, heard: Option<&[u8]>) -> Result<Step, AuthError> {
        match (mem::replace(&mut self.state, Server::Over), heard) {
            (Server::Begin, None) => {
                self.state = Server::Asked;
                Ok(Step::Say(Vec::new()))
            }
            (Server::Begin | Server::Asked, Some(message)) => {
                let (authzid, authcid, password) = parse(message)?;
                let identity = checked(&self.verifier, authzid, authcid, &Secret::from(password))?;
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

impl<V> fmt::Debug for PlainServer<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainServer").field("state", &self.state).finish_non_exhaustive()
    }
}

/// ```abnf
/// message = [authzid] UTF8NUL authcid UTF8NUL passwd
/// ```
fn parse(message: &[u8]) -> Result<(Option<&str>, &str, &str), AuthError> {
    let mut parts = str::from_utf8(message).map_err(|_| AuthError::Malformed)?.split('\0');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(authzid), Some(authcid), Some(password), None) => {
            Ok((Some(authzid).filter(|authzid| !authzid.is_empty()), authcid, password))
        }
        _ => Err(AuthError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::tests::One;

    fn answer(message: &[u8]) -> Result<Step, AuthError> {
        PlainServer::new(One("tim", "tanstaaftanstaaf")).step(Some(message))
    }

    /// RFC 4616 section 4, the second example with the names of the first.
    #[test]
    fn the_examples_of_rfc_4616() {
        let mut server = PlainServer::new(One("tim", "tanstaaftanstaaf"));
        assert_eq!(server.step(None), Ok(Step::Say(Vec::new())));
        let Ok(Step::Done(identity)) = server.step(Some(b"\0tim\0tanstaaftanstaaf")) else { panic!("{server:?}") };
        assert_eq!((identity.authcid.as_str(), identity.authzid), ("tim", None));
        assert!(server.is_complete());

        let mut client = PlainClient::new("Kurt", "xipj3plmq").unwrap().with_authzid("Ursel").unwrap();
        assert_eq!(client.step(None), Ok(Step::Say(b"Ursel\0Kurt\0xipj3plmq".to_vec())));
        let mut server = PlainServer::new(One("Kurt", "xipj3plmq"));
        assert_eq!(server.step(Some(b"Ursel\0Kurt\0xipj3plmq")), Err(AuthError::Refused));
        assert!(!server.is_complete());
    }

    #[test]
    fn two_nuls_and_utf8() {
        lmtp_testkit::proves!("R4616-2-a");
        for message in [&b""[..], b"tim", b"\0tim", b"\0tim\0tanstaaftanstaaf\0", b"\0\0tim\0x", b"\0tim\0\xff"] {
            assert_eq!(answer(message), Err(AuthError::Malformed), "{message:?}");
        }
        // Each part may be long, and is said as it is heard.
        let long: &'static str = "p".repeat(255).leak();
        let mut client = PlainClient::new(long, long).unwrap().with_authzid(long).unwrap();
        let message = [long, long, long].join("\0").into_bytes();
        assert_eq!(client.step(None), Ok(Step::Say(message.clone())));
        let Ok(Step::Done(identity)) = PlainServer::new(One(long, long)).step(Some(&message)) else { panic!() };
        assert_eq!((identity.authcid.as_str(), identity.authzid.as_deref()), (long, Some(long)));
        let Ok(Step::Done(identity)) =
            PlainServer::new(One("j\u{f6}rg", "\u{e9}")).step(Some("\0j\u{f6}rg\0\u{e9}".as_bytes()))
        else {
            panic!()
        };
        assert_eq!(identity.authcid, "j\u{f6}rg");
    }

    /// R4616-2-b.
    #[test]
    fn empty_names_and_passwords_are_refused() {
        for message in [&b"\0\0"[..], b"\0tim\0", b"\0\0tanstaaftanstaaf", b"\0\x07\0x", b"\x07\0tim\0tanstaaftanstaaf"]
        {
            assert_eq!(answer(message), Err(AuthError::Refused), "{message:?}");
        }
    }

    #[test]
    fn nothing_comes_after_the_end() {
        let mut client = PlainClient::new("tim", "x").unwrap();
        client.step(None).unwrap();
        assert_eq!(client.step(Some(b"")), Err(AuthError::TooManySteps));
        assert!(!client.is_complete());
        let mut server = PlainServer::new(One("tim", "x"));
        server.step(Some(b"\0tim\0wrong")).unwrap_err();
        assert_eq!(server.step(Some(b"\0tim\0x")), Err(AuthError::TooManySteps));
        assert!(!server.is_complete());
    }

    #[test]
    fn what_cannot_be_said() {
        for (name, password, problem) in [
            ("", "x", InvalidCredentials::Name),
            ("a\0b", "x", InvalidCredentials::Name),
            ("a", "", InvalidCredentials::Password),
            ("a", "x\0y", InvalidCredentials::Password),
        ] {
            assert_eq!(PlainClient::new(name, password).unwrap_err(), problem);
        }
    }
}
