#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod io;

pub use io::Io;
