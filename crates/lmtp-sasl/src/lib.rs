#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod external;
mod gs2;
mod login;
mod oauthbearer;
mod plain;
mod prepare;
mod scram;
mod secret;
mod verifier;

pub use external::{ExternalClient, ExternalServer};
pub use login::{LoginClient, LoginServer};
pub use oauthbearer::{BearerToken, OauthBearerClient, OauthBearerServer};
pub use plain::{PlainClient, PlainServer};
pub use scram::{Nonce, ScramClient, ScramKeys, ScramServer};
pub use secret::{InvalidCredentials, Secret};
pub use verifier::Verifier;

pub use lmtp_proto::auth::{AuthError, Identity, Mechanism, Step};
