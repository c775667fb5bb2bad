//! The gateway over HTTP.

#![allow(clippy::unwrap_used)]

mod api;
mod forgery;
mod load;
mod page;
mod running;
mod seeds;
#[cfg(feature = "rustls")]
mod tls;
