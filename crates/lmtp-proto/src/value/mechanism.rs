//! The name of a way to log in, and what is said first.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use super::InvalidValue;
use crate::auth::{decode_initial, encode_initial};
use crate::codec;

/// The name of a SASL mechanism, such as `SCRAM-SHA-256`: 1 to 20 letters,
/// digits, hyphens and underscores (RFC 4422 section 3.1), kept in upper case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MechanismName(Box<str>);

impl MechanismName {
    /// The name, in upper case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MechanismName {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match codec::whole(codec::command::sasl_mech, text.as_bytes()) {
            Some(_) => Ok(Self(text.to_ascii_uppercase().into())),
            None => Err(InvalidValue::new(text, "the name of a mechanism (RFC 4422 section 3.1)")),
        }
    }
}

impl fmt::Display for MechanismName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The initial response of AUTH (RFC 4954 section 4): a secret, more often than
/// not. `Debug` does not show it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthResponse(Box<[u8]>);

impl AuthResponse {
    /// A response of these octets, which may be none.
    pub fn new(octets: impl Into<Box<[u8]>>) -> Self {
        Self(octets.into())
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The response that this stands for on the wire: base64 with all its
    /// padding, or `=` for one without octets (RFC 4954 section 8).
    ///
    /// # Errors
    ///
    /// It is neither.
    pub fn from_base64(text: &[u8]) -> Result<Self, InvalidAuthResponse> {
        decode_initial(text).map(Self::new).map_err(|_| InvalidAuthResponse)
    }

    /// As on the wire.
    pub fn to_base64(&self) -> String {
        encode_initial(&self.0)
    }
}

impl fmt::Debug for AuthResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthResponse(***)")
    }
}

/// Text that is no base64. What it was is not said: it may have been a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not base64 (RFC 4954 section 8)")]
pub struct InvalidAuthResponse;
