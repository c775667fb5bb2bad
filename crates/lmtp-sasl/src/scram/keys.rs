//! What a server keeps in place of a password.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::NAME;
use super::crypto::{Key, equal, hash, hi, hmac};
use crate::{InvalidCredentials, Secret};

/// What a server stores of somebody: salt, iteration count, `StoredKey` and
/// `ServerKey` (RFC 5802 section 3). Nobody can log in with it, but whoever has
/// it can try passwords at leisure, and play the server.
///
/// [`encode`](Self::encode) and `parse` are its form in a file:
///
/// ```
/// use lmtp_sasl::{ScramKeys, Secret};
///
/// let keys = ScramKeys::derive(&Secret::from("pencil"), b"sixteen octets !", 4096)?;
/// let line = keys.encode(); // SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>
/// assert!(line.expose().parse::<ScramKeys>()?.matches(&Secret::from("pencil")));
/// # Ok::<(), lmtp_sasl::InvalidCredentials>(())
/// ```
#[derive(Clone)]
pub struct ScramKeys {
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
    pub(super) stored: Key,
    pub(super) server: Key,
}

impl ScramKeys {
    /// The least that a password is hashed (RFC 7677 section 3).
    pub const MIN_ITERATIONS: u32 = 4096;

    /// The keys of a password, prepared with `SASLprep`. The salt is random and
    /// everybody's own; 16 octets are customary.
    ///
    /// # Errors
    ///
    /// The password is empty or `SASLprep` refuses it, the salt is empty, or there
    /// are less than [`MIN_ITERATIONS`](Self::MIN_ITERATIONS).
    pub fn derive(password: &Secret, salt: &[u8], iterations: u32) -> Result<Self, InvalidCredentials> {
        if iterations < Self::MIN_ITERATIONS || salt.is_empty() {
            return Err(InvalidCredentials::Keys);
        }
        let salted = salted(&prepared(password)?, salt, iterations);
        let (stored, server) = (stored_key(&salted), server_key(&salted));
        Ok(Self { salt: salt.to_owned(), iterations, stored, server })
    }

    /// Whether they are the keys of a password. Takes as long as
    /// [`derive`](Self::derive).
    pub fn matches(&self, password: &Secret) -> bool {
        // What cannot be prepared is nobody's password, and takes as long.
        let (password, possible) = match prepared(password) {
            Ok(password) => (password, true),
            Err(_) => (Secret::from(""), false),
        };
        let stored = stored_key(&salted(&password, &self.salt, self.iterations));
        equal(&stored, &self.stored) & possible
    }

    /// The line that [`parse`](str::parse) reads, in the form of RFC 5803. To be
    /// kept as safe as a list of hashed passwords.
    pub fn encode(&self) -> Secret {
        let [salt, stored, server] =
            [&self.salt[..], &*self.stored, &*self.server].map(|octets| Zeroizing::new(STANDARD.encode(octets)));
        Secret::from(format!("{NAME}${}:{}${}:{}", self.iterations, *salt, *stored, *server))
    }
}

/// ```text
/// SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>
/// ```
impl FromStr for ScramKeys {
    type Err = InvalidCredentials;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (iterations, rest) = line.strip_prefix(NAME)?.strip_prefix('$')?.split_once(':')?;
            let (salt, keys) = rest.split_once('$')?;
            let (stored, server) = keys.split_once(':')?;
            let salt = STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty())?;
            let iterations = super::message::number(iterations)?;
            Some(Self { salt, iterations, stored: super::message::key(stored)?, server: super::message::key(server)? })
        };
        parse().ok_or(InvalidCredentials::Keys)
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// `Normalize(password)`: as a stored string, also on the client, because
/// nothing else was ever stored.
pub(super) fn prepared(password: &Secret) -> Result<Secret, InvalidCredentials> {
    crate::prepare::prepared(password.expose()).map(Secret::from).ok_or(InvalidCredentials::Password)
}

/// `SaltedPassword`.
pub(super) fn salted(prepared: &Secret, salt: &[u8], iterations: u32) -> Key {
    hi(prepared.expose().as_bytes(), salt, iterations)
}

/// `ClientKey`.
pub(super) fn client_key(salted: &Key) -> Key {
    hmac(&**salted, b"Client Key")
}

/// `StoredKey`.
pub(super) fn stored_key(salted: &Key) -> Key {
    hash(&*client_key(salted))
}

/// `ServerKey`.
pub(super) fn server_key(salted: &Key) -> Key {
    hmac(&**salted, b"Server Key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        let keys = ScramKeys::derive(&Secret::from("pencil"), b"salt", 4096).unwrap();
        assert!(keys.matches(&Secret::from("pencil")));
        assert!(!keys.matches(&Secret::from("pencil2")) && !keys.matches(&Secret::from("")));
        assert!(!keys.matches(&Secret::from("\u{7}")));
        let line = keys.encode();
        assert!(line.expose().starts_with("SCRAM-SHA-256$4096:c2FsdA==$"));
        let again: ScramKeys = line.expose().parse().unwrap();
        assert!(again.matches(&Secret::from("pencil")));
        assert_eq!(again.encode(), line);
    }

    #[test]
    fn what_are_no_keys() {
        let secret = Secret::from("pencil");
        assert_eq!(ScramKeys::derive(&secret, b"salt", 4095).unwrap_err(), InvalidCredentials::Keys);
        assert_eq!(ScramKeys::derive(&secret, b"", 4096).unwrap_err(), InvalidCredentials::Keys);
        assert_eq!(ScramKeys::derive(&Secret::from(""), b"salt", 4096).unwrap_err(), InvalidCredentials::Password);
        let line = ScramKeys::derive(&secret, b"salt", 4096).unwrap().encode();
        let line = line.expose();
        for bad in [
            line.replace("256", "512"),
            line.replace("4096", "0"),
            line.replace("4096", "04096"),
            line.replace("4096", "4294967296"),
            line.replace("c2FsdA==", ""),
            line.replace("c2FsdA==", "c2FsdA"),
            line[..line.len() - 4].to_owned(),
            line.replacen('$', "", 2),
            String::new(),
        ] {
            assert_eq!(bad.parse::<ScramKeys>().unwrap_err(), InvalidCredentials::Keys, "{bad}");
        }
    }

    /// Keys of the empty password, which come from elsewhere if at all, let nobody in.
    #[test]
    fn what_cannot_be_prepared_is_not_the_empty_password() {
        let salted = salted(&Secret::from(""), b"salt", 4096);
        let (stored, server) = (stored_key(&salted), server_key(&salted));
        let keys = ScramKeys { salt: b"salt".to_vec(), iterations: 4096, stored, server };
        assert!(!keys.matches(&Secret::from("")) && !keys.matches(&Secret::from("\u{7}")));
    }

    /// A Roman number and its letters are one password.
    #[test]
    fn passwords_are_prepared() {
        let keys = ScramKeys::derive(&Secret::from("I\u{ad}X"), b"salt", 4096).unwrap();
        assert!(keys.matches(&Secret::from("\u{2168}")) && keys.matches(&Secret::from("IX")));
    }
}
