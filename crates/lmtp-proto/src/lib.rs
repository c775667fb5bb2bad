#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod auth;
pub mod client;
mod codec;
mod command_error;
mod data;
mod deadline;
mod error;
mod limits;
mod lines;
mod machine;
#[cfg(test)]
mod proof;
pub mod proxy;
mod queue;
mod report;
mod send_error;
pub mod server;
mod text;
mod time;
mod timeouts;
pub mod trace;
pub mod value;

pub use bytes;

pub use client::{Client, Config, Event};
pub use codec::{Leniency, ReplyReader, encode_command, encode_reply, parse_command, parse_command_with};
pub use command_error::CommandError;
pub use data::{
    BareNewlines, Chunker, Content, ContentClass, ContentError, ContentProblem, LineEndings, Piece, Scan, Stuffer,
    Unstuffer,
};
pub use error::{Error, Misuse, SyntaxError};
pub use limits::{Limit, Limits};
pub use machine::{Machine, Output};
pub use queue::SendQueue;
pub use report::{
    Fault, FaultKind, NotDelivered, Origin, Outcome, Phase, RecipientId, RecipientReport, Report, TransactionId,
};
pub use send_error::SendError;
pub use text::Escaped;
pub use time::Instant;
pub use timeouts::Timeouts;
pub use value::{Endpoint, Envelope, ForwardPath, Reply, ReversePath};
