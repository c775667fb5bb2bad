#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod log;
mod mail;
mod service;
pub mod settings;

pub use service::{Problem, Service};
pub use settings::{DEFAULT, Settings};
