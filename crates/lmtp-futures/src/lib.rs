#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod io;
mod timer;
mod transport;

pub use io::Io;
pub use timer::Timer;
pub use transport::Transport;
