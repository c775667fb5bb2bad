//! What lmtp is tested with: transcripts that play themselves, peers that do as
//! they are told, an evil one, and slow and obvious models to compare with.
//!
//! Not published. Panics freely: a failed expectation is a failed test.

#![allow(clippy::missing_panics_doc)]

pub mod auth;
mod book;
pub mod broken;
pub mod broken_client;
pub mod conversation;
pub mod counted;
pub mod effort;
pub mod evil;
pub mod examples;
mod faults;
pub mod fuzz;
pub mod markdown;
pub mod memory;
pub mod model;
pub mod outcomes;
pub mod pair;
pub mod proof;
pub mod rows;
pub mod served;
pub mod sim;
pub mod socket;
pub mod transcript;
pub mod values;

/// The Rust of the project's first page compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct FirstPage;
