//! libFuzzer targets on the *stable* toolchain: `cargo xtask fuzz`.
//!
//! `cargo fuzz` wants a nightly, for the sanitizers. Coverage needs none: the pass that counts edges is
//! part of the stable compiler's LLVM, and `-Cpasses` reaches it. There is nothing unsafe in the project
//! for a sanitizer to find; overflow checks and debug assertions stay on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::cargo::{self, cargo};
use crate::stage::Outcome;
use crate::{process, project};

/// The package of the targets: outside the workspace, because it is built with flags of its own.
pub(crate) const MANIFEST: &str = "fuzz/Cargo.toml";

/// What makes rustc's LLVM count the edges of the code for libFuzzer; `--cfg fuzzing` as `cargo fuzz` does.
const RUSTFLAGS: [&str; 8] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "--cfg",
    "fuzzing",
];

/// Runs one target, or all. What is missing is an error here: somebody asked for just this.
pub(crate) fn run(target: Option<&str>, seconds: u64) -> Result<()> {
    let mut targets = targets()?;
    if let Some(wanted) = target {
        ensure!(
            targets.iter().any(|target| target == wanted),
            "no fuzz target `{wanted}`; there are: {}",
            targets.join(", ")
        );
        targets.retain(|target| target == wanted);
    }
    for target in targets {
        if let Outcome::Skipped(why) = fuzz(&target, seconds)? {
            bail!("fuzz target `{target}` cannot run: {why}");
        }
    }
    Ok(())
}

/// The targets are the files in `fuzz/fuzz_targets`.
pub(crate) fn targets() -> Result<Vec<String>> {
    let directory = project::root().join("fuzz/fuzz_targets");
    let mut targets = Vec::new();
    for path in files(&directory)? {
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(stem) = path.file_stem()
        {
            targets.push(stem.to_string_lossy().into_owned());
        }
    }
    ensure!(!targets.is_empty(), "no fuzz target in {}", directory.display());
    Ok(targets)
}

/// Builds and runs one target for so many seconds.
pub(crate) fn fuzz(target: &str, seconds: u64) -> Result<Outcome> {
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    if !process::is_available(&compiler, &["--version"]) {
        let why = format!("no C++ compiler `{compiler}`, and libFuzzer is written in C++");
        return Ok(Outcome::Skipped(why));
    }
    let program = build(target)?;
    let places = Places::make(target)?;
    let mut artifact = None;
    let run = process::run_filtered(&mut command(&program, &places, seconds), |line| {
        // An input that failed before keeps its file: what is new in the directory would not tell.
        artifact =
            artifact.take().or_else(|| line.split_once("Test unit written to ").map(|(_, path)| path.to_owned()));
        is_news(line)
    });
    if let Some(artifact) = artifact {
        let (program, artifact) = (project::relative(&program), project::relative(Path::new(&artifact)));
        println!("\nartifact:  {artifact}");
        println!("reproduce: {program} {artifact}");
        println!("shrink:    {program} -minimize_crash=1 -runs=100000 {artifact}");
        println!("then:      keep it in fuzz/corpus/{target}/ under a name that says what it is\n");
    }
    run.map(|()| Outcome::Passed)
}

/// `--target` is named although it is the host's, so that build scripts and macros are not instrumented.
fn build(target: &str) -> Result<PathBuf> {
    let host = cargo::host()?;
    let mut build = cargo();
    build.args(["build", "--manifest-path", MANIFEST, "--release", "--locked"]);
    build.args(["--target", &host, "--bin", target]);
    // Stronger than RUSTFLAGS, which the caller may have set, and than any configuration file.
    build.env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"));
    cargo::executable(&cargo::build(&mut build)?, target)
}

fn command(program: &Path, places: &Places, seconds: u64) -> Command {
    let mut command = process::command(program);
    command
        // libFuzzer adds what it finds to the first directory.
        .args([&places.finds, &places.corpus])
        .arg(format!("-dict={}", places.dictionary.display()))
        .arg(format!("-artifact_prefix={}/", places.artifacts.display()))
        .arg(format!("-max_total_time={seconds}"))
        // Past 4096, the limit of one line of a reply and what libFuzzer would stop at.
        .arg("-max_len=16384")
        // One input is a matter of microseconds: seconds mean a loop.
        .args(["-timeout=5", "-rss_limit_mb=1024", "-print_final_stats=1"]);
    command
}

/// libFuzzer tells of every input that it keeps, of every word that it learns and of every function that it
/// reaches, thousands a run.
fn is_news(line: &str) -> bool {
    let kept = ["\tNEW ", "\tREDUCE ", "\tRELOAD "];
    let is_input = line.starts_with('#') && kept.iter().any(|word| line.contains(word));
    let is_word = line.starts_with('"') && line.contains("# Uses: ");
    let is_function = line.trim_start().starts_with("NEW_FUNC");
    !is_input
        && !is_word
        && !is_function
        && !line.contains("Recommended dictionary")
        && !line.contains("recommended dictionary")
}

/// Where a target's files lie.
struct Places {
    /// The seeds, in git.
    corpus: PathBuf,
    /// What runs on this machine have found, not in git: the next run starts from there.
    finds: PathBuf,
    /// Inputs that failed, not in git.
    artifacts: PathBuf,
    dictionary: PathBuf,
}

impl Places {
    fn make(target: &str) -> Result<Self> {
        let fuzz = project::root().join("fuzz");
        let places = Self {
            corpus: fuzz.join("corpus").join(target),
            finds: fuzz.join("corpus-new").join(target),
            artifacts: fuzz.join("artifacts").join(target),
            dictionary: fuzz.join("lmtp.dict"),
        };
        for made in [&places.finds, &places.artifacts] {
            fs::create_dir_all(made).with_context(|| made.display().to_string())?;
        }
        ensure!(!files(&places.corpus)?.is_empty(), "target `{target}` has no seeds in {}", places.corpus.display());
        Ok(places)
    }
}

/// The files of a directory, sorted.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_seeds_and_a_binary_in_the_manifest() {
        let manifest = fs::read_to_string(project::root().join(MANIFEST)).unwrap();
        for target in targets().unwrap() {
            Places::make(&target).unwrap();
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
        }
    }

    #[test]
    fn an_unknown_target_is_refused_with_the_list() {
        let error = run(Some("no-such-target"), 1).unwrap_err().to_string();
        assert!(error.contains("reply"), "{error}");
    }
}
