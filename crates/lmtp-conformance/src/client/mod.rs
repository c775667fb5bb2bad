//! A conformance suite for LMTP clients: a server that does as it is told, and what a client makes of it.
//!
//! A [`Check`] is written as text (the files in `client/`): a message to be sent, what the server says that it would
//! not say by itself, what the client must and must not send, and what it has to report for each recipient. [`run`] opens
//! a server for it on a port of 127.0.0.1 or a Unix socket, asks the [`Client`] once, and judges. Some rules hold in
//! every check: LHLO and never EHLO, CRLF at the end of each line, no content before 354, nothing that was not offered,
//! nobody *delivered* without a 2yz of its own.
//!
//! A library in this process is tested so; it has to wait no longer for a reply than [`Errand::timeout`], and to report
//! a [`Fate`] for each recipient:
//!
//! ```no_run
//! use lmtp_conformance::client::{Errand, Fate, Settings, hold};
//!
//! # fn my_library(_: &Errand) -> Vec<bool> { Vec::new() }
//! // In `#[test]`:
//! let failures = hold(&Settings::default(), &|errand: &Errand| {
//!     // errand.url, errand.from, errand.to, errand.message, errand.timeout
//!     let results = my_library(errand);
//!     results.iter().map(|&sent| if sent { Fate::Delivered } else { Fate::Temporary }).collect()
//! });
//! assert!(failures.is_empty(), "{}", failures.join("\n\n"));
//! ```
//!
//! A program is tested by [`Program`], as `lmtp conformance client` does.

mod check;
mod command;
mod content;
mod errand;
mod fate;
mod judge;
mod line;
mod made_up;
mod record;
mod script;
mod server;
mod wire;

pub use check::{Check, Need, catalogue};
pub use command::{Adapter, Program};
pub use errand::{Client, Errand, Trouble};
pub use fate::{Fate, Told};
pub use judge::{Settings, hold, run, run_all, shown_failure};
pub use made_up::made_up;
pub use wire::Place;
