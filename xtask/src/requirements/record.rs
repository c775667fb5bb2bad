//! What passing tests have recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

/// The tests that prove a rule, by its id: `crate: test`, sorted.
pub(super) type Proofs = BTreeMap<String, BTreeSet<String>>;

/// Reads every file of the directory that `LMTP_PROOFS` named.
pub(super) fn read(directory: &Path) -> Result<Proofs> {
    let mut proofs = Proofs::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        for line in text.lines() {
            enter(line, &mut proofs).with_context(|| path.display().to_string())?;
        }
    }
    // Whoever runs no test at all must not think that all is stale.
    ensure!(!proofs.is_empty(), "{}: nothing is recorded there", directory.display());
    Ok(proofs)
}

fn enter(line: &str, proofs: &mut Proofs) -> Result<()> {
    let mut parts = line.split('\t');
    let (Some(id), Some(package), Some(test), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        anyhow::bail!("no record: {line:?}");
    };
    proofs.entry(id.to_owned()).or_default().insert(format!("{package}: {test}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_all_processes_are_one() {
        let directory = tempfile::tempdir().unwrap();
        assert!(read(directory.path()).is_err());
        fs::write(directory.path().join("1.txt"), "R1-1-a\ta\tx::y\nR1-1-b\ta\tx::y\n").unwrap();
        fs::write(directory.path().join("2.txt"), "R1-1-a\tb\tz\nR1-1-a\ta\tx::y\n").unwrap();
        let proofs = read(directory.path()).unwrap();
        assert_eq!(proofs.len(), 2);
        assert_eq!(proofs["R1-1-a"].iter().collect::<Vec<_>>(), ["a: x::y", "b: z"]);
        fs::write(directory.path().join("3.txt"), "R1-1-a\tb\n").unwrap();
        assert!(read(directory.path()).is_err());
    }
}
