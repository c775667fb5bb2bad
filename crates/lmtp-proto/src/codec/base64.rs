//! The lines of an AUTH exchange (RFC 4954 section 4, RFC 4648 section 4).
//!
//! ```abnf
//! initial-response = base64 / "="
//! continue-req     = "334" SP [base64] CRLF
//! client-response  = ([base64] / "*") CRLF
//! ```
//!
//! Strict: no character outside of the alphabet, padding where it belongs and
//! nowhere else, no stray bits before it. So every octet string has exactly one
//! encoding, and what reads differently elsewhere is not read here.

use alloc::string::String;
use alloc::vec::Vec;

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;

use crate::auth::AuthError;

/// The text of a 334, or a client's line, without CRLF. Nothing to say is an
/// empty line.
pub fn encode_line(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}

/// What a 334 or a client's line says.
///
/// # Errors
///
/// [`AuthError::Aborted`] for "*", with which a client gives up, and
/// [`AuthError::Malformed`] for what is not base64.
pub fn decode_line(line: &[u8]) -> Result<Vec<u8>, AuthError> {
    match line {
        b"*" => Err(AuthError::Aborted),
        line => STANDARD.decode(line).map_err(|_| AuthError::Malformed),
    }
}

/// The second argument of AUTH: an initial response of no octets is "=", for no
/// argument means no initial response.
pub fn encode_initial(octets: &[u8]) -> String {
    if octets.is_empty() { String::from("=") } else { encode_line(octets) }
}

/// What the second argument of AUTH says.
///
/// # Errors
///
/// [`AuthError::Malformed`]: it is neither "=" nor base64 of at least one octet.
pub fn decode_initial(argument: &[u8]) -> Result<Vec<u8>, AuthError> {
    match argument {
        b"=" => Ok(Vec::new()),
        b"" | b"*" => Err(AuthError::Malformed),
        argument => decode_line(argument),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 4648 section 10.
    const VECTORS: [(&str, &str); 6] = [
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ];

    #[test]
    fn the_vectors_of_rfc_4648() {
        for (octets, line) in VECTORS {
            assert_eq!(encode_line(octets.as_bytes()), line);
            assert_eq!(encode_initial(octets.as_bytes()), line);
            assert_eq!(decode_line(line.as_bytes()).unwrap(), octets.as_bytes());
            assert_eq!(decode_initial(line.as_bytes()).unwrap(), octets.as_bytes());
        }
    }

    /// An empty initial response is "="; an empty line is an empty response.
    #[test]
    fn saying_nothing() {
        lmtp_testkit::proves!("R4954-4-h");
        assert_eq!(encode_initial(b""), "=");
        assert_eq!(decode_initial(b"="), Ok(Vec::new()));
        assert_eq!(decode_initial(b""), Err(AuthError::Malformed));
        assert_eq!(encode_line(b""), "");
        assert_eq!(decode_line(b""), Ok(Vec::new()));
        assert_eq!(decode_line(b"="), Err(AuthError::Malformed));
    }

    /// R4954-4-e.
    #[test]
    fn a_star_aborts() {
        assert_eq!(decode_line(b"*"), Err(AuthError::Aborted));
        assert_eq!(decode_initial(b"*"), Err(AuthError::Malformed));
        assert_eq!(decode_line(b"**"), Err(AuthError::Malformed));
    }

    /// R4954-4-f.
    #[test]
    fn what_is_not_base64() {
        for line in [
            "Zg",
            "Zg=",
            "Zg===",
            "Zm8",
            "Zm9",
            "Z",
            "=AAA",
            "AAA=BBB",
            "AA==BB==",
            "====",
            "Zh==",
            "Zm9=",
            "Zm9v\n",
            " Zm9v",
            "Zm9v ",
            "Zm 9v",
            "Zm-_",
            "Zm9v=",
            "?!",
            "Zm9\u{f6}",
            "*A==",
            "Zm9v*",
        ] {
            assert_eq!(decode_line(line.as_bytes()), Err(AuthError::Malformed), "{line:?}");
            assert_eq!(decode_initial(line.as_bytes()), Err(AuthError::Malformed), "{line:?}");
        }
    }

    proptest! {
        #![proptest_config(lmtp_testkit::effort::cases(256))]

        #[test]
        fn octets_survive(octets: Vec<u8>) {
            prop_assert_eq!(decode_line(encode_line(&octets).as_bytes()), Ok(octets.clone()));
            prop_assert_eq!(decode_initial(encode_initial(&octets).as_bytes()), Ok(octets));
        }

        /// No two lines say the same.
        #[test]
        fn a_line_that_is_read_is_the_one_that_is_written(line in "[A-Ea-e0-3+/=]{0,12}") {
            if let Ok(octets) = decode_line(line.as_bytes()) {
                prop_assert_eq!(encode_line(&octets), line);
            }
        }
    }
}
