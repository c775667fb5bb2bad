#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod io;
mod runtime;
mod timer;

pub use io::Io;
pub use runtime::{Listener, Tokio};
