//! Where the cryptography comes from.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The provider of this build. It is always named, never guessed: rustls panics
/// where it has to guess between two.
#[cfg(feature = "aws-lc-rs")]
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The provider of this build. It is always named, never guessed: rustls panics
/// where it has to guess between two.
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
