//! The program `lmtp`, called as anybody would call it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{cargo, process};

/// Longer than anything here takes; a program that hangs must not hold up the run.
const LIMIT: Duration = Duration::from_secs(120);

pub(crate) struct Program {
    path: PathBuf,
}

/// How a call ended.
pub(crate) struct Call {
    pub(crate) exit: Option<i32>,
    /// The object that `--json` prints.
    pub(crate) json: Value,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn build() -> Result<Self> {
        let mut build = cargo::cargo();
        build.args(["build", "-p", "lmtp-cli", "--locked"]);
        let path = cargo::executable(&cargo::build(&mut build)?, "lmtp")?;
        Ok(Self { path })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn probe(&self, url: &str) -> Result<Call> {
        self.probe_with(url, |_| ())
    }

    /// With more flags.
    pub(crate) fn probe_with(&self, url: &str, flags: impl FnOnce(&mut Command)) -> Result<Call> {
        let mut probe = process::command(&self.path);
        probe.args(["probe", url, "--json"]);
        flags(&mut probe);
        call(&mut probe)
    }

    pub(crate) fn send(&self, url: &str, to: &[&str], message: &Path) -> Result<Call> {
        self.send_with(url, to, message, |_| ())
    }

    /// With more flags.
    pub(crate) fn send_with(
        &self,
        url: &str,
        to: &[&str],
        message: &Path,
        flags: impl FnOnce(&mut Command),
    ) -> Result<Call> {
        let mut send = process::command(&self.path);
        send.args(["send", url, "--from", "sender@example.org", "--json"]);
        for recipient in to {
            send.args(["--to", recipient]);
        }
        flags(&mut send);
        call(send.arg(message))
    }

    /// Sends, and takes what is said to people.
    pub(crate) fn send_in_words(
        &self,
        url: &str,
        to: &str,
        message: &Path,
        flags: impl FnOnce(&mut Command),
    ) -> Result<process::Finished> {
        let mut send = process::command(&self.path);
        send.args(["send", url, "--from", "sender@example.org", "--to", to]);
        flags(&mut send);
        process::finish_within(send.arg(message), LIMIT)
    }
}

fn call(command: &mut Command) -> Result<Call> {
    let finished = process::finish_within(command, LIMIT)?;
    let json = serde_json::from_str(&finished.stdout).with_context(|| {
        let process::Finished { status, stdout, stderr } = &finished;
        let line = process::line(command);
        format!("`{line}` ({status}) prints no JSON object: {stdout:?}, and says: {stderr:?}")
    })?;
    Ok(Call { exit: finished.status.code(), json, stderr: finished.stderr })
}

/// The answer for one recipient, as far as it is checked.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) recipient: &'a str,
    pub(crate) outcome: &'a str,
    pub(crate) phase: &'a str,
    pub(crate) code: u64,
    /// Empty for none.
    pub(crate) enhanced: &'a str,
    /// The message holds this.
    pub(crate) text: &'a str,
}

impl Call {
    /// Fails unless the program ended with `exit`.
    pub(crate) fn exits_with(&self, exit: i32) -> Result<&Self> {
        let Self { json, stderr, .. } = self;
        ensure!(self.exit == Some(exit), "exit code {:?} instead of {exit}; json {json}; stderr {stderr:?}", self.exit);
        Ok(self)
    }

    /// Fails unless these are the peer's answers, one for each recipient asked for, in order.
    pub(crate) fn answers(&self, expected: &[Answer<'_>]) -> Result<&Self> {
        let json = &self.json;
        let answers = json["recipients"].as_array();
        let answers = answers.with_context(|| format!("no array `recipients` in {json}"))?;
        ensure!(answers.len() == expected.len(), "{} answers instead of {}: {json}", answers.len(), expected.len());
        for (index, (answer, expected)) in answers.iter().zip(expected).enumerate() {
            let message = answer["message"].as_str().unwrap_or_default();
            let same = answer["index"] == index
                && answer["recipient"] == expected.recipient
                && answer["outcome"] == expected.outcome
                && answer["phase"] == expected.phase
                && answer["origin"] == "peer"
                && answer["code"] == expected.code
                && answer["enhanced"].as_str().unwrap_or_default() == expected.enhanced
                && message.contains(expected.text);
            ensure!(same, "recipient {index}: expected {expected:?}, got {answer}");
        }
        let all = expected.iter().all(|answer| answer.outcome == "delivered");
        ensure!(json["all_delivered"] == all, "`all_delivered` is not {all}: {json}");
        ensure!(json["error"].is_null(), "`error` is not null: {json}");
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EXPECTED: Answer<'_> = Answer {
        recipient: "full@example.test",
        outcome: "permanent",
        phase: "final",
        code: 552,
        enhanced: "5.2.2",
        text: "Quota exceeded",
    };

    fn call() -> Call {
        let json = json!({
            "all_delivered": false,
            "recipients": [{
                "index": 0, "recipient": "full@example.test", "outcome": "permanent", "phase": "final",
                "origin": "peer", "code": 552, "enhanced": "5.2.2", "message": "<f> Quota exceeded (x)"
            }],
            "warnings": [], "error": null
        });
        Call { exit: Some(69), json, stderr: String::new() }
    }

    #[test]
    fn the_expected_answers_pass() {
        call().exits_with(69).unwrap().answers(&[EXPECTED]).unwrap();
    }

    #[test]
    fn every_field_counts() {
        for (field, other) in [
            ("index", json!(1)),
            ("recipient", json!("x@example.test")),
            ("outcome", json!("temporary")),
            ("phase", json!("rcpt")),
            ("origin", json!("local")),
            ("code", json!(550)),
            ("enhanced", Value::Null),
            ("message", json!("No")),
        ] {
            let mut call = call();
            call.json["recipients"][0][field] = other;
            assert!(call.answers(&[EXPECTED]).is_err(), "{field}");
        }
        assert!(call().exits_with(75).is_err());
        assert!(call().answers(&[]).is_err());
        assert!(call().answers(&[EXPECTED, EXPECTED]).is_err());
        let mut call = call();
        call.json["all_delivered"] = json!(true);
        assert!(call.answers(&[EXPECTED]).is_err());
    }
}
