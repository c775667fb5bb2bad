//! The program `lmtp`: LMTP (RFC 2033) at the command line.
//!
//! Read from here down: [`args`] is what can be asked for, [`send`], [`probe`],
//! [`serve`], [`deliver`], [`gateway`], [`conformance`] and [`demo`] do it, [`exit`] is what the caller is told. A
//! connection is set up in [`session`]; what is printed goes through [`console`] and [`json`].

mod args;
mod conformance;
mod console;
mod deliver;
mod demo;
mod exit;
mod gateway;
mod hint;
mod json;
mod message;
mod probe;
mod security;
mod send;
mod serve;
mod session;
mod signals;
mod usage;
mod waiting;

use std::panic;
use std::process::ExitCode;

use args::Command;
use exit::Exit;

fn main() -> ExitCode {
    guarded(|| match args::parse() {
        Ok(Command::Probe(args)) => probe::run(&args),
        Ok(Command::Send(args)) => send::run(&args),
        Ok(Command::Demo(args)) => demo::run(&args),
        Ok(Command::Serve(args)) => serve::run(*args),
        Ok(Command::Conformance(args)) => conformance::run(&args),
        Ok(Command::Deliver(args)) => deliver::run(&args),
        Ok(Command::Gateway(args)) => gateway::run(*args),
        Err(error) => usage::report(&error),
    })
    .into()
}

/// Mail systems run this program: a bug in it must not bounce mail, so a panic
/// means "try again later".
fn guarded(run: impl FnOnce() -> Exit + panic::UnwindSafe) -> Exit {
    panic::catch_unwind(run).unwrap_or(Exit::TryLater)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_means_try_again() {
        assert_eq!(guarded(|| panic!("on purpose")), Exit::TryLater);
        assert_eq!(guarded(|| Exit::Refused), Exit::Refused);
    }
}
