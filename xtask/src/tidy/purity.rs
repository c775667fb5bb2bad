//! `lmtp-proto` is pure: without features it holds no `std`, neither by request nor as built.
//!
//! Two proofs, because each alone can be got round: a crate may link std without a feature of that
//! name, and a feature may be switched on that happens to link nothing yet.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};

use super::{Complaints, tree::Tree};
use crate::cargo::{self, Artifact, cargo};
use crate::process;

const CORE: &str = "lmtp-proto";

/// All that the core may stand on, directly or not. Macros run on the host and are no part of it.
const ALLOWED: [&str; 5] = ["base64", "bytes", "memchr", "nom", "thiserror"];

/// What of Rust's own libraries may be linked.
const SYSROOT: [&str; 3] = ["core", "alloc", "compiler_builtins"];

/// The feature tree: the core's normal dependencies are exactly the allowed ones, and none has `std` on.
pub(super) fn dependencies(_: &Tree) -> Result<Complaints> {
    let mut tree = cargo();
    tree.args(["tree", "-p", CORE, "-e", "normal,no-proc-macro", "--target", "all", "--locked"]);
    tree.args(["--prefix", "none", "--no-dedupe", "-f", "{p}|{f}"]);
    Ok(dependency_complaints(&process::capture(&mut tree)?))
}

/// The built core, and every crate that it links, links nothing of `std`.
pub(super) fn linkage(_: &Tree) -> Result<Complaints> {
    let mut build = cargo();
    // A directory of its own: next to other crates the core may have been built with their features.
    build.args(["build", "-p", CORE, "--locked", "--target-dir", "target/tidy"]);
    let artifacts = cargo::build(&mut build)?;

    let mut complaints = Vec::new();
    for name in ALLOWED.into_iter().chain([CORE]) {
        let rlib = rlib(&artifacts, name)?;
        // Stable rustc prints a crate's metadata only when told that it builds itself.
        let mut list = cargo::rustc();
        list.args(["-Zls=root", rlib]).env("RUSTC_BOOTSTRAP", "1");
        complaints.extend(linkage_complaints(name, &process::capture(&mut list)?)?);
    }
    Ok(complaints)
}

/// Reads lines of `name version|feature,feature`.
fn dependency_complaints(tree: &str) -> Complaints {
    let mut complaints = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for (package, features) in tree.lines().filter_map(|line| line.split_once('|')) {
        let name = package.split(' ').next().unwrap_or(package);
        seen.insert(name);
        if features.split(',').any(|feature| feature.trim() == "std") {
            complaints.insert(format!("{name}: has its feature `std` on"));
        }
        if name != CORE && !ALLOWED.contains(&name) {
            complaints.insert(format!("{name}: is no crate that {CORE} may depend on"));
        }
    }
    let missing = ALLOWED.into_iter().chain([CORE]).filter(|name| !seen.contains(name));
    complaints.extend(missing.map(|name| format!("{name}: is not in the tree of {CORE}")));
    complaints.into_iter().collect()
}

fn rlib<'a>(artifacts: &'a [Artifact], name: &str) -> Result<&'a str> {
    let target = name.replace('-', "_");
    artifacts
        .iter()
        .filter(|artifact| artifact.target == target && artifact.kinds == ["lib"])
        .flat_map(|artifact| &artifact.files)
        .find(|file| file.extension().is_some_and(|extension| extension == "rlib"))
        .and_then(|file| file.to_str())
        .with_context(|| format!("cargo built no rlib of {name}"))
}

/// Reads `rustc -Zls`: below `=External Dependencies=` lines of `number name-hash … kind KIND …`.
fn linkage_complaints(name: &str, listing: &str) -> Result<Complaints> {
    let (_, dependencies) = listing
        .split_once("=External Dependencies=")
        .with_context(|| format!("rustc -Zls lists no dependencies of {name}:\n{listing}"))?;
    let mut linked = Vec::new();
    for line in dependencies.lines().skip(1).take_while(|line| !line.trim().is_empty()) {
        let mut words = line.split(' ').skip(1);
        let crate_name = words.next().and_then(|word| Some(word.rsplit_once('-')?.0));
        let crate_name = crate_name.with_context(|| format!("rustc -Zls: odd line: {line}"))?;
        // A macro runs in the compiler and leaves no link behind.
        if !words.any(|word| word == "MacrosOnly") {
            linked.push(crate_name);
        }
    }
    // Whatever links nothing at all was not read, but misread.
    ensure!(linked.contains(&"compiler_builtins"), "rustc -Zls of {name} is odd:\n{listing}");

    // What std stands on itself comes with it, and would only hide its name.
    if linked.contains(&"std") {
        return Ok(vec![format!("{name}: links `std`")]);
    }
    let allowed = |linked: &&&str| SYSROOT.contains(linked) || ALLOWED.contains(linked);
    let strangers = linked.iter().filter(|linked| !allowed(linked));
    Ok(strangers.map(|stranger| format!("{name}: links `{stranger}`")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "lmtp-proto v0.1.0 (/p/crates/lmtp-proto)|\nbase64 v0.23.1|alloc\nbytes v1.12.1|\nmemchr v2.8.3|\n\
        nom v8.0.0|alloc\nmemchr v2.8.3|\nthiserror v2.0.21|\n";

    #[test]
    fn std_anywhere_in_the_feature_tree_is_told() {
        assert_eq!(dependency_complaints(TREE), Complaints::new());
        let own = TREE.replace("lmtp-proto)|", "lmtp-proto)|default,std");
        assert_eq!(dependency_complaints(&own), ["lmtp-proto: has its feature `std` on"]);
        let deep = TREE.replace("v2.8.3|", "v2.8.3|alloc,std");
        assert_eq!(dependency_complaints(&deep), ["memchr: has its feature `std` on"]);
    }

    #[test]
    fn other_dependencies_and_missing_ones_are_told() {
        let more = format!("{TREE}libc v0.2.0|\n");
        let complaints = dependency_complaints(&more);
        assert_eq!(complaints, ["libc: is no crate that lmtp-proto may depend on"]);
        let complaints = dependency_complaints(&TREE.replace("nom v", "nom8 v"));
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert_eq!(dependency_complaints("").len(), 6);
    }

    const LISTING: &str = "Crate info:\nname bytes-a393\n\n=External Dependencies=\n\
        1 core-120c hash 41 host_hash None kind Unconditional public\n\
        2 compiler_builtins-27 hash a6 host_hash None kind Unconditional private\n\
        3 thiserror_impl-96 hash 80 host_hash None kind MacrosOnly public\n\n\n";

    #[test]
    fn a_linked_std_is_told() {
        assert_eq!(linkage_complaints("bytes", LISTING).unwrap(), Complaints::new());
        let with_std = LISTING.replace("1 core-120c", "1 std-0c5f hash 1\n2 libc-17");
        assert_eq!(linkage_complaints("bytes", &with_std).unwrap(), ["bytes: links `std`"]);
    }

    #[test]
    fn a_listing_that_cannot_be_read_is_an_error_and_no_proof() {
        assert!(linkage_complaints("bytes", "").is_err());
        assert!(linkage_complaints("bytes", "=External Dependencies=\n\n").is_err());
        assert!(linkage_complaints("bytes", "=External Dependencies=\nodd\n").is_err());
    }
}
