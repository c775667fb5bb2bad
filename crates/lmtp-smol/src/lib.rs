#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod client;
mod runtime;
mod server;

pub use client::{Builder, Client, Content, Deliveries, Transaction, send};
pub use runtime::{Smol, Timer};

pub use server::{Listener, Server, serve};

pub use lmtp_futures::{Bind, Body, Handle, Handler, Incoming, Io, Listen, Message, Session, Shutdown, Verdicts};
pub use lmtp_proto::{
    self as proto, Config, ContentClass, ContentError, ContentProblem, Endpoint, Envelope, Fault, FaultKind,
    ForwardPath, Limits, LineEndings, Misuse, NotDelivered, Origin, Outcome, Phase, RecipientId, RecipientReport,
    Reply, Report, ReversePath, SendError as Error, Timeouts,
    client::{EightBit, Line, Pipelining},
    proxy::Network,
    server::{BodyError, Config as ServerConfig, Credentials, Ending, Peer, PeerTls, Stale},
    value::{Capabilities, LhloName, MailParams, RcptParams, Security},
};
