#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod door;
mod host;
mod intake;
mod login;
mod rate;
mod serve;
mod text;

pub use door::{Config, Door, Refusal};
pub use rate::Rates;
pub use serve::serve;
pub use text::escaped;
