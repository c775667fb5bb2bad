//! A check, and the catalogue of all of them.

use crate::run::Addresses;
use crate::script::{self, Step};

/// How strongly a document asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// MUST and MUST NOT.
    Must,
    /// SHOULD and SHOULD NOT.
    Should,
    /// MAY, and what peers expect though no document says it.
    May,
}

impl Level {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
        }
    }
}

/// What a check cannot do without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// That the server offers this extension, with these words behind it; else the check does not apply.
    Offer(String),
    /// That it does not; else the check does not apply.
    NoOffer(String),
    /// An address that the server refuses, from the user; else the check is not run.
    Bad,
    /// An address that it accepts and then cannot deliver to, from the user; else the check is not run.
    Full,
    /// Another address that it accepts, from the user; else the check is not run.
    Other,
    /// How long it waits for a client, from the user; else the check is not run.
    Idle,
    /// Who may log in, from the user; else the check is not run, where the server offers it.
    Login,
}

/// A conversation, and what it holds a server to.
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
    pub needs: Vec<Need>,
    pub(crate) steps: Vec<Step>,
}

impl Check {
    /// Why it cannot be run, if that is known before the server has said what it offers.
    pub fn missing(&self, addresses: &Addresses) -> Option<&'static str> {
        self.needs.iter().find_map(|need| match need {
            Need::Bad if addresses.bad.is_none() => Some("an address to be refused was not given"),
            Need::Other if addresses.other.is_none() => Some("a second address was not given"),
            Need::Full if addresses.full.is_none() => Some("an address that cannot be delivered to was not given"),
            Need::Idle if addresses.idle.is_none() => Some("how long the server waits was not given"),
            _ => None,
        })
    }
}

/// Every check of a server.
pub fn catalogue() -> Vec<Check> {
    let files = [
        include_str!("../checks/session.txt"),
        include_str!("../checks/syntax.txt"),
        include_str!("../checks/enhanced.txt"),
        include_str!("../checks/content.txt"),
        include_str!("../checks/replies.txt"),
        include_str!("../checks/chunking.txt"),
        include_str!("../checks/pipelining.txt"),
        include_str!("../checks/verdicts.txt"),
        include_str!("../checks/limits.txt"),
        include_str!("../checks/starttls.txt"),
        include_str!("../checks/addresses.txt"),
        include_str!("../checks/extensions.txt"),
        include_str!("../checks/auth.txt"),
        include_str!("../checks/timeouts.txt"),
        include_str!("../checks/shutdown.txt"),
    ];
    files.into_iter().flat_map(script::parse).collect()
}
