//! SCRAM-SHA-256: both sides prove that they know the password, neither says it
//! (RFC 5802, RFC 7677). Without channel binding.
//!
//! ```text
//! C: n,,n=user,r=CNONCE
//! S: r=CNONCE SNONCE,s=SALT,i=ITERATIONS
//! C: c=biws,r=CNONCE SNONCE,p=PROOF
//! S: v=SIGNATURE
//! ```

mod client;
mod crypto;
mod keys;
mod message;
mod nonce;
mod server;
#[cfg(test)]
mod tests;

pub use client::ScramClient;
pub use keys::ScramKeys;
pub use nonce::Nonce;
pub use server::ScramServer;

const NAME: &str = "SCRAM-SHA-256";
