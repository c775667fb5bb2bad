#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod body;
mod channel;
mod handler;
mod io;
mod message;
mod runtime;
mod timer;
mod transport;
mod verdicts;

pub use body::Body;
pub use handler::{Handler, Session};
pub use io::Io;
pub use message::Message;
pub use runtime::{Address, Listening, Runtime};
pub use timer::Timer;
pub use transport::Transport;
pub use verdicts::Verdicts;
