//! What the application knows about those who may log in.

use std::sync::Arc;

use lmtp_proto::auth::{AuthError, Identity};

use crate::{BearerToken, ScramKeys, Secret};

/// The application's answers to the servers of this crate. Whatever it does not
/// answer is refused.
///
/// [`scram_keys`](Self::scram_keys) alone makes PLAIN, LOGIN and SCRAM-SHA-256
/// work, with no password stored anywhere:
///
/// ```
/// use lmtp_sasl::{AuthError, Mechanism, PlainServer, ScramKeys, Secret, Step, Verifier};
///
/// struct OnlyAnn(ScramKeys);
///
/// impl Verifier for OnlyAnn {
///     fn scram_keys(&self, authcid: &str) -> Result<Option<ScramKeys>, AuthError> {
///         Ok((authcid == "ann").then(|| self.0.clone()))
///     }
/// }
///
/// // Once, when the password is set; the salt is random.
/// let keys = ScramKeys::derive(&Secret::from("tanstaaf"), b"0123456789abcdef", 4096)?;
/// let mut server = PlainServer::new(OnlyAnn(keys));
/// assert!(matches!(server.step(Some(b"\0ann\0tanstaaf"))?, Step::Done(identity) if identity.authcid == "ann"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Names come prepared with `SASLprep`. The methods are asked within
/// [`step`](lmtp_proto::auth::Mechanism::step), so what they need should be at
/// hand; [`AuthError::Unavailable`] is the answer when it cannot be had.
pub trait Verifier {
    /// The keys of somebody, `None` for somebody unknown: the exchange goes on
    /// and fails later, so that it does not tell which names exist.
    ///
    /// # Errors
    ///
    /// [`AuthError::Unavailable`]: nobody can say now.
    fn scram_keys(&self, authcid: &str) -> Result<Option<ScramKeys>, AuthError> {
        let _ = authcid;
        Ok(None)
    }

    /// Whether a password is somebody's. Compares with the keys for SCRAM if it
    /// is not implemented. The password is as it was heard, not prepared.
    ///
    /// # Errors
    ///
    /// [`AuthError::Refused`]: it is not, or there is no such name.
    fn check_password(&self, authcid: &str, password: &Secret) -> Result<(), AuthError> {
        match self.scram_keys(authcid)? {
            Some(keys) if keys.matches(password) => Ok(()),
            Some(_) => Err(AuthError::Refused),
            None => {
                // As long as it would take if the name were known.
                let _ = ScramKeys::derive(password, b"nobody", ScramKeys::MIN_ITERATIONS);
                Err(AuthError::Refused)
            }
        }
    }

    /// Whose token it is: gives the authentication identity.
    ///
    /// # Errors
    ///
    /// [`AuthError::Refused`]: it is nobody's, or it has expired, or host or
    /// port are not ours.
    fn check_token(&self, token: &BearerToken<'_>) -> Result<String, AuthError> {
        let _ = token;
        Err(AuthError::Refused)
    }

    /// Whether somebody who has proved to be `authcid` may act for `authzid`.
    /// If it is not implemented, everybody acts for himself only.
    ///
    /// # Errors
    ///
    /// [`AuthError::Refused`]: no.
    fn authorize(&self, authcid: &str, authzid: &str) -> Result<(), AuthError> {
        if authcid == authzid { Ok(()) } else { Err(AuthError::Refused) }
    }
}

macro_rules! through_a_pointer {
    ($($pointer:ty),*) => {$(
        impl<V: Verifier + ?Sized> Verifier for $pointer {
            fn scram_keys(&self, authcid: &str) -> Result<Option<ScramKeys>, AuthError> {
                (**self).scram_keys(authcid)
            }

            fn check_password(&self, authcid: &str, password: &Secret) -> Result<(), AuthError> {
                (**self).check_password(authcid, password)
            }

            fn check_token(&self, token: &BearerToken<'_>) -> Result<String, AuthError> {
                (**self).check_token(token)
            }

            fn authorize(&self, authcid: &str, authzid: &str) -> Result<(), AuthError> {
                (**self).authorize(authcid, authzid)
            }
        }
    )*};
}

through_a_pointer!(&V, Box<V>, Arc<V>);

/// The last question of every server, once it is proved who the client is.
pub(crate) fn authorized(
    verifier: &impl Verifier,
    authcid: String,
    authzid: Option<String>,
) -> Result<Identity, AuthError> {
    if let Some(authzid) = &authzid {
        verifier.authorize(&authcid, authzid)?;
    }
    Ok(Identity { authcid, authzid })
}

/// Names and a password as a server hears them in PLAIN and LOGIN (R4616-2-b).
pub(crate) fn checked(
    verifier: &impl Verifier,
    authzid: Option<&str>,
    authcid: &str,
    password: &Secret,
) -> Result<Identity, AuthError> {
    let authcid = crate::prepare::heard(authcid)?;
    let authzid = authzid.map(crate::prepare::heard).transpose()?;
    if password.expose().is_empty() {
        return Err(AuthError::Refused);
    }
    verifier.check_password(&authcid, password)?;
    authorized(verifier, authcid, authzid)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Knows one name and its password, and one who may act for everybody.
    #[derive(Clone)]
    pub(crate) struct One(pub(crate) &'static str, pub(crate) &'static str);

    impl Verifier for One {
        fn check_password(&self, authcid: &str, password: &Secret) -> Result<(), AuthError> {
            let right = authcid == self.0 && *password == Secret::from(self.1);
            if right { Ok(()) } else { Err(AuthError::Refused) }
        }

        fn check_token(&self, token: &BearerToken<'_>) -> Result<String, AuthError> {
            let right = *token.token == Secret::from(self.1);
            if right { Ok(self.0.to_owned()) } else { Err(AuthError::Refused) }
        }
    }

    /// Answers nothing.
    struct Nobody;
    impl Verifier for Nobody {}

    /// Believes everybody.
    struct Gullible;
    impl Verifier for Gullible {
        fn check_password(&self, _: &str, _: &Secret) -> Result<(), AuthError> {
            Ok(())
        }
    }

    /// R4616-2-b.
    #[test]
    fn nothing_is_no_password() {
        let answer = |name, password: &str| checked(&Gullible, None, name, &password.into());
        assert!(answer("ann", "x").is_ok());
        assert_eq!(answer("ann", ""), Err(AuthError::Refused));
        assert_eq!(answer("", "x"), Err(AuthError::Refused));
        assert_eq!(checked(&Gullible, Some(""), "ann", &"x".into()), Err(AuthError::Refused));
    }

    #[test]
    fn what_is_not_implemented_is_refused() {
        let nobody: Arc<dyn Verifier> = Arc::new(Nobody);
        let secret = Secret::from("secret");
        assert_eq!(nobody.check_password("ann", &secret), Err(AuthError::Refused));
        let token = BearerToken { token: &secret, authzid: None, host: None, port: None };
        assert_eq!(nobody.check_token(&token), Err(AuthError::Refused));
        assert_eq!(nobody.authorize("ann", "bob"), Err(AuthError::Refused));
        assert_eq!(nobody.authorize("ann", "ann"), Ok(()));
        assert_eq!(nobody.scram_keys("ann").map(|keys| keys.is_some()), Ok(false));
    }
}
