#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod client;
mod runtime;

pub use client::{Builder, Client, Content, Deliveries, Transaction, send};
pub use runtime::{Listener, Smol, Timer};

pub use lmtp_futures::{Body, Handle, Io};
pub use lmtp_proto::{
    self as proto, Config, ContentClass, ContentError, ContentProblem, Endpoint, Envelope, Fault, FaultKind,
    ForwardPath, Limits, LineEndings, Misuse, NotDelivered, Origin, Outcome, Phase, RecipientId, RecipientReport,
    Reply, Report, ReversePath, SendError as Error, Timeouts,
    client::{EightBit, Line, Pipelining},
    value::{Capabilities, LhloName, MailParams, RcptParams, Security},
};
