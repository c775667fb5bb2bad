#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

#[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
compile_error!(
    "lmtp-rustls needs cryptography from somewhere: switch on its feature `aws-lc-rs` (the default) or `ring`"
);

mod channel;
mod client;
mod error;
mod handshake;
mod identity;
mod machine;
mod pem;
mod problem;
mod provider;
mod server;
mod setup;
mod tls;
mod trust;

pub use client::{ClientTls, ClientTlsBuilder};
pub use error::{Error, TlsError};
pub use handshake::Handshake;
pub use identity::CertificateIdentity;
pub use problem::TlsProblem;
pub use server::{ServerTls, ServerTlsBuilder};
pub use setup::SetupError;
pub use tls::Tls;

pub use rustls;
