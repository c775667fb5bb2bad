//! A conformance suite for LMTP (RFC 2033): servers over a socket or in memory, clients as programs or in process.
//!
//! A [`Check`] is a conversation written as text (the files in `checks/`), with its
//! level, its section and the rules it holds a server to. [`run()`] plays one over a
//! [`Conversation`]: [`Socket`] is one on TCP or a Unix socket, [`Memory`] is one
//! with a [`Peer`] in this process. [`property`] makes conversations up, judges
//! them by a slow model of the protocol, and shrinks the ones that fail.
//!
//! A test of a server, whatever it is written in:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use lmtp_conformance::{Addresses, Outcome, SocketTarget, catalogue, run};
//!
//! let server = SocketTarget::parse("lmtp://127.0.0.1:2424").unwrap();
//! let addresses = Addresses { good: "bob@example.org".into(), ..Addresses::default() };
//! for check in catalogue() {
//!     let mut line = server.connect(Duration::from_secs(5), None).unwrap();
//!     let verdict = run(&check, &addresses, &mut line);
//!     assert!(!matches!(verdict.outcome, Outcome::Failed(_)), "{}: {verdict:#?}", check.id);
//! }
//! ```
//!
//! Replies are read by [`reply`], which shares nothing with the codec of `lmtp`:
//! a fault in one is not hidden by the same fault in the other.
//!
//! Clients have a suite of their own, [`client`].

mod check;
pub mod client;
mod conversation;
mod login;
pub mod property;
pub mod reply;
mod run;
mod script;
mod socket;
mod volume;

pub use check::{Check, Level, Need, catalogue};
pub use conversation::{Conversation, Lost, Memory, NoTls, Peer};
pub use login::Login;
pub use run::{Addresses, Outcome, Verdict, run, run_cut};
pub use socket::{Socket, SocketTarget, Tls};
