//! Transcripts are tests: one that is empty tests nothing.

use std::path::Path;

use anyhow::Result;

use super::{Complaints, tree::Tree};

const PLACE: &str = "crates/lmtp-testkit/transcripts/";

pub(super) fn not_empty(tree: &Tree) -> Result<Complaints> {
    let is_text = |file: &str| Path::new(file).extension().is_some_and(|ext| ext == "txt");
    let is_transcript = |file: &&str| file.starts_with(PLACE) && is_text(file);
    let transcripts: Vec<&str> = tree.files().filter(is_transcript).collect();
    if transcripts.is_empty() {
        return Ok(vec![format!("{PLACE}: holds no transcript")]);
    }
    let mut complaints = Vec::new();
    for file in transcripts {
        if tree.text(file)?.trim().is_empty() {
            complaints.push(format!("{file}: is empty"));
        }
    }
    Ok(complaints)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::Sample;

    #[test]
    fn empty_and_absent_are_told() {
        let file = "crates/lmtp-testkit/transcripts/a.txt";
        assert!(Sample::new(&[(file, "S: 220 x\n")]).complaints(not_empty).is_empty());
        assert_eq!(Sample::new(&[(file, "\n")]).complaints(not_empty).len(), 1);
        assert_eq!(Sample::new(&[]).complaints(not_empty).len(), 1);
    }
}
