//! The gateway over HTTP.

#![allow(clippy::unwrap_used)]

mod api;
mod load;
mod page;
mod running;
