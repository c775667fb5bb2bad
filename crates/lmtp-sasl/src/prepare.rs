//! Names as they are compared (RFC 4954 section 4, RFC 4013).

use lmtp_proto::auth::AuthError;

use crate::InvalidCredentials;

/// A name after `SASLprep`, nothing if that refuses it or leaves nothing of it.
///
/// Code points that Unicode 3.2 did not have yet are refused in names too,
/// where RFC 4013 would let a query pass: a name that holds some could not have
/// been stored.
pub(crate) fn prepared(text: &str) -> Option<String> {
    stringprep::saslprep(text).ok().filter(|name| !name.is_empty()).map(String::from)
}

/// The name that a client is going to say.
pub(crate) fn to_say(name: &str) -> Result<String, InvalidCredentials> {
    prepared(name).ok_or(InvalidCredentials::Name)
}

/// The name that a server has heard. One that cannot be prepared belongs to
/// nobody (RFC 4616 section 2).
pub(crate) fn heard(name: &str) -> Result<String, AuthError> {
    prepared(name).ok_or(AuthError::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4013 section 3.
    #[test]
    fn the_examples_of_saslprep() {
        for (text, name) in [
            ("I\u{ad}X", Some("IX")),
            ("user", Some("user")),
            ("USER", Some("USER")),
            ("\u{aa}", Some("a")),
            ("\u{2168}", Some("IX")),
            ("\u{7}", None),
            ("\u{627}1", None),
            ("", None),
            ("\u{ad}", None),
            ("a\0b", None),
        ] {
            assert_eq!(prepared(text).as_deref(), name, "{text:?}");
        }
    }
}
