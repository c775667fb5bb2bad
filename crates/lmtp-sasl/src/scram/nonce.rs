//! What makes each exchange another one.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::InvalidCredentials;

/// A side's share of the nonce. Each exchange needs a new one that nobody can
/// guess: whoever uses one twice can be answered with an old recording.
#[derive(Clone, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// A nonce from octets of a cryptographic random number generator.
    pub fn from_random(octets: [u8; 24]) -> Self {
        Self(STANDARD.encode(octets))
    }

    /// A nonce from the random numbers of the system.
    ///
    /// # Errors
    ///
    /// [`AuthError::Unavailable`](crate::AuthError::Unavailable): the system has
    /// none.
    #[cfg(feature = "getrandom")]
    pub fn random() -> Result<Self, crate::AuthError> {
        let mut octets = [0; 24];
        getrandom::fill(&mut octets).map_err(|_| crate::AuthError::Unavailable)?;
        Ok(Self::from_random(octets))
    }

    /// A nonce in so many words, as tests need it.
    ///
    /// # Errors
    ///
    /// The text is empty or is not visible ASCII without commas.
    pub fn from_text(text: &str) -> Result<Self, InvalidCredentials> {
        if super::message::is_nonce(text) { Ok(Self(text.to_owned())) } else { Err(InvalidCredentials::Nonce) }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not shown: before it is said, it must not be guessed.
impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_of_what_can_be_said() {
        assert_eq!(Nonce::from_text(Nonce::from_random([0xfb; 24]).as_str()), Ok(Nonce::from_random([0xfb; 24])));
        for text in ["", "a,b", "a b", "\u{e4}", "a\0"] {
            assert_eq!(Nonce::from_text(text), Err(InvalidCredentials::Nonce), "{text}");
        }
    }

    #[cfg(feature = "getrandom")]
    #[test]
    fn no_two_are_the_same() {
        assert_ne!(Nonce::random().unwrap(), Nonce::random().unwrap());
    }
}
