//! OAUTHBEARER: a token in place of a password (RFC 7628).

mod client;
mod server;

pub use client::OauthBearerClient;
pub use server::{BearerToken, OauthBearerServer};

const NAME: &str = "OAUTHBEARER";

/// What ends each key and value, and, alone, a client's answer to an error.
const SEPARATOR: char = '\u{1}';

/// ```abnf
/// b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
/// ```
///
/// RFC 6750 section 2.1.
fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~+/".contains(&octet);
    !body.is_empty() && body.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::tests::One;
    use crate::{AuthError, Mechanism, Step};

    const TOKEN: &str = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";

    fn client() -> OauthBearerClient {
        let client = OauthBearerClient::new(TOKEN).unwrap().with_authzid("user@example.com").unwrap();
        client.with_server("server.example.com", 587).unwrap()
    }

    /// RFC 7628 section 4.1, the exchange in SMTP.
    #[test]
    fn the_example_that_succeeds() {
        lmtp_testkit::proves!("R7628-3.1-a");
        let said = "n,a=user@example.com,\u{1}host=server.example.com\u{1}port=587\u{1}\
            auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\u{1}\u{1}";
        let mut client = client();
        assert_eq!(client.step(None), Ok(Step::Say(said.into())));
        assert!(client.is_complete());
        let mut server = OauthBearerServer::new(One("user@example.com", TOKEN));
        let Ok(Step::Done(identity)) = server.step(Some(said.as_bytes())) else { panic!("{server:?}") };
        assert_eq!(identity.authcid, "user@example.com");
        assert_eq!(identity.authzid.as_deref(), Some("user@example.com"));
        assert!(server.is_complete());
    }

    /// RFC 7628 sections 4.3 and 3.2.3 (R7628-3.2.3-a).
    #[test]
    fn the_example_that_fails() {
        let said = "n,a=user@example.com,\u{1}host=server.example.com\u{1}port=143\u{1}auth=\u{1}\u{1}";
        let error = "{\"status\":\"invalid_token\",\"scope\":\"example_scope\",\
            \"openid-configuration\":\"https://example.com/.well-known/openid-configuration\"}";
        let mut server = OauthBearerServer::new(One("user@example.com", TOKEN))
            .with_scope("example_scope")
            .with_openid_configuration("https://example.com/.well-known/openid-configuration");
        assert_eq!(server.step(Some(said.as_bytes())), Ok(Step::Say(error.into())));
        let mut client = client();
        client.step(None).unwrap();
        assert_eq!(client.step(Some(error.as_bytes())), Ok(Step::Say(b"\x01".to_vec())));
        assert!(!client.is_complete());
        assert_eq!(server.step(Some(b"\x01")), Err(AuthError::Refused));
        assert!(!server.is_complete());
        assert_eq!(client.step(Some(b"{}")), Err(AuthError::TooManySteps));
    }

    #[test]
    fn what_a_token_is() {
        for token in ["a", "a.b-c_d~e+f/g", "abc=="] {
            assert!(is_token(token), "{token}");
        }
        for token in ["", "=", "a=b", "a b", "a\u{1}b", "a\r\n", "t\u{f6}ken"] {
            assert!(!is_token(token), "{token}");
            assert!(OauthBearerClient::new(token).is_err(), "{token}");
        }
    }
}
