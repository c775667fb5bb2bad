//! Rules that a source file keeps by itself.

use anyhow::Result;

use super::Complaints;
use super::tree::{Tree, is_rust};

/// The aim is 400; what is longer holds two concepts.
const MOST_LINES: usize = 450;

/// What the core must not name: it gets time and octets from whoever drives it.
const NOT_SANS_IO: [&str; 5] = ["Instant::now", "std::net", "std::io", "std::thread", "async fn"];

/// A slice of octets and nothing to read or write with: what `bytes::Buf` hands out with its feature `std`.
const IO_SLICE: &str = "std::io::IoSlice";

/// Written in two halves, so that this file does not hold what it forbids.
const UNFINISHED: [&str; 5] = [
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("#[ign", "ore"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

pub(super) fn short_files(tree: &Tree) -> Result<Complaints> {
    each_source(tree, |file, text| {
        let lines = text.lines().count();
        let too_long = lines > MOST_LINES;
        too_long.then(|| format!("{file}: {lines} lines, at most {MOST_LINES}")).into_iter().collect()
    })
}

pub(super) fn documented_files(tree: &Tree) -> Result<Complaints> {
    each_source(tree, |file, text| {
        // A crate may take its README for it.
        let documented = ["//! ", "#![doc = include_str!("].iter().any(|begin| text.starts_with(begin));
        (!documented).then(|| format!("{file}:1: does not begin with `//! `")).into_iter().collect()
    })
}

pub(super) fn nothing_unfinished(tree: &Tree) -> Result<Complaints> {
    let mut complaints = Vec::new();
    let ours = |file: &&str| ["crates/", "xtask/", "fuzz/"].iter().any(|dir| file.starts_with(dir));
    for file in tree.files().filter(ours).filter(|file| is_rust(file)) {
        for (number, line) in numbered(&tree.text(file)?) {
            let found = UNFINISHED.iter().find(|mark| holds_word(line, mark));
            complaints.extend(found.map(|mark| format!("{file}:{number}: holds `{mark}`")));
        }
    }
    Ok(complaints)
}

/// Comments may name what the code must not: they explain why.
pub(super) fn core_is_sans_io(tree: &Tree) -> Result<Complaints> {
    each_source(tree, |file, text| {
        let mut complaints = Vec::new();
        if file.starts_with("crates/lmtp-proto/") {
            for (number, line) in numbered(text).filter(|(_, line)| !is_comment(line)) {
                let line = line.replace(IO_SLICE, "");
                let found = NOT_SANS_IO.iter().find(|name| holds_word(&line, name));
                complaints.extend(found.map(|name| format!("{file}:{number}: names `{name}`")));
            }
        }
        complaints
    })
}

fn each_source(tree: &Tree, rule: impl Fn(&str, &str) -> Complaints) -> Result<Complaints> {
    let mut complaints = Vec::new();
    for file in tree.sources() {
        complaints.extend(rule(file, &tree.text(file)?));
    }
    Ok(complaints)
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines())
}

pub(super) fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// `word` stands in `line`, not as a part of a longer word.
pub(super) fn holds_word(line: &str, word: &str) -> bool {
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        let open = word.starts_with(char::is_alphanumeric) && joins(before.chars().next_back());
        let runs_on = word.ends_with(char::is_alphanumeric) && joins(after.chars().next());
        !open && !runs_on
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::Sample;

    #[test]
    fn a_long_file_is_told() {
        let long = "//! Long.\n".repeat(MOST_LINES + 1);
        let sample = Sample::new(&[
            ("crates/a/src/lib.rs", &long),
            ("crates/a/src/short.rs", "//! Short.\n"),
            ("crates/a/tests/long.rs", &long),
        ]);
        let complaints = sample.complaints(short_files);
        assert_eq!(complaints, ["crates/a/src/lib.rs: 451 lines, at most 450"]);
    }

    #[test]
    fn a_file_without_a_first_line_is_told() {
        let sample = Sample::new(&[
            ("crates/a/src/lib.rs", "use std::fmt;\n"),
            ("crates/a/src/well.rs", "//! Well.\n"),
            ("crates/b/src/lib.rs", "#![doc = include_str!(\"../README.md\")]\n"),
        ]);
        let complaints = sample.complaints(documented_files);
        assert_eq!(complaints.len(), 1, "{complaints:?}");
    }

    #[test]
    fn every_unfinished_mark_is_told() {
        for mark in UNFINISHED {
            for place in ["crates/a/tests/t.rs", "fuzz/fuzz_targets/t.rs", "xtask/src/main.rs"] {
                let text = format!("//! Doc.\nfn f() {{ {mark} ) }}\n");
                let complaints = Sample::new(&[(place, &text)]).complaints(nothing_unfinished);
                assert_eq!(complaints, [format!("{place}:2: holds `{mark}`")]);
            }
        }
        let template = format!("let name = \"/tmp/{}\";\n", "X".repeat(6));
        let fine = Sample::new(&[("crates/a/src/lib.rs", &template)]);
        assert!(fine.complaints(nothing_unfinished).is_empty());
    }

    #[test]
    fn io_in_the_core_is_told_in_code_and_allowed_in_comments() {
        for name in NOT_SANS_IO {
            let code = format!("//! Unlike `{name}`.\nlet x = {name} y;\n");
            let sample =
                Sample::new(&[("crates/lmtp-proto/src/lib.rs", &code), ("crates/lmtp-blocking/src/lib.rs", &code)]);
            let complaints = sample.complaints(core_is_sans_io);
            assert_eq!(complaints, [format!("crates/lmtp-proto/src/lib.rs:2: names `{name}`")]);
        }
        let slice = Sample::new(&[("crates/lmtp-proto/src/queue.rs", "fn f(_: &mut [std::io::IoSlice<'_>]) {}\n")]);
        assert!(slice.complaints(core_is_sans_io).is_empty());
    }
}
