#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
// Nothing that comes over the wire may end a thread that others share.
#![warn(clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod component;
mod delivery;
mod draft;
pub mod fs;
mod group;
mod header;
mod lines;
mod mailbox;
mod map;
mod name;
mod quota;
mod rules;
mod store;
mod system;
mod template;
mod verdict;

pub use component::{Component, InvalidPath, RelativePath};
pub use delivery::Delivery;
pub use header::Origin;
pub use lines::LineEnds;
pub use map::{Aliases, InvalidMap, Map, Table};
pub use quota::Quota;
pub use rules::{Folders, Rules};
pub use store::{Config, Recipient, Store};
pub use system::System;
pub use template::{InvalidTemplate, Template};
pub use verdict::{Trouble, Verdict, What, WhenFull};
