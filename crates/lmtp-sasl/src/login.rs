//! LOGIN: a name and a password, one after the other
//! (draft-murchison-sasl-login-00). Obsolete, and still spoken.

use std::{fmt, mem, str};

use lmtp_proto::auth::{AuthError, Mechanism, Step};

use crate::verifier::{Verifier, checked};
use crate::{InvalidCredentials, Secret, prepare};

const NAME: &str = "LOGIN";

/// The client of LOGIN. For encrypted lines only: it says the password. What
/// the server prompts with is ignored (section 2.1).
pub struct LoginClient {
    authcid: String,
    password: Secret,
    state: Client,
}

#[derive(Debug, PartialEq)]
enum Client {
    Begin,
    Name,
    Password,
    Said,
    Over,
}

impl LoginClient {
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
        Ok(Self { authcid: prepare::to_say(authcid)?, password, state: Client::Begin })
    }
}

impl Mechanism for LoginClient {
    fn name(&self) -> &str {
        NAME
    }

    fn reveals_secret(&self) -> bool {
        true
    }

    fn step(&mut self, heard: Option<&[u8]>) -> Result<Step, AuthError> {
        let (state, step) = match (mem::replace(&mut self.state, Client::Over), heard) {
            (Client::Begin, None) => (Client::Name, Step::Listen),
            (Client::Name, Some(_)) => (Client::Password, Step::Say(self.authcid.clone().into_bytes())),
            (Client::Password, Some(_)) => (Client::Said, Step::Say(self.password.expose().into())),
            _ => return Err(AuthError::TooManySteps),
        };
        self.state = state;
        Ok(step)
    }

    fn is_complete(&self) -> bool {
        self.state == Client::Said
    }
}

impl fmt::Debug for LoginClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authcid, state, .. } = self;
        f.debug_struct("LoginClient").field("authcid", authcid).field("state", state).finish_non_exhaustive()
    }
}

/// The server of LOGIN. It prompts with "Username:" and "Password:", which is
/// what deployed clients wait for (section 2.2).
///
/// The server speaks first; an initial response is taken for the name all the
/// same, as all servers do, for there are clients that send it.
pub struct LoginServer<V> {
    verifier: V,
    state: Server,
}

#[derive(PartialEq)]
enum Server {
    Begin,
    Name,
    Password { authcid: String },
    Done,
    Over,
}

impl<V: Verifier> LoginServer<V> {
    /// A server that asks `verifier`.
    pub fn new(verifier: V) -> Self {
        Self { verifier, state: Server::Begin }
    }
}

impl<V: Verifier + Send> Mechanism for LoginServer<V> {
    fn name(&self) -> &str {
        NAME
    }

    fn reveals_secret(&self) -> bool {
        true
    }

    fn step(&mut self, heard: Option<&[u8]>) -> Result<Step, AuthError> {
        let heard = heard.map(str::from_utf8).transpose();
        let (state, step) = match (mem::replace(&mut self.state, Server::Over), heard) {
            (_, Err(_)) => return Err(AuthError::Malformed),
            (Server::Begin, Ok(None)) => (Server::Name, Step::Say(b"Username:".to_vec())),
            (Server::Begin | Server::Name, Ok(Some(name))) => {
                (Server::Password { authcid: name.to_owned() }, Step::Say(b"Password:".to_vec()))
            }
            (Server::Password { authcid }, Ok(Some(password))) => {
                let identity = checked(&self.verifier, None, &authcid, &Secret::from(password))?;
                (Server::Done, Step::Done(identity))
            }
            _ => return Err(AuthError::TooManySteps),
        };
        self.state = state;
        Ok(step)
    }

    fn is_complete(&self) -> bool {
        self.state == Server::Done
    }
}

impl<V> fmt::Debug for LoginServer<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            Server::Begin => "Begin",
            Server::Name => "Name",
            // A hurried user types his password here; the name is not shown.
            Server::Password { .. } => "Password",
            Server::Done => "Done",
            Server::Over => "Over",
        };
        f.debug_struct("LoginServer").field("state", &format_args!("{state}")).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::tests::One;

    /// The example of section 2.3, with the prompts that clients wait for.
    #[test]
    fn the_example_of_the_draft() {
        lmtp_testkit::proves!("RLOGIN-2.2-a");
        let mut server = LoginServer::new(One("tim", "tanstaaftanstaaf"));
        let mut client = LoginClient::new("tim", "tanstaaftanstaaf").unwrap();
        assert_eq!(client.step(None), Ok(Step::Listen));
        assert_eq!(server.step(None), Ok(Step::Say(b"Username:".to_vec())));
        assert_eq!(client.step(Some(b"Username:")), Ok(Step::Say(b"tim".to_vec())));
        assert_eq!(server.step(Some(b"tim")), Ok(Step::Say(b"Password:".to_vec())));
        assert!(!client.is_complete());
        assert_eq!(client.step(Some(b"Password:")), Ok(Step::Say(b"tanstaaftanstaaf".to_vec())));
        let Ok(Step::Done(identity)) = server.step(Some(b"tanstaaftanstaaf")) else { panic!("{server:?}") };
        assert_eq!(identity.authcid, "tim");
        assert!(client.is_complete() && server.is_complete());
    }

    /// RLOGIN-2.1-a.
    #[test]
    fn prompts_are_ignored() {
        let mut client = LoginClient::new("tim", "x").unwrap();
        client.step(None).unwrap();
        assert_eq!(client.step(Some(b"Password\0")), Ok(Step::Say(b"tim".to_vec())));
        assert_eq!(client.step(Some(b"")), Ok(Step::Say(b"x".to_vec())));
        assert_eq!(client.step(Some(b"once more")), Err(AuthError::TooManySteps));
        assert!(!client.is_complete());
    }

    /// R4954-4-j: the legacy practice.
    #[test]
    fn an_initial_response_is_the_name() {
        let mut server = LoginServer::new(One("tim", "x"));
        assert_eq!(server.step(Some(b"tim")), Ok(Step::Say(b"Password:".to_vec())));
        assert!(matches!(server.step(Some(b"x")), Ok(Step::Done(_))));
        assert_eq!(server.step(Some(b"x")), Err(AuthError::TooManySteps));
    }

    #[test]
    fn what_is_refused() {
        for (name, password, error) in [
            (&b"tim"[..], &b"wrong"[..], AuthError::Refused),
            (b"tom", b"x", AuthError::Refused),
            (b"", b"x", AuthError::Refused),
            (b"tim", b"", AuthError::Refused),
            (b"tim", b"\xff", AuthError::Malformed),
        ] {
            let mut server = LoginServer::new(One("tim", "x"));
            server.step(None).unwrap();
            server.step(Some(name)).unwrap();
            assert_eq!(server.step(Some(password)), Err(error));
            assert!(!server.is_complete());
        }
    }
}
