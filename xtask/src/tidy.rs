//! Rules of the tree that no other tool checks: `cargo xtask tidy`.
//!
//! A rule is a function from the tree to complaints. Each has a test that shows that it can fail.

mod front_ends;
mod layout;
mod licenses;
mod links;
mod purity;
mod source;
pub(crate) mod surface;
mod transcripts;
pub(crate) mod tree;

use anyhow::{Context as _, Result, ensure};

use crate::project::{self, green, red};
use crate::tidy::tree::Tree;
use crate::{diagrams, requirements};

/// What is wrong, one line each, beginning with the place.
pub(crate) type Complaints = Vec<String>;
type Rule = fn(&Tree) -> Result<Complaints>;

const RULES: [(&str, Rule); 20] = [
    ("the top level holds what belongs there and nothing else", layout::top_level),
    ("source files are short", source::short_files),
    ("source files begin with what they are", source::documented_files),
    ("nothing is left unfinished or switched off", source::nothing_unfinished),
    ("lmtp-proto names no clock, socket, thread or async", source::core_is_sans_io),
    ("lmtp-proto depends on its few crates, without std", purity::dependencies),
    ("lmtp-proto links no std as built", purity::linkage),
    ("front ends have one short loop each", front_ends::short_loops),
    ("lmtp-smol and lmtp-async-std are short", front_ends::few_lines),
    ("front ends name no protocol command", front_ends::name_no_command),
    ("front ends have the same items, all in the contract", surface::same_and_used),
    ("lmtp-tokio takes little beyond tokio", front_ends::little_beyond_tokio),
    ("libraries bring no TLS by default", front_ends::no_tls_by_default),
    ("async-std comes with lmtp-async-std alone", front_ends::async_std_alone),
    ("license texts are linked into each published crate", licenses::linked),
    ("license texts are packaged", licenses::packaged),
    ("relative links lead to files", links::lead_to_files),
    ("rules that must be kept have a proof or a reason", requirements::page_complaints),
    ("diagrams are what the tables say", diagrams::stale),
    ("transcripts are there and not empty", transcripts::not_empty),
];

/// Checks every rule and names all complaints.
pub(crate) fn run() -> Result<()> {
    let tree = Tree::of_git(&project::root())?;
    let mut broken = 0;
    for (name, rule) in RULES {
        let complaints = rule(&tree).with_context(|| format!("tidy cannot check that {name}"))?;
        let verdict = if complaints.is_empty() { green("ok") } else { red("FAILED") };
        println!("tidy: {name}: {verdict}");
        for complaint in &complaints {
            println!("    {complaint}");
        }
        broken += usize::from(!complaints.is_empty());
    }
    ensure!(broken == 0, "{broken} of {} tidy rules are broken", RULES.len());
    Ok(())
}
