//! Relative links in Markdown files lead to something that exists.

use std::path::Path;

use anyhow::Result;

use super::{Complaints, tree::Tree};

pub(super) fn lead_to_files(tree: &Tree) -> Result<Complaints> {
    let is_markdown = |file: &&str| Path::new(file).extension().is_some_and(|ext| ext == "md");
    let mut complaints = Vec::new();
    for file in tree.files().filter(is_markdown) {
        // From where the file really is: a crate's README may be a symlink to the one at the top.
        let place = tree.root().join(file).canonicalize()?;
        let directory = place.parent().unwrap_or(tree.root());
        for (number, target) in targets(&tree.text(file)?) {
            if let Some(path) = relative_path(&target)
                && !directory.join(path).exists()
            {
                complaints.push(format!("{file}:{number}: leads nowhere: {target}"));
            }
        }
    }
    Ok(complaints)
}

/// Link targets with their line numbers: `](target)`, `](<target>)`, `](target "title")` and
/// `[label]: target`. Code is not looked at.
fn targets(markdown: &str) -> Vec<(usize, String)> {
    let mut targets = Vec::new();
    let mut fence: Option<&str> = None;
    for (number, line) in (1..).zip(markdown.lines()) {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, Some(mark)) => fence = Some(mark),
            (Some(_), _) => {}
            (None, None) => {
                let found = in_line(&without_code(line));
                targets.extend(found.into_iter().map(|target| (number, target)));
            }
        }
    }
    targets
}

/// The line without what stands between backticks.
fn without_code(line: &str) -> String {
    let parts: Vec<&str> = line.split('`').collect();
    // Every second part is code, but for a last one whose backtick is never closed.
    let is_text = |&(index, _): &(usize, &&str)| index.is_multiple_of(2) || index + 1 == parts.len();
    parts.iter().enumerate().filter(is_text).map(|(_, part)| *part).collect()
}

fn in_line(line: &str) -> Vec<String> {
    let inline = line.split("](").skip(1).filter_map(|rest| {
        let target = match rest.strip_prefix('<') {
            Some(rest) => rest.split_once('>')?.0,
            None => rest.split_once(')')?.0.split(' ').next()?,
        };
        Some(target.to_owned())
    });
    let definition = line.strip_prefix('[').and_then(|rest| {
        let (_label, target) = rest.split_once("]: ")?;
        Some(target.split_whitespace().next()?.trim_matches(['<', '>']).to_owned())
    });
    inline.chain(definition).collect()
}

/// The path in a link that points into the tree; nothing for other links and for bare fragments.
fn relative_path(target: &str) -> Option<&str> {
    let path = target.split(['#', '?']).next().unwrap_or_default();
    let has_scheme = target.contains("://") || target.starts_with("mailto:");
    (!path.is_empty() && !has_scheme).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::Sample;

    #[test]
    fn links_that_lead_nowhere_are_told_with_their_line() {
        let readme = "\
[well](docs/a.md) and [well](<docs/a.md#part>) and [web](https://example.org/x)
[part](#part) `[code](none)` [gone](docs/none.md \"title\") [gone](no)
```text
[fenced](none)
```
[label]: docs/none.md
[other]: mailto:a@example.org
";
        let back = "[up](../README.md) [here](.)";
        let sample = Sample::new(&[("README.md", readme), ("docs/a.md", back)]);
        let complaints = sample.complaints(lead_to_files);
        assert_eq!(
            complaints,
            [
                "README.md:2: leads nowhere: docs/none.md",
                "README.md:2: leads nowhere: no",
                "README.md:6: leads nowhere: docs/none.md",
            ]
        );
    }
}
