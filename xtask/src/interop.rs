//! Real foreign peers: `cargo xtask interop`.
//!
//! To add a peer, write a file with a [`Peer`] in it and name it in [`PEERS`]. A peer that is an LMTP
//! server fills in a [`server::Server`] and gets all of its checks; one that is a client is a
//! [`client::Client`] and gets those, against our own [`desk::Desk`].

mod agent;
pub(crate) mod apt;
mod browser;
pub(crate) mod certificates;
mod checks;
mod client;
pub(crate) mod cyrus;
pub(crate) mod daemon;
mod desk;
pub(crate) mod dovecot;
mod dovecot_proxy;
pub(crate) mod exim;
mod haproxy;
mod library;
mod messages;
pub(crate) mod nodemailer;
mod opensmtpd;
mod openssl;
pub(crate) mod owner;
pub(crate) mod place;
mod postfix;
pub(crate) mod program;
pub(crate) mod python;
mod schemathesis;
pub(crate) mod server;
pub(crate) mod swaks;
mod trace;
pub(crate) mod unpacked;
mod web;

use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use crate::interop::checks::Checks;
use crate::interop::program::Program;
use crate::project::yellow;
use crate::stage::Outcome;

/// A foreign implementation that we talk to.
pub(crate) trait Peer {
    fn name(&self) -> &'static str;

    /// Installs what the peer needs, where this may be done, or says why it cannot be had.
    fn obtain(&self) -> Result<Availability>;

    /// Starts the peer, checks it, stops it; nothing of it may be left, however this ends.
    fn check(&self, program: &Program, checks: &mut Checks) -> Result<()>;
}

/// Whether something can be had on this machine.
pub(crate) enum Availability {
    Ready,
    Missing(String),
}

/// Every peer there is.
pub(crate) const PEERS: [&dyn Peer; 13] = [
    &dovecot::Dovecot,
    &cyrus::Cyrus,
    &openssl::Openssl,
    &postfix::Postfix,
    &exim::Exim,
    &opensmtpd::Opensmtpd,
    &swaks::Swaks,
    &python::Python,
    &nodemailer::Nodemailer,
    &dovecot_proxy::DovecotProxy,
    &haproxy::Haproxy,
    &browser::Browser,
    &schemathesis::Schemathesis,
];

/// Runs one peer, or all.
pub(crate) fn run(name: Option<&str>, strict: bool) -> Result<()> {
    let wanted: Vec<_> = PEERS.into_iter().filter(|peer| name.is_none_or(|name| name == peer.name())).collect();
    let names = PEERS.map(Peer::name).join(", ");
    ensure!(!wanted.is_empty(), "no peer `{}`; there are: {names}", name.unwrap_or_default());
    let mut seconds = Vec::new();
    for peer in wanted {
        let begin = Instant::now();
        println!("{}", peer.name());
        if let Outcome::Skipped(why) = check(peer)? {
            if strict {
                bail!("{} cannot be had: {why}", peer.name());
            }
            println!("{} {}", peer.name(), yellow(&format!("skipped: {why}")));
        }
        seconds.push((peer.name(), begin.elapsed().as_secs_f64()));
    }
    println!("\nseconds, installing included");
    for (name, seconds) in &seconds {
        println!("{name:14} {seconds:6.1}");
    }
    println!("{:14} {:6.1}", "all", seconds.iter().map(|(_, seconds)| seconds).sum::<f64>());
    Ok(())
}

/// Obtains a peer and checks it.
pub(crate) fn check(peer: &dyn Peer) -> Result<Outcome> {
    let name = peer.name();
    if let Availability::Missing(why) = peer.obtain().with_context(|| format!("obtaining {name}"))? {
        return Ok(Outcome::Skipped(why));
    }
    let program = Program::build()?;
    let mut checks = Checks::of(name);
    peer.check(&program, &mut checks)?;
    checks.finish()?;
    Ok(Outcome::Passed)
}
