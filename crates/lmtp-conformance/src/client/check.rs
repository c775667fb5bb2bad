//! A check of a client, and the catalogue of all of them.

use crate::check::Level;

use super::script::{self, Expected, Script};

/// What a check cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// That the client can be told how long to wait for a reply.
    Timeout,
    /// That the client can be given a NUL: a command line cannot hold one.
    Nul,
}

/// A message to be sent to a server that does as it is told, and what a client is held to meanwhile.
#[derive(Debug, Clone)]
pub struct Check {
    /// Its name, `group/name`.
    pub id: String,
    /// Ids of the rules in the catalogue of requirements.
    pub rules: Vec<String>,
    /// How strongly they bind.
    pub level: Level,
    /// The document and the section, as `RFC 2033 4.2`.
    pub section: String,
    /// What it is about, in a sentence.
    pub about: String,
    /// What it cannot do without.
    pub needs: Option<Need>,
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) message: Vec<u8>,
    pub(super) script: Script,
    pub(super) expected: Expected,
}

/// Every check of a client.
pub fn catalogue() -> Vec<Check> {
    let files = [
        include_str!("../../client/session.txt"),
        include_str!("../../client/outcomes.txt"),
        include_str!("../../client/refusals.txt"),
        include_str!("../../client/lost.txt"),
        include_str!("../../client/replies.txt"),
        include_str!("../../client/content.txt"),
        include_str!("../../client/extensions.txt"),
        include_str!("../../client/values.txt"),
    ];
    files.into_iter().flat_map(script::parse).collect()
}
