//! The list of the rules, read and checked.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

const LEVELS: [&str; 6] = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "practice"];
const SIDES: [&str; 3] = ["client", "server", "both"];

/// One rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) id: String,
    /// The number of an RFC, or the name of another document.
    pub(super) rfc: String,
    pub(super) section: String,
    pub(super) level: String,
    pub(super) side: String,
    pub(super) summary: String,
    #[serde(default)]
    core: bool,
    not_core: Option<String>,
    reason: Option<String>,
}

/// Where a rule is proved.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// By tests.
    Core,
    /// Elsewhere or not yet, and why.
    NotCore(&'a str),
    /// Nowhere, as it does not apply, and why.
    Nowhere(&'a str),
}

impl Rule {
    /// Whether it must be kept.
    pub(super) fn is_must(&self) -> bool {
        is_must(&self.level)
    }

    pub(super) fn place(&self) -> Place<'_> {
        match (&self.not_core, &self.reason) {
            (Some(why), _) => Place::NotCore(why),
            (None, Some(why)) => Place::Nowhere(why),
            (None, None) => Place::Core,
        }
    }

    fn check(&self) -> Result<()> {
        ensure!(LEVELS.contains(&self.level.as_str()), "no level {:?}", self.level);
        ensure!(SIDES.contains(&self.side.as_str()), "no side {:?}", self.side);
        let places = [self.core, self.not_core.is_some(), self.reason.is_some()];
        let places = places.into_iter().filter(|place| *place).count();
        ensure!(places == 1, "has {places} of core, not_core and reason");
        let texts = [&self.id, &self.rfc, &self.section, &self.summary];
        let texts = texts.into_iter().chain(&self.not_core).chain(&self.reason);
        for text in texts {
            ensure!(!text.trim().is_empty(), "says nothing");
            // Markdown takes a `<` for the beginning of something, but not in code.
            let plain: String = text.split('`').step_by(2).collect();
            ensure!(!text.contains(['\n', '|']) && !plain.contains('<'), "cannot be shown: {text:?}");
        }
        if self.rfc.bytes().all(|octet| octet.is_ascii_digit()) {
            let place = format!("R{}-{}-", self.rfc, self.section);
            ensure!(self.id.starts_with(&place), "does not begin with {place}");
        }
        Ok(())
    }
}

pub(super) fn is_must(level: &str) -> bool {
    level.starts_with("MUST")
}

/// Reads a list; ids are unique, and every rule has one place of proof.
pub(super) fn parse(text: &str) -> Result<Vec<Rule>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct List {
        rule: Vec<Rule>,
    }
    let List { rule: rules } = toml::from_str(text)?;
    let mut ids = BTreeSet::new();
    for rule in &rules {
        rule.check().with_context(|| rule.id.clone())?;
        ensure!(ids.insert(&rule.id), "{} is there twice", rule.id);
        // The macro finds ids by this line, without reading the rest.
        ensure!(text.contains(&format!("\nid = \"{}\"\n", rule.id)), "{}: the id has no line of its own", rule.id);
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "[[rule]]\nid = \"R2033-4-b\"\nrfc = \"2033\"\nsection = \"4\"\nlevel = \"MUST NOT\"\n\
        side = \"client\"\nsummary = \"Short.\"\nnot_core = \"Later.\"\n";

    #[test]
    fn a_rule_is_read() {
        let rules = parse(RULE).unwrap();
        assert!(rules[0].is_must());
        assert_eq!(rules[0].place(), Place::NotCore("Later."));
        assert_eq!(parse(&RULE.replace("not_core", "reason")).unwrap()[0].place(), Place::Nowhere("Later."));
        assert_eq!(parse(&RULE.replace("not_core = \"Later.\"", "core = true")).unwrap()[0].place(), Place::Core);
    }

    #[test]
    fn what_is_wrong_with_a_list_is_told() {
        let wrong = |text: &str, why: &str| {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(why), "{error}");
        };
        wrong(&format!("{RULE}{RULE}"), "R2033-4-b is there twice");
        wrong(&RULE.replace("MUST NOT", "must"), "no level");
        wrong(&RULE.replace("client", "peer"), "no side");
        wrong(&RULE.replace("not_core = \"Later.\"", ""), "has 0 of");
        wrong(&format!("{RULE}core = true\n"), "has 2 of");
        wrong(&RULE.replace("\"4\"", "\"4.1\""), "does not begin with R2033-4.1-");
        wrong(&RULE.replace("Short.", " "), "says nothing");
        wrong(&RULE.replace("Short.", "a|b"), "cannot be shown");
        wrong(&RULE.replace("id = ", "id  = "), "no line of its own");
        wrong(&format!("{RULE}note = \"\"\n"), "unknown field");
    }
}
