//! Messages: attributes with commas between them (RFC 5802 section 7).

use std::str::Split;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::crypto::Key;
use crate::AuthError;

/// A message as text, which holds no NUL.
pub(super) fn text(message: &[u8]) -> Result<&str, AuthError> {
    let text = std::str::from_utf8(message).map_err(|_| AuthError::Malformed)?;
    if text.contains('\0') { Err(AuthError::Malformed) } else { Ok(text) }
}

/// The attributes of a message, in the order that the grammar gives them.
#[derive(Debug)]
pub(super) struct Attributes<'a>(Split<'a, char>);

impl<'a> Attributes<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self(text.split(','))
    }

    /// The value of the next attribute, which must have that name.
    pub(super) fn next(&mut self, name: char) -> Result<&'a str, AuthError> {
        let (found, value) = attribute(self.0.next().unwrap_or_default())?;
        if found == name { Ok(value) } else { Err(AuthError::Malformed) }
    }

    /// Ignores what follows, unless it is mandatory (R5802-5.1-b).
    pub(super) fn extensions(self) -> Result<(), AuthError> {
        self.0.map(attribute).try_for_each(|attribute| match attribute? {
            (_, "") => Err(AuthError::Malformed),
            _ => Ok(()),
        })
    }
}

/// ```abnf
/// attr-val = ALPHA "=" value
/// ```
///
/// "m" is for extensions that must be understood; there is none.
fn attribute(text: &str) -> Result<(char, &str), AuthError> {
    let (name, value) = text.split_once('=').ok_or(AuthError::Malformed)?;
    match *name.as_bytes() {
        [b'm'] => Err(AuthError::Unacceptable),
        [name] if name.is_ascii_alphabetic() => Ok((char::from(name), value)),
        _ => Err(AuthError::Malformed),
    }
}

/// ```abnf
/// printable = %x21-2B / %x2D-7E
/// ```
pub(super) fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b',')
}

/// ```abnf
/// posit-number = %x31-39 *DIGIT
/// ```
pub(super) fn number(text: &str) -> Option<u32> {
    let plain = text.starts_with(|c| matches!(c, '1'..='9'));
    text.parse().ok().filter(|_| plain)
}

/// Base64 of a key.
pub(super) fn key(text: &str) -> Option<Key> {
    let octets = Zeroizing::new(STANDARD.decode(text).ok()?);
    octets.as_slice().try_into().ok().map(Zeroizing::new)
}

pub(super) fn encode(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}

pub(super) fn decode(text: &str) -> Result<Vec<u8>, AuthError> {
    STANDARD.decode(text).map_err(|_| AuthError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R5802-5.1-b.
    #[test]
    fn attributes_in_order_and_extensions() {
        let mut attributes = Attributes::of("r=a=b,s=,x=1,Y==");
        assert_eq!((attributes.next('r'), attributes.next('s')), (Ok("a=b"), Ok("")));
        assert_eq!(attributes.extensions(), Ok(()));
        assert_eq!(Attributes::of("r=a").next('s'), Err(AuthError::Malformed));
        for (text, error) in [
            ("m=x", AuthError::Unacceptable),
            ("x=1,m=x", AuthError::Unacceptable),
            ("", AuthError::Malformed),
            ("x", AuthError::Malformed),
            ("x=", AuthError::Malformed),
            ("xy=1", AuthError::Malformed),
            ("1=1", AuthError::Malformed),
            ("x=1,", AuthError::Malformed),
        ] {
            assert_eq!(Attributes::of(text).extensions(), Err(error), "{text}");
        }
    }

    #[test]
    fn numbers_and_nonces() {
        assert_eq!((number("4096"), number("4294967295")), (Some(4096), Some(u32::MAX)));
        for text in ["", "0", "04096", "+1", "-1", "4294967296", "1 ", "1e3"] {
            assert_eq!(number(text), None, "{text}");
        }
        assert!(is_nonce("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"));
    }
}
