//! The server machine, where a file of `C:` and `S:` lines cannot show it: time,
//! secrets, sizes, and drivers that ask too often.

mod auth;
mod driven;
mod rules;
mod sizes;
