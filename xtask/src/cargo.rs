//! Calling cargo, and reading what it says it has built.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{process, project};

/// The cargo that runs this program, in the project's root.
pub(crate) fn cargo() -> Command {
    let mut cargo = process::command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    if !project::wants_colours() {
        cargo.env("CARGO_TERM_COLOR", "never");
    }
    cargo
}

/// One thing that cargo has built, or found already built.
#[derive(Debug)]
pub(crate) struct Artifact {
    /// The target's name: of a library with underscores.
    pub(crate) target: String,
    /// `lib`, `bin`, `proc-macro`, …
    pub(crate) kinds: Vec<String>,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) executable: Option<PathBuf>,
}

/// Runs a `cargo build`, shows its errors, returns what it built.
pub(crate) fn build(build: &mut Command) -> Result<Vec<Artifact>> {
    build.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    println!("$ {}", process::line(build));
    let output = build.output().context("cargo cannot be started")?;
    if !output.status.success() {
        bail!("`{}` failed: {}", process::line(build), output.status);
    }
    let messages = String::from_utf8(output.stdout).context("cargo's messages")?;
    messages.lines().filter_map(|line| artifact(line).transpose()).collect()
}

/// The program that `build` made, under this name.
pub(crate) fn executable(artifacts: &[Artifact], name: &str) -> Result<PathBuf> {
    (artifacts.iter().filter(|artifact| artifact.target == name))
        .find_map(|artifact| artifact.executable.clone())
        .with_context(|| format!("cargo built no program `{name}`"))
}

/// The triple of this machine, which `--target` needs spelled out.
pub(crate) fn host() -> Result<String> {
    let version = process::capture(rustc().arg("-vV"))?;
    (version.lines().find_map(|line| line.strip_prefix("host: ")))
        .map(str::to_owned)
        .with_context(|| format!("rustc -vV names no host:\n{version}"))
}

/// The compiler that cargo uses.
pub(crate) fn rustc() -> Command {
    process::command(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

/// The artifact that one line of cargo's messages tells of, if it tells of one.
fn artifact(line: &str) -> Result<Option<Artifact>> {
    let message: Value =
        serde_json::from_str(line).with_context(|| format!("cargo printed a line that is not JSON: {line}"))?;
    if message["reason"] != "compiler-artifact" {
        return Ok(None);
    }
    let strings = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Ok(Some(Artifact {
        target: message["target"]["name"].as_str().unwrap_or_default().to_owned(),
        kinds: strings(&message["target"]["kind"]),
        files: strings(&message["filenames"]).into_iter().map(PathBuf::from).collect(),
        executable: message["executable"].as_str().map(PathBuf::from),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_are_read_from_messages() {
        let line = r#"{"reason":"compiler-artifact","target":{"name":"lmtp","kind":["bin"]},
            "filenames":["/t/lmtp"],"executable":"/t/lmtp","fresh":true}"#;
        let artifacts = [artifact(line).unwrap().unwrap()];
        assert_eq!(artifacts[0].kinds, ["bin"]);
        assert_eq!(executable(&artifacts, "lmtp").unwrap(), PathBuf::from("/t/lmtp"));
        assert!(executable(&artifacts, "other").is_err());
        assert!(artifact(r#"{"reason":"build-finished","success":true}"#).unwrap().is_none());
        assert!(artifact("Compiling lmtp").is_err());
    }
}
