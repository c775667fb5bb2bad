//! Who is there: the contract between a session and a SASL mechanism (RFC 4422,
//! RFC 4954).
//!
//! A session knows AUTH, 334, base64 and "*"; a [`Mechanism`] knows what the
//! octets between them mean. Neither knows the other's part, so an application
//! may bring a mechanism of its own. Those of the crate `lmtp-sasl` are PLAIN,
//! LOGIN, EXTERNAL, SCRAM-SHA-256 and OAUTHBEARER.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use crate::codec::base64::{decode_initial, decode_line, encode_initial, encode_line};

/// One side of one exchange, to be stepped until it ends. It does no I/O, and
/// its `Debug` shows no secret.
///
/// | | client | server |
/// |---|---|---|
/// | begins with | `step(None)`: [`Step::Say`] is the initial response, [`Step::Listen`] means that the server speaks first | `step(Some(initial response))`, or `step(None)` when AUTH came without one |
/// | goes on with | `step(Some(challenge))` for each 334 | `step(Some(response))` for each line |
/// | says | a response | a challenge, which goes into a 334 |
/// | ends with | the server's 235, and [`is_complete`](Self::is_complete) is asked then | [`Step::Done`], and 235 is sent |
///
/// What is heard and said are the mechanism's own octets, base64 taken off.
/// After an `Err` the exchange is over: a client that is asked for a response
/// answers "*", a server refuses.
///
/// A server's mechanism that may be told an initial response is asked with
/// `step(None)` when there was none, and says an empty challenge if the client
/// is to speak (RFC 4422 section 5.1).
pub trait Mechanism: fmt::Debug + Send {
    /// The name that AUTH and the reply to LHLO give it, such as
    /// `SCRAM-SHA-256`.
    fn name(&self) -> &str;

    /// Whether somebody who reads the line can log in afterwards, as with
    /// PLAIN: then it is for encrypted lines only (RFC 4954 section 4).
    fn reveals_secret(&self) -> bool;

    /// What the other side said, nothing if it has said nothing yet; gives what
    /// to do now.
    ///
    /// # Errors
    ///
    /// The exchange has failed, and every later step fails too.
    fn step(&mut self, heard: Option<&[u8]>) -> Result<Step, AuthError>;

    /// Whether all is proved that the mechanism can prove.
    ///
    /// A client asks when 235 has come: if it is `false`, the server skipped
    /// a part of the exchange, such as the signature that shows that it knows
    /// the password too, and the 235 is worth nothing
    /// ([`AuthError::ServerNotProved`]). On a server it says whether
    /// [`Step::Done`] was given.
    fn is_complete(&self) -> bool;
}

/// Whether a mechanism is for encrypted lines only, whoever may read the others:
/// RFC 7628 section 3 makes no exception.
pub(crate) fn needs_tls(mechanism: &str) -> bool {
    matches!(mechanism, "OAUTHBEARER" | "OAUTH10A" | "XOAUTH2")
}

/// What a mechanism wants done.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Say this: a client its response, a server its challenge in a 334.
    Say(Vec<u8>),
    /// Say nothing yet, the other side begins. Only a client's first step.
    Listen,
    /// The client is who it says it is. Only on a server, which now says 235.
    Done(Identity),
}

/// Of what is to be said only the length is shown: it may be a password.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Say(octets) => write!(f, "Say({} octets)", octets.len()),
            Self::Listen => f.write_str("Listen"),
            Self::Done(identity) => f.debug_tuple("Done").field(identity).finish(),
        }
    }
}

/// Who a client has proved to be, and whom it wants to act for. No secret.
///
/// The names are chosen by the client and checked against its secret, not
/// against any grammar: print them through [`Escaped`](crate::Escaped) or with
/// `Debug`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The authentication identity: whose secret it was.
    pub authcid: String,
    /// The authorization identity, if the client named one: whom it wants to
    /// act for. Whether it may is for the application to decide (RFC 4422
    /// section 3.4.1).
    pub authzid: Option<String>,
}

/// Why an exchange failed. It never holds a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The other side said what the mechanism or base64 does not allow. A
    /// server answers 501 5.5.2.
    #[error("the other side does not follow the mechanism")]
    Malformed,
    /// The credentials are wrong, or may not be used so. A server answers 535
    /// 5.7.8, whatever the reason, so as not to tell which names exist.
    #[error("the credentials were refused")]
    Refused,
    /// The credentials could not be looked up now. A server answers 454 4.7.0.
    #[error("the credentials cannot be checked now")]
    Unavailable,
    /// The server did not prove that it knows the client's secret: it is not
    /// the server that it is taken for.
    #[error("the server did not prove who it is")]
    ServerNotProved,
    /// The other side chose something out of the bounds that are set here, such
    /// as how often a password is hashed. A server answers 535 5.7.8.
    #[error("the other side asks for what is not accepted here")]
    Unacceptable,
    /// The other side gave up: a client with "*". A server answers 501 (RFC 4954
    /// section 4).
    #[error("the exchange was aborted")]
    Aborted,
    /// The exchange was over, or went on for longer than the mechanism has
    /// steps. A server answers 501 5.5.2.
    #[error("the exchange has more steps than the mechanism")]
    TooManySteps,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::format;

    #[test]
    fn what_is_said_is_not_shown() {
        assert_eq!(format!("{:?}", Step::Say(b"\0ann\0secret".to_vec())), "Say(11 octets)");
        assert_eq!(format!("{:#?}", Step::Say(b"secret".to_vec())), "Say(6 octets)");
        let identity = Identity { authcid: "ann\r\n".to_owned(), authzid: None };
        assert!(format!("{:?}", Step::Done(identity)).contains(r"ann\r\n"));
    }

    #[test]
    fn a_mechanism_may_be_kept_in_a_box() {
        fn boxed(mechanism: alloc::boxed::Box<dyn Mechanism>) -> impl Send {
            mechanism
        }
        let _ = boxed;
    }
}
