//! What `lmtp conformance` says, read.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// Whatever is said: what is made up has no section of its own.
const MADE_UP: &str = "made-up";
/// Checks of a client that are made up are checks like others.
const MADE_UP_CHECK: &str = "made-up/";

/// The sentence of each check, by its id.
pub(super) struct Sentences(BTreeMap<String, String>);

impl Sentences {
    /// From the list: `ID  LEVEL  SECTION  RULES  SENTENCE`, a check a line.
    pub(super) fn parse(list: &str) -> Result<Self> {
        let line = |line: &str| {
            let parts: Vec<&str> = line.splitn(5, "  ").collect();
            let &[id, _level, _section, _rules, sentence] = &parts[..] else { return None };
            Some((id.to_owned(), sentence.to_owned()))
        };
        let sentences = list.lines().map(|text| line(text).with_context(|| format!("no check: {text:?}")));
        Ok(Self(sentences.collect::<Result<_>>()?))
    }
}

/// How a server or a client did.
#[derive(Debug)]
pub(super) struct Results {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) version: String,
    pub(super) must: Counts,
    pub(super) should: Counts,
    pub(super) may: Counts,
    /// `passed`, `failed`, or how many of what was made up; nothing if nothing was.
    pub(super) made_up: Option<String>,
    pub(super) findings: Vec<Finding>,
}

/// How many checks of a level came out how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) not_applicable: usize,
    pub(super) not_run: usize,
}

/// A check that failed.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) id: String,
    level: String,
    section: String,
    pub(super) sentence: String,
    pub(super) why: String,
    pub(super) transcript: Vec<String>,
}

impl Finding {
    /// The id, with what says so and how strongly.
    pub(super) fn headline(&self) -> String {
        format!("{} ({} {})", self.id, self.level, self.section)
    }

    /// What says so and how strongly.
    pub(super) fn asked_by(&self) -> String {
        format!("{} {}", self.level, self.section)
    }

    /// What was said last to a server, and what it answered. Of a client it is told what is wrong with its report.
    pub(super) fn end(&self) -> Vec<&str> {
        if self.transcript.iter().any(|line| line.starts_with("= ")) {
            return Vec::new();
        }
        let last = |mark: &str| self.transcript.iter().map(String::as_str).rfind(|line| line.starts_with(mark));
        [last("C: "), last("S: ")].into_iter().flatten().collect()
    }
}

/// The object that is printed.
#[derive(Deserialize)]
struct Said {
    checks: Vec<SaidCheck>,
    made_up: Option<SaidOutcome>,
}

#[derive(Deserialize)]
struct SaidCheck {
    id: String,
    level: String,
    section: String,
    #[serde(flatten)]
    outcome: SaidOutcome,
}

#[derive(Deserialize)]
struct SaidOutcome {
    outcome: String,
    why: Option<String>,
    transcript: Option<Vec<String>>,
}

/// The results of somebody who has no name yet.
pub(super) fn parse(json: &str, sentences: &Sentences) -> Result<Results> {
    let said: Said = serde_json::from_str(json).with_context(|| format!("not what --json prints: {json}"))?;
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    let mut findings = Vec::new();
    let (made_up_checks, checks) =
        said.checks.into_iter().partition::<Vec<_>, _>(|check| check.id.starts_with(MADE_UP_CHECK));
    for SaidCheck { id, level, section, outcome } in checks {
        count(counts.entry(level.clone()).or_default(), &outcome.outcome)?;
        if outcome.outcome == "failed" {
            let sentence = sentences.0.get(&id).with_context(|| format!("{id} is not in the list"))?.clone();
            findings.push(outcome.into_finding(id, level, section, sentence));
        }
    }
    let mut made_up = said.made_up.as_ref().map(|made_up| made_up.outcome.clone());
    if !made_up_checks.is_empty() {
        let (counts, finding) = shortest(made_up_checks)?;
        made_up = Some(counts.to_string());
        findings.extend(finding);
    }
    if let Some(outcome) = said.made_up.filter(|made_up| made_up.outcome == "failed") {
        let sentence = "Whatever is said, every command gets the reply that is due.".to_owned();
        findings.push(outcome.into_finding(MADE_UP.into(), "MUST".into(), "RFC 2033 4.2".into(), sentence));
    }
    let mut of = |level| counts.remove(level).unwrap_or_default();
    let (must, should, may) = (of("MUST"), of("SHOULD"), of("MAY"));
    ensure!(counts.is_empty(), "unknown levels: {counts:?}");
    Ok(Results { name: "", title: "", version: String::new(), must, should, may, made_up, findings })
}

/// How many of the checks that are made up came out how, and the shortest that failed.
fn shortest(checks: Vec<SaidCheck>) -> Result<(Counts, Option<Finding>)> {
    let mut counts = Counts::default();
    let mut failed = Vec::new();
    for SaidCheck { level, section, outcome, .. } in checks {
        count(&mut counts, &outcome.outcome)?;
        if outcome.outcome == "failed" {
            let sentence = "Whatever a server answers, each recipient is told of by its own reply.".to_owned();
            failed.push(outcome.into_finding(MADE_UP.into(), level, section, sentence));
        }
    }
    Ok((counts, failed.into_iter().min_by_key(|finding| finding.transcript.len())))
}

