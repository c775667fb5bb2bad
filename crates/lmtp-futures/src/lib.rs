#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod io;
mod runtime;
mod timer;
mod transport;

pub use io::Io;
pub use runtime::{Address, Listening, Runtime};
pub use timer::Timer;
pub use transport::Transport;
