#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod io;
mod runtime;
mod server;
mod timer;

pub use io::Io;
pub use runtime::Tokio;
pub use server::{Listener, Server, serve};

pub use lmtp_futures::{Bind, Body, Handler, Listen, Message, Session, Shutdown, Verdicts};
pub use lmtp_proto::{
    self as proto, ForwardPath, Limits, RecipientId, Reply, ReversePath, Timeouts,
    proxy::Network,
    server::{BodyError, Config as ServerConfig, Credentials, Ending, Peer, PeerTls, Stale},
    value::{LhloName, MailParams, RcptParams, Security},
};
