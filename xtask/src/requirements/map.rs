//! The page that shows the rules and their proofs, written and read back.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::list::{Place, Rule, is_must};
use super::record::Proofs;
use crate::project::{green, red, yellow};

const HEAD: &str = "\
# Rules and proofs

What the RFCs and their neighbours ask of LMTP, and the tests that prove that it is so. A proof is a
test that has passed: it names the rules that it proves, and `cargo xtask requirements` writes this page
from what the passing tests have recorded. Nothing here is written by hand but the rules themselves, in
`docs/requirements.toml`.

Where a document says EHLO, read LHLO (RFC 2033 section 4.1). *Practice* is no rule of any document, but
what peers expect all the same.
";

/// Stands where a rule that must be kept has neither.
const MISSING: &str = "**missing**";

/// The page. Its order is that of the list; it holds nothing that changes without a rule or a test.
pub(super) fn page(rules: &[Rule], proofs: &Proofs) -> String {
    let mut page = HEAD.to_owned();
    let mut document = None;
    for rule in rules {
        if document != Some(&rule.rfc) {
            document = Some(&rule.rfc);
            let is_rfc = rule.rfc.bytes().all(|octet| octet.is_ascii_digit());
            let name = if is_rfc { format!("RFC {}", rule.rfc) } else { rule.rfc.clone() };
            let _ = write!(page, "\n## {name}\n\n| rule | section | level | side | what it says | proved by |\n");
            page.push_str("|---|---|---|---|---|---|\n");
        }
        let Rule { id, section, level, side, summary, .. } = rule;
        let _ = writeln!(page, "| {id} | {section} | {level} | {side} | {summary} | {} |", proof(rule, proofs));
    }
    page
}

fn proof(rule: &Rule, proofs: &Proofs) -> String {
    let tests = proofs.get(&rule.id).into_iter().flatten();
    let mut lines: Vec<String> = tests.map(|test| format!("`{test}`")).collect();
    match rule.place() {
        Place::NotCore(why) => lines.push(format!("*elsewhere:* {why}")),
        Place::Nowhere(why) => lines.push(format!("*does not apply:* {why}")),
        Place::Core if !lines.is_empty() => {}
        Place::Core if rule.is_must() => lines.push(MISSING.to_owned()),
        Place::Core => lines.push("no test".to_owned()),
    }
    lines.join("<br>")
}

/// A row of the page.
pub(super) struct Row<'a> {
    pub(super) id: &'a str,
    pub(super) level: &'a str,
    proof: &'a str,
}

/// The rows of all tables.
pub(super) fn rows(page: &str) -> impl Iterator<Item = Row<'_>> {
    page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
        let &[id, _section, level, _side, _summary, proof] = &cells[..] else { return None };
        (id != "rule").then_some(Row { id, level, proof })
    })
}

/// The rules that must be kept and have neither a proof nor a reason.
pub(super) fn lacking(page: &str) -> Vec<&str> {
    rows(page).filter(|row| is_must(row.level) && row.proof == MISSING).map(|row| row.id).collect()
}

/// What is not the same in both, line by line.
pub(super) fn difference<'a>(old: &'a str, new: &'a str) -> impl Iterator<Item = String> + 'a {
    let gone = old.lines().filter(move |line| !new.lines().any(|other| other == *line));
    let come = new.lines().filter(move |line| !old.lines().any(|other| other == *line));
    gone.map(|line| format!("- {line}")).chain(come.map(|line| format!("+ {line}")))
}

/// The table for a terminal, with its sums.
pub(super) fn overview(rules: &[Rule], proofs: &Proofs) -> String {
    let mut table = String::new();
    let (mut proved, mut elsewhere, mut unproved, mut missing) = (0, 0, 0, Vec::new());
    for rule in rules {
        let tests = proofs.get(&rule.id).map_or(0, BTreeSet::len);
        let state = match rule.place() {
            _ if tests > 0 => {
                proved += 1;
                green(&format!("{tests} tests"))
            }
            Place::NotCore(why) | Place::Nowhere(why) => {
                elsewhere += 1;
                why.to_owned()
            }
            Place::Core if rule.is_must() => {
                missing.push(rule.id.as_str());
                red("missing")
            }
            Place::Core => {
                unproved += 1;
                yellow("no test")
            }
        };
        let _ = writeln!(table, "{:26} {:10} {state}", rule.id, rule.level);
    }
    let _ = writeln!(
        table,
        "\n{} rules: {proved} proved, {elsewhere} with a reason, {unproved} that need not be, {} missing",
        rules.len(),
        missing.len()
    );
    table
}

#[cfg(test)]
mod tests {
    use super::super::list;
    use super::*;

    fn rules() -> Vec<Rule> {
        let rule = |id: &str, level: &str, place: &str| {
            format!(
                "[[rule]]\nid = \"R1-1-{id}\"\nrfc = \"1\"\nsection = \"1\"\nlevel = \"{level}\"\nside = \"both\"\n\
                 summary = \"It is so.\"\n{place}\n"
            )
        };
        let text = [
            rule("a", "MUST", "core = true"),
            rule("b", "MUST NOT", "core = true"),
            rule("c", "SHOULD", "core = true"),
            rule("d", "MUST", "not_core = \"later\""),
            rule("e", "MUST", "reason = \"never\""),
        ];
        list::parse(&text.concat()).unwrap()
    }

    #[test]
    fn the_page_says_of_each_rule_what_proves_it() {
        let tests = ["x: a::b", "x: c"].map(str::to_owned);
        let proofs = Proofs::from([("R1-1-b".to_owned(), tests.into())]);
        let page = page(&rules(), &proofs);
        assert!(page.contains("| R1-1-b | 1 | MUST NOT | both | It is so. | `x: a::b`<br>`x: c` |\n"), "{page}");
        assert!(page.contains("| *elsewhere:* later |") && page.contains("| *does not apply:* never |"), "{page}");
        assert_eq!(rows(&page).count(), 5);
        assert_eq!(lacking(&page), ["R1-1-a"]);
        assert!(
            overview(&rules(), &proofs)
                .ends_with("5 rules: 1 proved, 2 with a reason, 1 that need not be, 1 missing\n")
        );
    }

    #[test]
    fn the_difference_names_lines_of_both() {
        assert_eq!(difference("a\nb\n", "b\nc\n").collect::<Vec<_>>(), ["- a", "+ c"]);
    }
}
