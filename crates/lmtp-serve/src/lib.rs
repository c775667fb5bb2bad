#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod faults;
mod http;
mod inbox;
mod log;
mod mail;
mod owner;
mod process;
mod root;
mod service;
pub mod settings;
mod setup;
mod sink;

pub use process::{serve, serve_here};
pub use service::Service;
pub use settings::{DEFAULT, Settings};
pub use setup::Problem;
pub use sink::{Kept, Memory};

pub use lmtp_tokio::Shutdown;
