//! Which test proves which rule: `cargo xtask requirements`.
//!
//! The list of the rules is written by hand. What proves them is not: tests that pass record it
//! (`lmtp_testkit::proves!`), and the page of the book that shows both is made from list and record.

mod list;
mod map;
mod record;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::cargo::cargo;
use crate::project;
use crate::tidy::{Complaints, tree::Tree};
use crate::{process, requirements::list::Rule};

/// The rules.
const LIST: &str = "docs/requirements.toml";
/// The page that is made.
const MAP: &str = "docs/book/src/rfc-map.md";

/// Makes the page, or with `check` compares it; from the record of a run that passed, or of one of its own.
pub(crate) fn run(recorded: Option<PathBuf>, check: bool) -> Result<()> {
    let recorded = if let Some(directory) = recorded { directory } else { record_now()? };
    let rules = rules()?;
    let proofs = record::read(&recorded)?;
    let unknown: Vec<&String> = proofs.keys().filter(|id| !rules.iter().any(|rule| rule.id == **id)).collect();
    ensure!(unknown.is_empty(), "{LIST} has no {unknown:?}, which tests prove: the record is an old one");
    let page = map::page(&rules, &proofs);
    if check {
        return compare(&page, &project::root());
    }
    print!("{}", map::overview(&rules, &proofs));
    let path = project::root().join(MAP);
    fs::write(&path, &page).with_context(|| path.display().to_string())?;
    println!("{MAP} is written");
    Ok(())
}

fn record_now() -> Result<PathBuf> {
    let mut tests = cargo();
    tests.args(["test", "--workspace", "--all-features", "--locked"]);
    let directory = recording(&mut tests)?;
    process::run(&mut tests)?;
    Ok(directory)
}

/// Lets the tests that `tests` runs record what they prove, in a directory that holds nothing yet.
pub(crate) fn recording(tests: &mut Command) -> Result<PathBuf> {
    let directory = project::root().join("target/proofs");
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| directory.display().to_string())?;
    }
    fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    tests.env("LMTP_PROOFS", &directory);
    Ok(directory)
}

/// The page says what was recorded, and no rule that must be kept lacks a proof.
fn compare(page: &str, root: &Path) -> Result<()> {
    let committed = fs::read_to_string(root.join(MAP)).with_context(|| MAP.to_owned())?;
    for line in map::difference(&committed, page) {
        println!("    {line}");
    }
    ensure!(committed == page, "{MAP} is not what the tests prove; `cargo xtask requirements` writes it");
    let lacking = map::lacking(page);
    ensure!(lacking.is_empty(), "{} rules that must be kept lack a proof: {}", lacking.len(), lacking.join(" "));
    Ok(())
}

fn rules() -> Result<Vec<Rule>> {
    let text = fs::read_to_string(project::root().join(LIST)).with_context(|| LIST.to_owned())?;
    list::parse(&text).with_context(|| LIST.to_owned())
}

/// What tidy can say without running a test: the page has the rules of the list, and a proof or a reason
/// wherever one must be.
pub(crate) fn page_complaints(tree: &Tree) -> Result<Complaints> {
    for file in [LIST, MAP] {
        if !tree.files().any(|there| there == file) {
            bail!("{file} is missing");
        }
    }
    let rules = list::parse(&tree.text(LIST)?).with_context(|| LIST.to_owned())?;
    let page = tree.text(MAP)?;
    let listed: Vec<(&str, &str)> = rules.iter().map(|rule| (rule.id.as_str(), rule.level.as_str())).collect();
    let shown: Vec<(&str, &str)> = map::rows(&page).map(|row| (row.id, row.level)).collect();
    let absent = listed.iter().filter(|rule| !shown.contains(rule));
    let stray = shown.iter().filter(|rule| !listed.contains(rule));
    let mut complaints: Complaints = absent.map(|(id, _)| format!("{MAP}: has no {id} of {LIST}")).collect();
    complaints.extend(stray.map(|(id, _)| format!("{MAP}: {id} is not so in {LIST}")));
    complaints.extend(map::lacking(&page).iter().map(|id| format!("{MAP}: {id} lacks a proof and a reason")));
    Ok(complaints)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::Sample;

    const RULES: &str = "[[rule]]\nid = \"R1-1-a\"\nrfc = \"1\"\nsection = \"1\"\nlevel = \"MUST\"\nside = \"both\"\n\
        summary = \"One.\"\ncore = true\n";

    #[test]
    fn the_list_of_the_project_can_be_read() {
        assert!(rules().unwrap().len() > 200);
    }

    #[test]
    fn a_page_that_lacks_something_is_told() {
        let rules = list::parse(RULES).unwrap();
        let unproved = map::page(&rules, &record::Proofs::new());
        let proofs = record::Proofs::from([("R1-1-a".to_owned(), ["a: t".to_owned()].into())]);
        let proved = map::page(&rules, &proofs);
        let complaints = |list: &str, page: &str| Sample::new(&[(LIST, list), (MAP, page)]).complaints(page_complaints);
        assert_eq!(complaints(RULES, &proved), Complaints::new());
        assert_eq!(complaints(RULES, &unproved), [format!("{MAP}: R1-1-a lacks a proof and a reason")]);
        assert_eq!(complaints(RULES, "# Nothing\n"), [format!("{MAP}: has no R1-1-a of {LIST}")]);
        let other = RULES.replace("R1-1-a", "R1-1-b");
        assert_eq!(complaints(&other, &proved).len(), 2);
        let lower = RULES.replace("MUST", "SHOULD");
        assert_eq!(complaints(&lower, &proved).len(), 2, "the level is another");
    }

    #[test]
    fn a_stale_page_and_a_missing_proof_fail_the_check() {
        let rules = list::parse(RULES).unwrap();
        let unproved = map::page(&rules, &record::Proofs::new());
        let proofs = record::Proofs::from([("R1-1-a".to_owned(), ["a: t".to_owned()].into())]);
        let proved = map::page(&rules, &proofs);
        let sample = Sample::new(&[(MAP, &proved)]);
        compare(&proved, sample.root()).unwrap();
        assert!(compare(&unproved, sample.root()).unwrap_err().to_string().contains("is not what the tests prove"));
        let sample = Sample::new(&[(MAP, &unproved)]);
        assert!(compare(&unproved, sample.root()).unwrap_err().to_string().contains("R1-1-a"));
    }
}
