#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod channel;
mod client;
mod conversation;
mod delivery;
mod handler;
mod incoming;
mod io;
mod line;
mod listen;
mod machine;
mod message;
mod runtime;
mod server;
mod shutdown;
mod timer;
mod transport;
mod verdicts;

pub use client::{Body, Builder, Client, Content, Deliveries, Handle, Transaction, send};
pub use handler::{Handler, Session};
pub use incoming::Incoming;
pub use io::Io;
pub use listen::{Bind, Listen, Listener, map_listener};
pub use message::Message;
pub use runtime::{Address, Listening, Runtime};
pub use server::Server;
pub use shutdown::Shutdown;
pub use timer::Timer;
pub use transport::Transport;
pub use verdicts::Verdicts;

#[cfg(feature = "rustls")]
pub use lmtp_rustls::{self as tls, ClientTls, ServerTls};
