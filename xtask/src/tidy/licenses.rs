//! The license texts exist once, in `docs/licenses`, and are in every package.

use std::fs;

use anyhow::{Context as _, Result};

use super::{Complaints, tree::Tree};
use crate::cargo::cargo;
use crate::process;

const TEXTS: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];

/// Every crate that is published has both texts, as symlinks to the one copy.
pub(super) fn linked(tree: &Tree) -> Result<Complaints> {
    let home = tree.root().join("docs/licenses");
    let home = fs::canonicalize(&home).with_context(|| home.display().to_string())?;
    let mut complaints = Vec::new();
    for name in published(tree)? {
        for text in TEXTS {
            let path = format!("crates/{name}/{text}");
            let link = tree.root().join(&path);
            if !link.is_symlink() {
                complaints.push(format!("{path}: is no symlink into docs/licenses"));
            } else if !fs::canonicalize(&link).is_ok_and(|target| target.parent() == Some(&home)) {
                complaints.push(format!("{path}: does not resolve to a file in docs/licenses"));
            }
        }
    }
    Ok(complaints)
}

/// A symlink that cargo did not follow would be missing from the package that users get.
pub(super) fn packaged(tree: &Tree) -> Result<Complaints> {
    let mut complaints = Vec::new();
    for name in published(tree)? {
        let mut list = cargo();
        list.args(["package", "--list", "--allow-dirty", "--quiet", "--locked", "-p", name]);
        complaints.extend(missing_from_package(name, &process::capture(&mut list)?));
    }
    Ok(complaints)
}

fn missing_from_package(name: &str, list: &str) -> Complaints {
    let missing = TEXTS.iter().filter(|text| !list.lines().any(|line| line == **text));
    missing.map(|text| format!("{name}: {text} is not in the package")).collect()
}

/// Crates whose manifest does not say `publish = false`.
fn published(tree: &Tree) -> Result<Vec<&str>> {
    let mut published = Vec::new();
    for name in tree.crates() {
        let manifest = tree.text(&format!("crates/{name}/Cargo.toml"))?;
        if !manifest.lines().any(|line| line.replace(' ', "") == "publish=false") {
            published.push(name);
        }
    }
    Ok(published)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::tidy::tree::Sample;

    fn sample() -> Sample {
        let sample = Sample::new(&[
            ("crates/lmtp-a/Cargo.toml", "[package]\n"),
            ("crates/lmtp-kit/Cargo.toml", "[package]\npublish = false\n"),
            ("docs/licenses/LICENSE-MIT", "MIT"),
            ("docs/licenses/LICENSE-APACHE", "Apache"),
            ("docs/other", ""),
        ]);
        for text in TEXTS {
            let link = sample.root().join("crates/lmtp-a").join(text);
            symlink(format!("../../docs/licenses/{text}"), link).unwrap();
        }
        sample
    }

    #[test]
    fn links_to_the_one_copy_are_fine() {
        assert_eq!(sample().complaints(linked), Complaints::new());
    }

    #[test]
    fn copies_strays_and_dangling_links_are_told() {
        let breakages: [fn(&std::path::Path); 4] = [
            |link| fs::write(link, "a copy").unwrap(),
            |link| symlink("../../docs/other", link).unwrap(),
            |link| symlink("../../docs/licenses/LICENSE-BSD", link).unwrap(),
            |_missing| (),
        ];
        for breakage in breakages {
            let sample = sample();
            let link = sample.root().join("crates/lmtp-a/LICENSE-MIT");
            fs::remove_file(&link).unwrap();
            breakage(&link);
            let complaints = sample.complaints(linked);
            assert_eq!(complaints.len(), 1, "{complaints:?}");
        }
    }

    #[test]
    fn a_text_missing_from_the_package_is_told() {
        let complaints = missing_from_package("a", "Cargo.toml\nLICENSE-MIT\nsrc/lib.rs\n");
        assert_eq!(complaints, ["a: LICENSE-APACHE is not in the package"]);
    }
}
