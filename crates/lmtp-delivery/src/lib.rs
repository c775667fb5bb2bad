#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod backoff;
mod build;
mod cancel;
mod delivery;
mod message;
mod metrics;
mod options;
mod pool;
mod report;
mod route;
mod status;
mod target;

pub use backoff::Backoff;
pub use cancel::Cancel;
pub use delivery::Delivery;
pub use message::Message;
pub use metrics::Metrics;
pub use options::{InvalidOptions, Options, Problem, TargetOptions, Verify};
pub use report::{RecipientReport, Report, Uncertain};
