//! What lies at the top of the tree.

use std::collections::BTreeSet;

use anyhow::Result;

use super::{Complaints, tree::Tree};

/// Beside these only dot files.
const TOP: [&str; 7] = ["Cargo.toml", "Cargo.lock", "crates", "fuzz", "docs", "xtask", "README.md"];

#[expect(clippy::unnecessary_wraps, reason = "every rule has this shape")]
pub(super) fn top_level(tree: &Tree) -> Result<Complaints> {
    let there: BTreeSet<&str> =
        tree.files().map(|file| file.split_once('/').map_or(file, |(first, _)| first)).collect();
    let missing = TOP.iter().filter(|name| !there.contains(*name));
    let stray = there.iter().filter(|name| !TOP.contains(name) && !name.starts_with('.'));
    let missing = missing.map(|name| format!("{name}: missing from the top level"));
    let stray = stray.map(|name| format!("{name}: does not belong on the top level"));
    Ok(missing.chain(stray).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::Sample;

    const WELL: [(&str, &str); 8] = [
        ("Cargo.toml", ""),
        ("Cargo.lock", ""),
        ("README.md", ""),
        (".ci/run", ""),
        ("crates/a/Cargo.toml", ""),
        ("docs/a.md", ""),
        ("fuzz/a", ""),
        ("xtask/a", ""),
    ];

    #[test]
    fn missing_and_stray_are_told() {
        assert!(Sample::new(&WELL).complaints(top_level).is_empty());

        let stray = [&WELL[..], &[("Makefile", ""), ("scripts/x", "")]].concat();
        let complaints = Sample::new(&stray).complaints(top_level);
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints[0].starts_with("Makefile"));

        let complaints = Sample::new(&WELL[1..]).complaints(top_level);
        assert_eq!(complaints, ["Cargo.toml: missing from the top level"]);
    }
}
