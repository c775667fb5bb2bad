//! Which test proves which rule: [`proves!`](crate::proves), and the record that passing tests leave.
//!
//! The rules are listed in `docs/requirements.toml`. A test that proves one says so:
//!
//! ```no_run
//! lmtp_testkit::proves!("R2033-4.2-i", "R2033-4.2-h");
//! assert_eq!(1 + 1, 2);
//! ```
//!
//! With the environment variable `LMTP_PROOFS` the name of a directory, what passing tests have proved
//! stands there in files, one line a proof: rule, crate and test with tabs between. The record is worth
//! what the run was worth: when a test of it failed, it is no proof of anything, for a property that
//! holds in its first case may fail in its last.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

/// The variable that names the directory of the record.
pub const VARIABLE: &str = "LMTP_PROOFS";

/// The list of the rules, read for its ids only.
const LIST: &str = include_str!("../../../docs/requirements.toml");

static IDS: LazyLock<BTreeSet<&str>> =
    LazyLock::new(|| LIST.lines().filter_map(|line| line.strip_prefix("id = \"")?.strip_suffix('"')).collect());

static RECORD: LazyLock<Option<Mutex<Record>>> = LazyLock::new(|| {
    let directory = std::env::var_os(VARIABLE).filter(|name| !name.is_empty())?;
    Some(Mutex::new(Record::open(Path::new(&directory))))
});

/// Says that the test proves these rules of `docs/requirements.toml`, if it passes.
///
/// Stands at the beginning of the test, or of the block that is the proof: it is recorded when that
/// block ends, unless by a panic. An id that is not in the list panics at once. The test is named
/// after the function that this stands in, whatever thread that runs in.
#[macro_export]
macro_rules! proves {
    ($($id:expr),+ $(,)?) => {
        let _proof = $crate::proof::Proof::begin(&[$($id),+], ::core::env!("CARGO_PKG_NAME"), &|| {});
    };
}

/// A proof under way: recorded when it is dropped, but not by a panic.
#[derive(Debug)]
#[must_use]
pub struct Proof {
    ids: Vec<String>,
    package: String,
    test: String,
}

impl Proof {
    /// A proof of these rules by the function in which `place` stands.
    pub fn begin<F: Fn()>(ids: &[&str], package: &str, _place: &F) -> Self {
        Self::named(ids, package, &function(std::any::type_name::<F>(), package))
    }

    /// A proof of these rules by a test of this name.
    pub fn named(ids: &[impl AsRef<str>], package: &str, test: &str) -> Self {
        let ids: Vec<String> = ids.iter().map(|id| id.as_ref().to_owned()).collect();
        for id in &ids {
            assert!(IDS.contains(id.as_str()), "docs/requirements.toml knows no rule {id:?}");
        }
        Self { ids, package: package.into(), test: test.into() }
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        self.ids.iter().map(|id| format!("{id}\t{}\t{}\n", self.package, self.test))
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        if let Some(record) = &*RECORD
            && !std::thread::panicking()
        {
            // Whoever panicked with the lock in hand has written nothing or all.
            record.lock().unwrap_or_else(PoisonError::into_inner).enter(self.lines());
        }
    }
}

/// The path of the function that a closure of this name stands in; within the library's own tests
/// without the library's name, which says nothing.
fn function(closure: &str, package: &str) -> String {
    let path = closure.replace("::{{closure}}", "");
    let library = package.replace('-', "_") + "::";
    path.strip_prefix(&library).unwrap_or(&path).to_owned()
}

/// The file of this process.
struct Record {
    path: PathBuf,
    file: File,
    /// What stands there: a property is run a thousand times.
    entered: HashSet<String>,
}

impl Record {
    /// Appends, for a process may get the number of one that has ended.
    fn open(directory: &Path) -> Self {
        let path = directory.join(format!("{}.txt", std::process::id()));
        let file = fs::create_dir_all(directory)
            .and_then(|()| OpenOptions::new().create(true).append(true).open(&path))
            .unwrap_or_else(|error| panic!("{VARIABLE}: {}: {error}", path.display()));
        Self { path, file, entered: HashSet::new() }
    }

    fn enter(&mut self, lines: impl Iterator<Item = String>) {
        for line in lines {
            if !self.entered.contains(&line) {
                let written = self.file.write_all(line.as_bytes());
                written.unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
                self.entered.insert(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_is_the_function_that_the_macro_stands_in() {
        fn of<F: Fn()>(_: &F) -> &'static str {
            std::any::type_name::<F>()
        }
        let here = "proof::tests::the_test_is_the_function_that_the_macro_stands_in";
        assert_eq!(function(of(&|| {}), "lmtp-testkit"), here);
        let deeper = Some(()).map(|()| function(of(&|| {}), "lmtp-testkit"));
        assert_eq!(deeper.as_deref(), Some(here));
        let elsewhere = std::thread::spawn(|| function(of(&|| {}), "another")).join().unwrap();
        assert_eq!(elsewhere, format!("lmtp_testkit::{here}"));
    }

    #[test]
    fn what_is_proved_stands_there_once_and_in_whole_lines() {
        let directory = std::env::temp_dir().join(format!("lmtp-proof-{}", std::process::id()));
        let mut record = Record::open(&directory);
        let lines = |test| ["R2033-4.2-h", "R2033-4.2-i"].map(|id| format!("{id}\ta\tt::{test}\n")).into_iter();
        record.enter(lines("x"));
        record.enter(lines("x"));
        // Another process of the same number goes on.
        Record::open(&directory).enter(lines("y"));
        let text = fs::read_to_string(&record.path).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(text, lines("x").chain(lines("y")).collect::<String>());
    }

    #[test]
    #[should_panic(expected = "knows no rule \"R2033-4.2-I\"")]
    fn an_id_that_is_in_no_list_panics() {
        crate::proves!("R2033-4.2-i", "R2033-4.2-I");
    }
}
