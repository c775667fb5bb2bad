//! What the fuzz targets do, callable from plain tests.
//!
//! A target is a body here, in a file of its own: a function of octets that panics when something is not
//! as it should be. `fuzz/fuzz_targets/NAME.rs` calls it, `fuzz/corpus/NAME/` holds where libFuzzer begins,
//! and a test replays all of that with the ordinary compiler (`tests/corpus.rs`).
//!
//! | body | what must hold |
//! |---|---|
//! | [`reply()`] | replies: read alike however cut, within the limits, and what is encoded is read again |
//! | [`client()`] | a client that hears anything: one outcome for each recipient, bounded memory, linear time |
//! | [`command()`] | commands: what is understood encodes to the same again, what is not has a reply that fits |
//! | [`server()`] | a server that hears anything: one reply for each command and each recipient, the same however cut, linear time |
//! | [`pair()`] | both on a line that breaks: what the one reports is what the other did |
//! | [`unstuff()`] | what follows DATA: the end where the definition says, the same content however cut |
//! | [`differential()`] | a client that hears anything in pieces does what it does hearing whole lines |
//!
//! Bodies that need to decide something take an input's first line for their [`Choices`], so that seeds
//! can be read and written by hand.

mod choices;
mod client;
mod command;
mod differential;
mod pair;
mod reply;
mod server;
mod setting;
mod unstuff;

pub use choices::Choices;
pub use client::client;
pub use command::command;
pub use differential::differential;
pub use pair::pair;
pub use reply::reply;
pub use server::server;
pub use unstuff::unstuff;

/// A target: its name, and what it does with an input.
pub type Body = (&'static str, fn(&[u8]));

/// Every body, by the name of its target.
pub const BODIES: &[Body] = &[
    ("client", client),
    ("command", command),
    ("differential", differential),
    ("pair", pair),
    ("reply", reply),
    ("server", server),
    ("unstuff", unstuff),
];
