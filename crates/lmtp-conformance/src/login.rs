//! Who logs in, for the checks of AUTH.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A name and a password. The password is in no transcript, and in no word of a verdict.
#[derive(Clone)]
pub struct Login {
    user: String,
    password: String,
}

impl Login {
    /// Somebody whom the server knows.
    ///
    /// # Errors
    ///
    /// Either is empty or has a NUL.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Result<Self, String> {
        let (user, password) = (user.into(), password.into());
        if [&user, &password].iter().any(|text| text.is_empty() || text.contains('\0')) {
            return Err("a name and a password are needed, without NULs".to_owned());
        }
        Ok(Self { user, password })
    }

    /// What PLAIN says (RFC 4616), in base64.
    pub(crate) fn plain(&self) -> String {
        self.said(&self.password)
    }

    /// The same, with another password.
    pub(crate) fn wrong(&self) -> String {
        let other = ["conformance-wrong-1", "conformance-wrong-2"].into_iter().find(|other| *other != self.password);
        self.said(other.unwrap_or_default())
    }

    fn said(&self, password: &str) -> String {
        STANDARD.encode(format!("\0{}\0{password}", self.user))
    }

    /// These octets without the password, and without what says it.
    pub(crate) fn hide(&self, octets: &[u8]) -> Vec<u8> {
        let without = |octets: &[u8], secret: &str| {
            let secret = secret.as_bytes();
            let (mut kept, mut rest) = (Vec::new(), octets);
            while let Some(at) = rest.windows(secret.len()).position(|window| window == secret) {
                kept.extend_from_slice(&rest[..at]);
                kept.extend_from_slice(b"***");
                rest = &rest[at + secret.len()..];
            }
            kept.extend_from_slice(rest);
            kept
        };
        without(&without(octets, &self.plain()), &self.password)
    }

    /// The same of a text.
    pub(crate) fn hide_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.hide(text.as_bytes())).into_owned()
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Whether a text is base64, with its padding.
pub(crate) fn is_base64(text: &str) -> bool {
    STANDARD.decode(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_hidden_wherever_it_stands() {
        let login = Login::new("ann", "p+w").unwrap();
        assert_eq!(login.plain(), "AGFubgBwK3c=");
        assert_eq!(login.hide(b"AUTH PLAIN AGFubgBwK3c=\r\n"), b"AUTH PLAIN ***\r\n");
        assert_eq!(login.hide_text("500 what is p+w, p+w?"), "500 what is ***, ***?");
        assert_eq!(login.hide(b"\xff\0"), b"\xff\0");
        assert!(!format!("{login:?}").contains("p+w"));
        assert_ne!(Login::new("ann", "conformance-wrong-1").unwrap().wrong(), login.wrong());
        assert!(Login::new("ann", "").is_err() && Login::new("", "x").is_err() && Login::new("a\0", "x").is_err());
    }

    #[test]
    fn what_base64_is() {
        for (text, is) in [("", true), ("YQ==", true), ("YQ", false), ("Y=Q=", false), ("Go ahead", false)] {
            assert_eq!(is_base64(text), is, "{text}");
        }
    }
}
