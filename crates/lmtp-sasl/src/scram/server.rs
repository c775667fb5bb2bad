//! The server's side.

use std::{fmt, mem};

use lmtp_proto::auth::{AuthError, Identity, Mechanism, Step};
use zeroize::Zeroizing;

use super::crypto::{equal, hash, hmac, xor};
use super::message::{Attributes, encode, is_nonce, key, text};
use super::{NAME, Nonce, ScramKeys};
use crate::gs2::{self, Gs2};
use crate::verifier::{Verifier, authorized};
use crate::{Secret, prepare};

/// The server of SCRAM-SHA-256. It needs [`ScramKeys`], never a password.
pub struct ScramServer<V> {
    verifier: V,
    nonce: Nonce,
    decoy: Option<(Secret, u32)>,
    state: State,
}

enum State {
    Begin,
    Asked,
    Challenged(Box<Challenge>),
    Signed { identity: Identity },
    Done,
    Over,
}

/// What was said before the proof comes.
struct Challenge {
    authcid: String,
    authzid: Option<String>,
    /// `c=`, as it must come.
    binding: String,
    nonce: String,
    keys: ScramKeys,
    /// Whether the keys are anybody's.
    known: bool,
    /// `client-first-message-bare "," server-first-message`.
    so_far: String,
}

impl<V: Verifier> ScramServer<V> {
    /// A server that asks `verifier`. The nonce is used for this exchange only.
    pub fn new(verifier: V, nonce: Nonce) -> Self {
        Self { verifier, nonce, decoy: None, state: State::Begin }
    }

    /// The same, giving who does not exist a salt that is always the same, so
    /// that asking twice does not tell who exists. `key` is the server's own, the
    /// same in every exchange and secret; `iterations` is what others have.
    #[must_use]
    pub fn with_decoy(mut self, key: impl Into<Secret>, iterations: u32) -> Self {
        self.decoy = Some((key.into(), iterations));
        self
    }

    /// The keys of nobody.
    fn decoy(&self, authcid: &str) -> ScramKeys {
        let (key, iterations) = match &self.decoy {
            Some((key, iterations)) => (key.expose(), *iterations),
            None => (self.nonce.as_str(), ScramKeys::MIN_ITERATIONS),
        };
        let salt = hmac(key.as_bytes(), authcid.as_bytes());
        let none = Zeroizing::new([0; 32]);
        ScramKeys { salt: salt[..16].to_owned(), iterations, stored: none.clone(), server: none }
    }

    /// Answers `client-first-message`.
    fn challenge(&self, message: &str) -> Result<(Challenge, String), AuthError> {
        let Gs2 { header, authzid, rest: bare } = Gs2::parse(message)?;
        let mut attributes = Attributes::of(bare);
        let authcid = prepare::heard(&gs2::unescaped(attributes.next('n')?)?)?;
        let client_nonce = attributes.next('r')?;
        attributes.extensions()?;
        if !is_nonce(client_nonce) {
            return Err(AuthError::Malformed);
        }
        let keys = self.verifier.scram_keys(&authcid)?;
        let known = keys.is_some();
        let keys = keys.unwrap_or_else(|| self.decoy(&authcid));
        let nonce = format!("{client_nonce}{}", self.nonce.as_str());
        let said = format!("r={nonce},s={},i={}", encode(&keys.salt), keys.iterations);
        let binding = encode(header.as_bytes());
        let so_far = format!("{bare},{said}");
        Ok((Challenge { authcid, authzid, binding, nonce, keys, known, so_far }, said))
    }

    /// Answers `client-final-message`.
    fn sign(&self, challenge: Challenge, message: &str) -> Result<(Identity, String), AuthError> {
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(AuthError::Malformed)?;
        let mut attributes = Attributes::of(without_proof);
        let (binding, nonce) = (attributes.next('c')?, attributes.next('r')?);
        attributes.extensions()?;
        let proof = key(proof).ok_or(AuthError::Malformed)?;
        // R5802-6-a, R5802-5.1-a.
        if binding != challenge.binding || nonce != challenge.nonce {
            return Err(AuthError::Refused);
        }
        let auth_message = format!("{},{without_proof}", challenge.so_far);
        let keys = &challenge.keys;
        let client_key = xor(&proof, &hmac(&*keys.stored, auth_message.as_bytes()));
        if !(equal(&hash(&*client_key), &keys.stored) & challenge.known) {
            return Err(AuthError::Refused);
        }
        let identity = authorized(&self.verifier, challenge.authcid, challenge.authzid)?;
        Ok((identity, format!("v={}", encode(&*hmac(&*keys.server, auth_message.as_bytes())))))
    }
}

impl<V: Verifier + Send> Mechanism for ScramServer<V> {
    fn name(&self) -> &str {
        NAME
    }

    fn reveals_secret(&self) -> bool {
        false
    }

    fn step(&mut self, heard: Option<&[u8]>) -> Result<Step, AuthError> {
        let (state, said) = match (mem::replace(&mut self.state, State::Over), heard) {
            (State::Begin, None) => (State::Asked, String::new()),
            (State::Begin | State::Asked, Some(message)) => {
                let (challenge, said) = self.challenge(text(message)?)?;
                (State::Challenged(Box::new(challenge)), said)
            }
            (State::Challenged(challenge), Some(message)) => {
                let (identity, said) = self.sign(*challenge, text(message)?)?;
                (State::Signed { identity }, said)
            }
            // The client has seen the signature and has nothing to say (R4954-4-q).
            (State::Signed { identity }, Some(b"")) => {
                self.state = State::Done;
                return Ok(Step::Done(identity));
            }
            (State::Signed { .. }, Some(_)) => return Err(AuthError::Malformed),
            _ => return Err(AuthError::TooManySteps),
        };
        self.state = state;
        Ok(Step::Say(said.into_bytes()))
    }

    fn is_complete(&self) -> bool {
        matches!(self.state, State::Done)
    }
}

impl<V> fmt::Debug for ScramServer<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Begin => "Begin",
            State::Asked => "Asked",
            State::Challenged(_) => "Challenged",
            State::Signed { .. } => "Signed",
            State::Done => "Done",
            State::Over => "Over",
        };
        f.debug_struct("ScramServer").field("state", &format_args!("{state}")).finish_non_exhaustive()
    }
}
