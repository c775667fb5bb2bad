//! The files of the project: what is in git, or would be with the next commit.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::process;

/// Files by their path from the root, with `/` between the parts, sorted.
pub(crate) struct Tree {
    root: PathBuf,
    files: Vec<String>,
}

impl Tree {
    /// Files that git knows, and new ones that it does not ignore: a stray file is found before it is committed.
    pub(crate) fn of_git(root: &Path) -> Result<Self> {
        let mut git = process::command("git");
        // A build machine may run as another user than the one that cloned; git then wants to be told.
        git.arg("-c").arg(format!("safe.directory={}", root.display()));
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let listed = process::capture(git.current_dir(root)).context("tidy reads git's list")?;

        let mut files: Vec<String> = listed.split_terminator('\0').map(str::to_owned).collect();
        // Deleted, but not yet in the index; a dangling symlink is still a file here.
        files.retain(|file| root.join(file).symlink_metadata().is_ok());
        files.sort();
        files.dedup();
        Ok(Self { root: root.to_path_buf(), files })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// Rust sources in the `src` directories of all crates and of xtask.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &str> {
        let in_src = |file: &str| {
            let parts: Vec<&str> = file.split('/').collect();
            matches!(parts[..], ["crates", _, "src", ..] | ["xtask", "src", ..])
        };
        self.files().filter(move |file| in_src(file) && is_rust(file))
    }

    /// Directories under `crates/`, by name.
    pub(crate) fn crates(&self) -> Vec<&str> {
        let mut crates: Vec<&str> = (self.files())
            .filter_map(|file| file.strip_prefix("crates/")?.split_once('/'))
            .map(|(name, _)| name)
            .collect();
        crates.dedup();
        crates
    }

    pub(crate) fn text(&self, file: &str) -> Result<String> {
        fs::read_to_string(self.root.join(file)).with_context(|| file.to_owned())
    }
}

pub(crate) fn is_rust(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == "rs")
}

/// A tree made of paths and texts, for the tests of the rules.
#[cfg(test)]
pub(crate) struct Sample {
    tree: Tree,
    _directory: tempfile::TempDir,
}

#[cfg(test)]
impl Sample {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut names = Vec::new();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            names.push((*name).to_owned());
        }
        names.sort();
        Self { tree: Tree { root: directory.path().to_path_buf(), files: names }, _directory: directory }
    }

    /// What `rule` has against the tree.
    pub(crate) fn complaints(&self, rule: super::Rule) -> super::Complaints {
        rule(&self.tree).unwrap()
    }

    pub(crate) fn root(&self) -> &Path {
        &self.tree.root
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_from_other_files() {
        let sample = Sample::new(&[
            ("crates/a/src/lib.rs", ""),
            ("crates/a/src/deep/er.rs", ""),
            ("crates/a/tests/t.rs", ""),
            ("crates/b/src/notes.md", ""),
            ("xtask/src/main.rs", ""),
        ]);
        let sources: Vec<&str> = sample.tree.sources().collect();
        assert_eq!(sources, ["crates/a/src/deep/er.rs", "crates/a/src/lib.rs", "xtask/src/main.rs"]);
        assert_eq!(sample.tree.crates(), ["a", "b"]);
    }
}
