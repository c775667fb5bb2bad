//! What nobody else may see.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A password or a token: wiped from memory when dropped, compared in constant
/// time, and shown by nothing but [`expose`](Self::expose).
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The secret itself, to be handed to what checks it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Takes the string over: no copy is left behind.
impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

/// How long the comparison takes tells the lengths and nothing else.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// What cannot be said in a mechanism. It names the part and never shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCredentials {
    /// A name is empty, or `SASLprep` (RFC 4013) refuses it: it holds a control
    /// character, say.
    #[error("the name is empty or holds what SASLprep does not allow")]
    Name,
    /// A password is empty or holds NUL, or the mechanism needs `SASLprep` and
    /// that refuses it.
    #[error("the password is empty or holds what the mechanism cannot say")]
    Password,
    /// A token is empty or holds what RFC 6750 section 2.1 does not allow.
    #[error("the token is not one of RFC 6750")]
    Token,
    /// A host name is empty or holds what is neither visible nor ASCII.
    #[error("the host is empty or not in visible ASCII")]
    Host,
    /// A nonce is empty, or holds what is not visible ASCII, or a comma.
    #[error("the nonce is empty or not in visible ASCII without commas")]
    Nonce,
    /// Keys for SCRAM: the salt is empty, the password is to be hashed too
    /// seldom, or the text is not that of keys.
    #[error("these are no keys for SCRAM-SHA-256")]
    Keys,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_when_equal() {
        let secret = Secret::from("tanstaaf");
        for (other, equal) in [("tanstaaf", true), ("tanstaaF", false), ("tanstaa", false), ("", false)] {
            assert_eq!(secret == Secret::from(other), equal, "{other}");
        }
    }
}
