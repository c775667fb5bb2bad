//! The client's side.

use std::{fmt, mem};

use lmtp_proto::auth::{AuthError, Mechanism, Step};

use super::crypto::{Key, equal, hmac, xor};
use super::keys::{client_key, prepared, salted, server_key, stored_key};
use super::message::{Attributes, decode, encode, is_nonce, key, number, text};
use super::{NAME, Nonce, ScramKeys};
use crate::{InvalidCredentials, Secret, gs2, prepare};

/// The client of SCRAM-SHA-256. The server must prove that it knows the
/// password too: before it has, [`is_complete`](Mechanism::is_complete) is
/// `false`, whatever the server says.
///
/// ```
/// # #[cfg(feature = "getrandom")] {
/// use lmtp_sasl::{Mechanism, Nonce, ScramClient};
///
/// let mut client = ScramClient::new("user", "pencil", Nonce::random()?)?;
/// client.step(None)?;
/// assert!(!client.is_complete());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ScramClient {
    authcid: String,
    authzid: Option<String>,
    password: Secret,
    nonce: Nonce,
    max_iterations: u32,
    state: State,
}

enum State {
    Begin,
    First { bare: String },
    Final { signature: Key },
    Proved,
    Over,
}

impl ScramClient {
    /// How often a server may have a password hashed, unless told otherwise: a
    /// second or so. A server that could ask for more could keep a client busy
    /// for hours.
    pub const MAX_ITERATIONS: u32 = 1_000_000;

    /// Somebody with a password. The nonce is used for this exchange only.
    ///
    /// # Errors
    ///
    /// `SASLprep` refuses the name or the password, or leaves nothing of it.
    pub fn new(authcid: &str, password: impl Into<Secret>, nonce: Nonce) -> Result<Self, InvalidCredentials> {
        Ok(Self {
            authcid: prepare::to_say(authcid)?,
            authzid: None,
            password: prepared(&password.into())?,
            nonce,
            max_iterations: Self::MAX_ITERATIONS,
            state: State::Begin,
        })
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

    /// The same with another bound in place of
    /// [`MAX_ITERATIONS`](Self::MAX_ITERATIONS).
    #[must_use]
    pub fn with_max_iterations(mut self, iterations: u32) -> Self {
        self.max_iterations = iterations;
        self
    }

    /// Answers the server's first message. The signature that the server must
    /// give is known then.
    fn prove(&self, bare: &str, first: &str) -> Result<(String, Key), AuthError> {
        let mut attributes = Attributes::of(first);
        let nonce = attributes.next('r')?;
        let salt = decode(attributes.next('s')?)?;
        let iterations = attributes.next('i')?;
        attributes.extensions()?;

        // R5802-5.1-a: ours, and something of the server's behind it.
        let theirs = nonce.strip_prefix(self.nonce.as_str()).ok_or(AuthError::Malformed)?;
        if !is_nonce(theirs) || salt.is_empty() {
            return Err(AuthError::Malformed);
        }
        // A number too large for us is too large.
        if iterations.is_empty() || !iterations.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(AuthError::Malformed);
        }
        let within = |iterations: &u32| (ScramKeys::MIN_ITERATIONS..=self.max_iterations).contains(iterations);
        let iterations = number(iterations).filter(within).ok_or(AuthError::Unacceptable)?;

        let salted = salted(&self.password, &salt, iterations);
        let binding = encode(gs2::header(self.authzid.as_deref()).as_bytes());
        let without_proof = format!("c={binding},r={nonce}");
        let auth_message = format!("{bare},{first},{without_proof}");
        let proof = xor(&client_key(&salted), &hmac(&*stored_key(&salted), auth_message.as_bytes()));
        let signature = hmac(&*server_key(&salted), auth_message.as_bytes());
        Ok((format!("{without_proof},p={}", encode(&*proof)), signature))
    }
}

/// The server's last message (R5802-5-a).
fn verify(message: &str, signature: &Key) -> Result<(), AuthError> {
    if message.starts_with("e=") {
        return Err(AuthError::Refused);
    }
    let mut attributes = Attributes::of(message);
    let theirs = attributes.next('v')?;
    attributes.extensions()?;
    match key(theirs) {
        Some(theirs) if equal(&theirs, signature) => Ok(()),
        _ => Err(AuthError::ServerNotProved),
    }
}

impl Mechanism for ScramClient {
    fn name(&self) -> &str {
        NAME
    }

    fn reveals_secret(&self) -> bool {
        false
    }

    fn step(&mut self, heard: Option<&[u8]>) -> Result<Step, AuthError> {
        let (state, said) = match (mem::replace(&mut self.state, State::Over), heard) {
            (State::Begin, None) => {
                let bare = format!("n={},r={}", gs2::escaped(&self.authcid), self.nonce.as_str());
                let said = gs2::header(self.authzid.as_deref()) + &bare;
                (State::First { bare }, said)
            }
            (State::First { bare }, Some(message)) => {
                let message = text(message)?;
                if message.starts_with("e=") {
                    return Err(AuthError::Refused);
                }
                let (said, signature) = self.prove(&bare, message)?;
                (State::Final { signature }, said)
            }
            (State::Final { signature }, Some(message)) => {
                verify(text(message)?, &signature)?;
                // AUTH has no room for data beside 235: the signature came in a 334 (R4954-4-q).
                (State::Proved, String::new())
            }
            _ => return Err(AuthError::TooManySteps),
        };
        self.state = state;
        Ok(Step::Say(said.into_bytes()))
    }

    fn is_complete(&self) -> bool {
        matches!(self.state, State::Proved)
    }
}

impl fmt::Debug for ScramClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Begin => "Begin",
            State::First { .. } => "First",
            State::Final { .. } => "Final",
            State::Proved => "Proved",
            State::Over => "Over",
        };
        let mut shown = f.debug_struct("ScramClient");
        shown.field("authcid", &self.authcid).field("authzid", &self.authzid);
        shown.field("state", &format_args!("{state}")).finish_non_exhaustive()
    }
}
