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
mod server;
mod socket;
mod steps;

pub use body::Body;
pub use builder::Builder;
pub use client::{Client, send};
pub use deliveries::Deliveries;
pub use handle::Handle;
#[cfg(unix)]
pub use server::{Bind, Handler, Incoming, Listen, Listener, Message, Server, Session, Shutdown, Verdicts, serve};
pub use steps::{Content, Transaction};

pub use lmtp_proto::{
    self as proto, Config, ContentClass, ContentError, ContentProblem, Endpoint, Envelope, Fault, FaultKind,
    ForwardPath, Limits, LineEndings, Misuse, NotDelivered, Origin, Outcome, Phase, RecipientId, RecipientReport,
    Reply, Report, ReversePath, SendError as Error, Timeouts,
    client::{EightBit, Line, Pipelining},
    proxy::Network,
    server::{BodyError, Config as ServerConfig, Credentials, Ending, Peer, PeerTls, Stale},
    value::{Capabilities, LhloName, MailParams, RcptParams, Security},
};
