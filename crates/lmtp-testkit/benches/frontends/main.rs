//! Clients and servers of the four front ends, for measuring them beside others.
//!
//! ```sh
//! cargo bench -p lmtp-testkit --bench frontends -- client tokio all unix:/tmp/sink SESSIONS MESSAGES OCTETS
//! cargo bench -p lmtp-testkit --bench frontends -- server tokio unix:/tmp/sink
//! ```
//!
//! A client sends so many messages over each of its sessions and ends: with `all` by
//! `deliver_all`, with `single` by `deliver`, one after the other. A server takes mail for
//! everybody and throws it away. `cargo xtask bench frontends` does the measuring; without
//! arguments each client sends a little to each server, to see that they work.

#![cfg(unix)]
#![allow(clippy::duplicate_mod, reason = "the roles are compiled once for each front end")]
#![allow(clippy::while_let_on_iterator, reason = "what is an iterator in one front end is not in another")]

use std::fmt::Display;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use lmtp_proto::bytes::Bytes;
use lmtp_proto::{Endpoint, Envelope, ForwardPath};

/// A call that waits, in async code.
macro_rules! wait {
    ($call:expr) => {
        $call.await
    };
}

/// A function that waits, in async code.
macro_rules! waiting {
    ($(#[$said:meta])* $sight:vis fn $($function:tt)*) => { $(#[$said])* $sight async fn $($function)* };
}

mod async_std;
mod smol;
mod tokio;

/// A call that waits, where the thread does.
macro_rules! wait {
    ($call:expr) => {
        $call
    };
}

/// A function that waits, where the thread does.
macro_rules! waiting {
    ($($function:tt)*) => { $($function)* };
}

mod blocking;

/// What a client is to do.
#[derive(Clone)]
pub(crate) struct Work {
    pub(crate) endpoint: Endpoint,
    /// By `deliver`, and not by `deliver_all`.
    pub(crate) single: bool,
    pub(crate) sessions: usize,
    /// In each session.
    pub(crate) messages: usize,
    pub(crate) envelope: Envelope,
    pub(crate) content: Bytes,
}

struct Front {
    name: &'static str,
    client: fn(&Work),
    server: fn(Endpoint) -> std::io::Result<()>,
}

const FRONTS: [Front; 4] = [
    Front { name: "blocking", client: blocking::client, server: blocking::server },
    Front { name: "tokio", client: tokio::client, server: tokio::server },
    Front { name: "smol", client: smol::client, server: smol::server },
    Front { name: "async-std", client: async_std::client, server: async_std::server },
];

fn main() {
    // Cargo adds one of its own.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["client", front, how @ ("all" | "single"), endpoint, sessions, messages, octets] => {
            (named(front).client)(&work(parsed(endpoint), how == "single", [sessions, messages, octets].map(parsed)));
        }
        ["server", front, endpoint] => {
            let error = (named(front).server)(parsed(endpoint)).err();
            panic!("{front} does not serve {endpoint}: {error:?}");
        }
        [] => all_of_them(),
        _ => panic!("client FRONT all|single URL SESSIONS MESSAGES OCTETS, or server FRONT URL"),
    }
}

fn named(name: &str) -> &'static Front {
    FRONTS.iter().find(|front| front.name == name).unwrap_or_else(|| panic!("no front end {name}"))
}

fn parsed<T: std::str::FromStr<Err: Display>>(word: &str) -> T {
    word.parse().unwrap_or_else(|error| panic!("{word}: {error}"))
}

/// Messages of lines of 80 octets, from one sender to one recipient.
fn work(endpoint: Endpoint, single: bool, [sessions, messages, octets]: [usize; 3]) -> Work {
    let line = [&[b'x'; 78][..], b"\r\n"].concat();
    let content = Bytes::from(line.repeat(octets.div_ceil(line.len())));
    let to: ForwardPath = "bob@example.org".parse().expect("an address");
    let envelope = Envelope::new("ann@example.org".parse().expect("an address"), [to]).expect("an envelope");
    Work { endpoint, single, sessions, messages, envelope, content }
}

/// Each client to each server, a little of both kinds.
fn all_of_them() {
    let folder = tempfile::tempdir().expect("a directory");
    for server in &FRONTS {
        let path: PathBuf = folder.path().join(server.name);
        let endpoint: Endpoint = parsed(&format!("unix:{}", path.display()));
        let serves = endpoint.clone();
        // It ends with the program.
        thread::spawn(move || (server.server)(serves));
        let patience = Instant::now() + Duration::from_secs(10);
        while !path.exists() {
            assert!(Instant::now() < patience, "{} does not listen", server.name);
            thread::sleep(Duration::from_millis(5));
        }
        for client in &FRONTS {
            for single in [false, true] {
                (client.client)(&work(endpoint.clone(), single, [2, 3, 1000]));
            }
            println!("{} to {}", client.name, server.name);
        }
    }
}