impl SaidOutcome {
    fn into_finding(self, id: String, level: String, section: String, sentence: String) -> Finding {
        let (why, transcript) = (self.why.unwrap_or_default(), self.transcript.unwrap_or_default());
        Finding { id, level, section, sentence, why, transcript }
    }
}

fn count(counts: &mut Counts, outcome: &str) -> Result<()> {
    let place = match outcome {
        "passed" => &mut counts.passed,
        "failed" => &mut counts.failed,
        "not applicable" => &mut counts.not_applicable,
        "not run" => &mut counts.not_run,
        other => anyhow::bail!("unknown outcome {other:?}"),
    };
    *place += 1;
    Ok(())
}

impl std::fmt::Display for Counts {
    /// What is none is left out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            (self.passed, "passed"),
            (self.failed, "failed"),
            (self.not_applicable, "not applicable"),
            (self.not_run, "not run"),
        ];
        let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const LIST: &str = "a/one  MUST  RFC 1 2.3  R1-2.3-a,R1-2.3-b  One is one.\na/two  SHOULD  RFC 1 3  R1-3-a  Two.\n";

    /// One check that failed, one that was not run.
    pub(in super::super) fn sample() -> Results {
        let json = r#"{"seed": 1, "checks": [
            {"id": "a/one", "level": "MUST", "section": "RFC 1 2.3", "rules": [], "outcome": "failed",
             "why": "250 where 501 was due", "transcript": ["S: 220 hi", "C: A | `B`", "S: 250 yes"]},
            {"id": "a/two", "level": "SHOULD", "section": "RFC 1 3", "rules": [], "outcome": "not run", "why": "no"}],
            "made_up": {"outcome": "passed", "why": null, "transcript": null}}"#;
        let results = parse(json, &Sentences::parse(LIST).unwrap()).unwrap();
        Results { name: "peer", title: "Peer", version: "1.0".into(), ..results }
    }

    #[test]
    fn outcomes_are_counted_by_level_and_failures_get_their_sentence() {
        let results = sample();
        assert_eq!(results.must.to_string(), "1 failed");
        assert_eq!(results.should.to_string(), "1 not run");
        assert_eq!(results.may, Counts::default());
        assert_eq!(results.made_up.as_deref(), Some("passed"));
        let [finding] = &results.findings[..] else { panic!("{results:?}") };
        assert_eq!(finding.headline(), "a/one (MUST RFC 1 2.3)");
        assert_eq!(finding.sentence, "One is one.");
        assert_eq!(finding.end(), ["C: A | `B`", "S: 250 yes"]);
    }

    #[test]
    fn made_up_conversations_that_fail_are_a_finding() {
        let json = r#"{"checks": [], "made_up": {"outcome": "failed", "why": "late", "transcript": ["C: X"]}}"#;
        let results = parse(json, &Sentences::parse("").unwrap()).unwrap();
        assert_eq!((results.findings[0].id.as_str(), results.findings[0].why.as_str()), (MADE_UP, "late"));
    }

    #[test]
    fn of_made_up_checks_the_shortest_failure_is_told() {
        let check = |id: u8, outcome: &str, transcript: &str| {
            format!(
                r#"{{"id": "made-up/1-{id}", "level": "MUST", "section": "RFC 1 2", "outcome": "{outcome}",
                    "why": "it is {id}", "transcript": {transcript}}}"#
            )
        };
        let checks = [
            check(0, "passed", "null"),
            check(1, "failed", r#"["S: a", "C: b", "= x"]"#),
            check(2, "failed", r#"["S: a", "= x"]"#),
        ];
        let json = format!(r#"{{"checks": [{}]}}"#, checks.join(","));
        let results = parse(&json, &Sentences::parse("").unwrap()).unwrap();
        assert_eq!(results.made_up.as_deref(), Some("1 passed, 2 failed"));
        assert_eq!(results.must, Counts::default());
        let [finding] = &results.findings[..] else { panic!("{results:?}") };
        assert_eq!((finding.id.as_str(), finding.why.as_str()), (MADE_UP, "it is 2"));
        assert_eq!(finding.end(), Vec::<&str>::new());
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        assert!(Sentences::parse("a/one MUST").is_err());
        let sentences = Sentences::parse(LIST).unwrap();
        for (from, to) in [("failed", "fell"), ("MUST", "WILL"), ("a/one", "a/none"), ("\"checks\"", "\"c\"")] {
            let json = r#"{"checks": [{"id": "a/one", "level": "MUST", "section": "", "outcome": "failed"}]}"#;
            assert!(parse(&json.replacen(from, to, 1), &sentences).is_err(), "{to}");
        }
    }
}
