#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod body;
mod builder;
mod client;
mod connect;
mod deliveries;
mod drive;
mod handle;
#[cfg(unix)]
pub mod server;
mod socket;

pub use body::Body;
pub use builder::Builder;
pub use client::{Client, send};
pub use deliveries::Deliveries;
pub use handle::Handle;
#[cfg(unix)]
pub use server::{Bind, Handler, Listen, Listener, Message, Server, Session, Shutdown, Verdicts, serve};

pub use lmtp_proto::{
    self as proto, ContentClass, ContentError, ContentProblem, Endpoint, Envelope, Fault, FaultKind, ForwardPath,
    Limits, LineEndings, Misuse, NotDelivered, Origin, Outcome, Phase, RecipientReport, Reply, Report, ReversePath,
    SendError as Error, Timeouts,
    client::{EightBit, Line, Pipelining},
    value::{Capabilities, LhloName},
};
