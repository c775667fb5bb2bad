//! Pictures of the protocol's tables: `cargo xtask diagrams`.
//!
//! What is drawn comes from a table, cell by cell, so that a new transition appears by itself. Where a
//! state stands on the picture is chosen by hand (`diagrams/client.rs`); one that has no place fails.

mod client;
mod edges;
mod svg;

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::project;
use crate::tidy::{Complaints, tree::Tree};

/// A picture: its file, and what draws it.
type Picture = (&'static str, fn() -> Result<String>);

/// All pictures. The server's comes here when there is a table of it.
const PICTURES: [Picture; 1] = [("docs/book/src/diagrams/client.svg", client::draw)];

/// Draws all pictures; or, with `check`, fails if a file is not what is drawn.
pub(crate) fn run(check: bool) -> Result<()> {
    if check {
        let stale = stale(&Tree::of_git(&project::root())?)?;
        ensure!(stale.is_empty(), "{}", stale.join("\n"));
        return Ok(());
    }
    for (file, draw) in PICTURES {
        let path = project::root().join(file);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        }
        fs::write(&path, draw().with_context(|| file.to_owned())?).with_context(|| file.to_owned())?;
        println!("{file} is drawn");
    }
    Ok(())
}

/// The files that are not what the tables say.
pub(crate) fn stale(tree: &Tree) -> Result<Complaints> {
    let mut complaints = Vec::new();
    for (file, draw) in PICTURES {
        let drawn = draw().with_context(|| file.to_owned())?;
        if tree.text(file).is_ok_and(|there| there == drawn) {
            continue;
        }
        complaints.push(format!("{file}: is not what the table says; `cargo xtask diagrams` draws it"));
    }
    Ok(complaints)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::Sample;

    #[test]
    fn a_picture_that_is_missing_or_old_is_told() {
        let (file, draw) = PICTURES[0];
        assert_eq!(Sample::new(&[]).complaints(stale).len(), PICTURES.len());
        let others = || PICTURES.iter().skip(1).map(|(file, draw)| (*file, draw().unwrap()));
        let with = |first: String| -> Vec<(&str, String)> { others().chain([(file, first)]).collect() };
        let complaints = |files: Vec<(&str, String)>| {
            let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (*file, text.as_str())).collect();
            Sample::new(&files).complaints(stale)
        };
        assert_eq!(complaints(with(draw().unwrap())), Complaints::new());
        assert_eq!(complaints(with(draw().unwrap().replace("Ready", "Idle"))).len(), 1);
    }
}
