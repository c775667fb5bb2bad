#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod runtime;

pub use runtime::{AsyncStd, Listener, Timer};
