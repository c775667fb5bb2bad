//! Every rule of the catalogue is held by a check, or there is a reason why it is not: tests/coverage.toml.

use std::collections::{BTreeMap, BTreeSet};

use lmtp_conformance::{catalogue, client};
use serde::Deserialize;

#[derive(Deserialize)]
struct Catalogue {
    rule: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    id: String,
    side: String,
}

#[derive(Deserialize)]
struct Reasons {
    server: Side,
    client: Side,
}

#[derive(Deserialize)]
struct Side {
    seen: BTreeMap<String, String>,
    unseen: BTreeMap<String, String>,
}

/// The checks of a side: their names, and the rules that they name.
struct Checks {
    ids: BTreeSet<String>,
    rules: BTreeSet<String>,
}

fn servers() -> Checks {
    let checks = catalogue();
    let rules = checks.iter().flat_map(|check| check.rules.clone()).collect();
    Checks { ids: checks.into_iter().map(|check| check.id).collect(), rules }
}

fn clients() -> Checks {
    let checks = client::catalogue();
    // What is held in each of them has its rules there.
    let always = include_str!("../src/client/record.rs").split('"').filter(|text| text.starts_with('R'));
    let rules = checks.iter().flat_map(|check| check.rules.clone()).chain(always.map(str::to_owned)).collect();
    Checks { ids: checks.into_iter().map(|check| check.id).collect(), rules }
}

fn complaints(side: &str, checks: &Checks, reasons: &Side) -> Vec<String> {
    let catalogue: Catalogue = toml::from_str(include_str!("../../../docs/requirements.toml")).unwrap();
    let due: BTreeSet<String> = catalogue
        .rule
        .into_iter()
        .filter(|rule| rule.side == side || rule.side == "both")
        .map(|rule| rule.id)
        .collect();
    let listed: BTreeSet<String> = reasons.seen.keys().chain(reasons.unseen.keys()).cloned().collect();
    let mut complaints = Vec::new();
    for rule in due.difference(&checks.rules).filter(|rule| !listed.contains(*rule)) {
        complaints.push(format!("{side}: {rule} has neither a check nor a reason"));
    }
    for rule in &listed {
        if checks.rules.contains(rule) {
            complaints.push(format!("{side}: {rule} has a check, and needs no reason"));
        }
        if !due.contains(rule) {
            complaints.push(format!("{side}: {rule} is no rule of this side"));
        }
        if reasons.seen.contains_key(rule) && reasons.unseen.contains_key(rule) {
            complaints.push(format!("{side}: {rule} is seen and unseen"));
        }
    }
    for (rule, place) in &reasons.seen {
        let check = place.split(": ").next().unwrap_or_default();
        if check != "every check" && !checks.ids.contains(check) {
            complaints.push(format!("{side}: {rule} is to be seen in {check}, which is not there"));
        }
    }
    complaints
}

#[test]
fn every_rule_has_a_check_or_a_reason() {
    let reasons: Reasons = toml::from_str(include_str!("coverage.toml")).unwrap();
    let mut found = complaints("server", &servers(), &reasons.server);
    found.extend(complaints("client", &clients(), &reasons.client));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Without its line a rule that no check names is told; so are a line too many and a check that is not there.
#[test]
fn what_is_missing_or_stale_is_told() {
    let reasons: Reasons = toml::from_str(include_str!("coverage.toml")).unwrap();
    let mut side = reasons.server;
    side.unseen.remove("R2034-4-e").unwrap();
    side.unseen.insert("R2033-4.2-c".to_owned(), "which is checked".to_owned());
    side.seen.insert("R2033-4-b".to_owned(), "replies/no-such".to_owned());
    let expected = [
        "server: R2034-4-e has neither a check nor a reason",
        "server: R2033-4.2-c has a check, and needs no reason",
        "server: R2033-4-b is to be seen in replies/no-such, which is not there",
    ];
    assert_eq!(complaints("server", &servers(), &side), expected);
}
