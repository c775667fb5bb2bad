//! The contract of the front ends: what is here holds for all four.
//!
//! Each has a file of its own (`blocking.rs`, `tokio.rs`, …), which names the crate
//! `front`, says how its calls are waited for, and takes the same modules as the others.
//! One program holds them all, because linking four takes longer than running one.

#![cfg(unix)]
#![allow(clippy::duplicate_mod, reason = "a module of the contract is compiled once for each front end")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::while_let_on_iterator,
    reason = "what is unit or an iterator in one front end is not in another"
)]

/// A call that waits, in async code.
macro_rules! wait {
    ($call:expr) => {
        $call.await
    };
}

/// A function that waits, in async code.
macro_rules! waiting {
    ($($function:tt)*) => { async $($function)* };
}

/// Runs async code on the runtime of the front end at hand.
macro_rules! run {
    ($code:block) => {
        super::run(async move $code)
    };
}

mod alone;
mod async_std;
mod model;
mod pairs;
mod pki;
mod relay;
mod smol;
mod stream;
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

/// Runs the code.
macro_rules! run {
    ($code:block) => {
        super::run(move || $code)
    };
}

mod blocking;
