//! What the front ends promise of themselves: they are thin, and bring little with them.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use toml::Table;

use super::Complaints;
use super::source::{holds_word, is_comment};
use super::tree::Tree;
use crate::cargo::cargo;
use crate::process;

/// The crates that drive machines, with what the async ones share.
const DRIVERS: [&str; 5] = ["lmtp-blocking", "lmtp-futures", "lmtp-tokio", "lmtp-smol", "lmtp-async-std"];

/// The loops, by file and function. There is no other.
const LOOPS: [(&str, &str); 3] = [
    ("crates/lmtp-blocking/src/drive.rs", "go_on"),
    ("crates/lmtp-futures/src/io.rs", "poll_next"),
    ("crates/lmtp-tokio/src/io.rs", "poll_next"),
];
/// What a loop asks a machine.
const ASKS: &str = ".poll_output(";
const LOOP_LINES: usize = 60;

/// Crates that are little more than names.
const NAMES: [&str; 2] = ["lmtp-smol", "lmtp-async-std"];
const NAMES_LINES: usize = 150;

/// What is said in the protocol. Who drives a machine need not know it.
const COMMANDS: [&str; 16] = [
    "LHLO", "HELO", "EHLO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "QUIT", "VRFY", "HELP", "AUTH", "STARTTLS",
    "XCLIENT", "XFORWARD",
];

const BEYOND_TOKIO: usize = 30;
const TLS: [&str; 7] = ["aws-lc-rs", "boring", "native-tls", "openssl", "ring", "rustls", "schannel"];
/// It is what TLS is put into.
const HAS_TLS: &str = "lmtp-rustls";

const DISCONTINUED: &str = "async-std";
const KEEPS_IT: &str = "lmtp-async-std";

/// Each loop is a function of fewer than 60 lines, and no other function drives a machine.
pub(super) fn short_loops(tree: &Tree) -> Result<Complaints> {
    let mut complaints = Vec::new();
    for file in drivers_sources(tree) {
        let text = tree.text(file)?;
        let function = LOOPS.iter().find(|(place, _)| *place == file).map(|(_, function)| *function);
        let lines = function.and_then(|function| function_lines(&text, function));
        let asked = text.lines().filter(|line| !is_comment(line) && line.contains(ASKS)).count();
        match (function, lines) {
            (None, _) if asked > 0 => complaints.push(format!("{file}: drives a machine beside the loops")),
            (Some(function), Some(lines)) => {
                if lines.len() >= LOOP_LINES {
                    complaints
                        .push(format!("{file}: `{function}` has {} lines, under {LOOP_LINES} allowed", lines.len()));
                }
                if asked != 1 || !lines.iter().any(|line| line.contains(ASKS)) {
                    complaints.push(format!("{file}: it is not `{function}` alone that drives a machine"));
                }
            }
            _ => {}
        }
    }
    for (file, function) in LOOPS {
        if !tree.files().any(|there| there == file) || function_lines(&tree.text(file)?, function).is_none() {
            complaints.push(format!("{file}: has no loop `{function}`"));
        }
    }
    Ok(complaints)
}

/// A runtime of `futures-io` costs fewer than 150 lines of code.
pub(super) fn few_lines(tree: &Tree) -> Result<Complaints> {
    let mut complaints = Vec::new();
    for name in NAMES {
        let mut lines = 0;
        for file in tree.sources().filter(|file| file.starts_with(&format!("crates/{name}/"))) {
            lines += tree.text(file)?.lines().filter(|line| !line.trim().is_empty() && !is_comment(line)).count();
        }
        if lines == 0 || lines >= NAMES_LINES {
            complaints.push(format!("crates/{name}: {lines} lines of code, under {NAMES_LINES} allowed"));
        }
    }
    Ok(complaints)
}

/// The protocol is said in `lmtp-proto` alone.
pub(super) fn name_no_command(tree: &Tree) -> Result<Complaints> {
    let mut complaints = Vec::new();
    for file in drivers_sources(tree) {
        for (number, line) in (1..).zip(tree.text(file)?.lines()) {
            let found = COMMANDS.iter().find(|command| !is_comment(line) && holds_word(line, command));
            complaints.extend(found.map(|command| format!("{file}:{number}: names `{command}`")));
        }
    }
    Ok(complaints)
}

/// `lmtp-tokio` takes fewer than 30 crates that tokio does not take itself.
pub(super) fn little_beyond_tokio(_: &Tree) -> Result<Complaints> {
    let mut list = cargo();
    list.args(["tree", "-p", "lmtp-tokio", "-e", "normal,build", "--locked", "--no-dedupe", "--prefix", "depth"]);
    let list = process::capture(&mut list)?;
    let beyond = beyond(&list, "tokio").context("lmtp-tokio does not depend on tokio")?;
    let names = beyond.iter().copied().collect::<Vec<_>>().join(", ");
    let is_over = beyond.len() >= BEYOND_TOKIO;
    Ok(is_over
        .then(|| format!("lmtp-tokio: {} crates beyond tokio's own: {names}", beyond.len()))
        .into_iter()
        .collect())
}

/// Nobody gets TLS without asking for it.
pub(super) fn no_tls_by_default(tree: &Tree) -> Result<Complaints> {
    let mut complaints = Vec::new();
    let is_library = |name: &&str| tree.files().any(|file| file == format!("crates/{name}/src/lib.rs"));
    for name in tree.crates().into_iter().filter(is_library).filter(|name| *name != HAS_TLS) {
        let mut list = cargo();
        list.args(["tree", "-p", name, "-e", "normal", "--target", "all", "--locked", "--prefix", "none"]);
        complaints.extend(tls_in(name, &process::capture(&mut list)?));
    }
    Ok(complaints)
}

/// async-std is discontinued: who does not ask for it by name does not get it.
pub(super) fn async_std_alone(tree: &Tree) -> Result<Complaints> {
    let mut complaints = Vec::new();
    for file in tree.files().filter(|file| file.ends_with("/Cargo.toml")) {
        if !file.ends_with(&format!("/{KEEPS_IT}/Cargo.toml")) {
            let manifest: Table = tree.text(file)?.parse().with_context(|| file.to_owned())?;
            complaints.extend(wants_async_std(&manifest).into_iter().map(|what| format!("{file}: depends on {what}")));
        }
    }
    Ok(complaints)
}

/// Sources of the drivers, without what is for tests only.
fn drivers_sources(tree: &Tree) -> impl Iterator<Item = &str> {
    let is_ours = |file: &&str| DRIVERS.iter().any(|name| file.starts_with(&format!("crates/{name}/src/")));
    tree.sources().filter(is_ours).filter(|file| !file.ends_with("/tests.rs"))
}

/// The lines of a function, the first and the last included.
fn function_lines<'t>(text: &'t str, name: &str) -> Option<Vec<&'t str>> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines().skip_while(|line| is_comment(line) || !holds_word(line, &format!("fn {name}")));
    let first = lines.next()?;
    let end = format!("{}}}", " ".repeat(indent(first)));
    let mut function = vec![first];
    for line in lines {
        function.push(line);
        if line == end {
            return Some(function);
        }
    }
    None
}

/// Reads `cargo tree --prefix depth`: lines of `DEPTHname version …`. The crates that are not in the tree of `below`;
/// `None` if that is not there.
fn beyond<'t>(tree: &'t str, below: &str) -> Option<BTreeSet<&'t str>> {
    let (mut all, mut own) = (BTreeSet::new(), BTreeSet::new());
    // How deep the crate is whose tree we are in.
    let mut inside: Option<usize> = None;
    for line in tree.lines() {
        let depth = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let name = line[depth..].split(' ').next().unwrap_or_default();
        let depth: usize = line[..depth].parse().ok()?;
        inside = inside.filter(|above| depth > *above);
        if name == below {
            inside = inside.or(Some(depth));
        }
        if inside.is_some() { &mut own } else { &mut all }.insert(name);
    }
    (!own.is_empty()).then(|| all.difference(&own).copied().collect())
}

fn tls_in(name: &str, tree: &str) -> Complaints {
    let there: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    TLS.iter().filter(|tls| there.contains(*tls)).map(|tls| format!("{name}: brings {tls} by default")).collect()
}

/// What of it a manifest depends on. Tests may try the crate that keeps it, for nobody gets what those need.
fn wants_async_std(manifest: &Table) -> Vec<&'static str> {
    let targets = manifest.get("target").and_then(|target| target.as_table()).into_iter().flat_map(Table::values);
    let places: Vec<&Table> = targets.filter_map(|target| target.as_table()).chain([manifest]).collect();
    let has = |table: &str, name: &str| {
        let dependencies = places.iter().filter_map(|place| place.get(table)?.as_table());
        dependencies
            .flatten()
            .any(|(key, value)| key == name || value.get("package").and_then(|p| p.as_str()) == Some(name))
    };
    let mut wants = Vec::new();
    for table in ["dependencies", "build-dependencies", "dev-dependencies"] {
        wants.extend(has(table, DISCONTINUED).then_some(DISCONTINUED));
        wants.extend((table != "dev-dependencies" && has(table, KEEPS_IT)).then_some(KEEPS_IT));
    }
    wants
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::Sample;

    fn looping(name: &str, lines: usize) -> String {
        let asks = "        machine.poll_output(now);\n";
        format!(
            "//! X.\nimpl X {{\n    fn {name}(&mut self) {{\n{asks}{}    }}\n}}\n",
            "        x();\n".repeat(lines - 3)
        )
    }

    /// The complaints where these files are in place of good ones, or beside them.
    fn loops(others: &[(&str, &str)]) -> Complaints {
        let good = LOOPS.map(|(file, function)| (file, looping(function, 59)));
        let mut files: Vec<(&str, &str)> = good.iter().map(|(file, text)| (*file, text.as_str())).collect();
        files.retain(|(file, _)| !others.iter().any(|(other, _)| file == other));
        files.extend(others);
        Sample::new(&files).complaints(short_loops)
    }

    #[test]
    fn long_loops_and_hidden_ones_are_told() {
        assert_eq!(loops(&[]), Complaints::new());
        let (place, function) = LOOPS[0];
        let long = loops(&[(place, &looping(function, 60))]);
        assert_eq!(long, [format!("{place}: `{function}` has 60 lines, under 60 allowed")]);
        let renamed = loops(&[(place, &looping("other", 10))]);
        assert_eq!(renamed, [format!("{place}: has no loop `{function}`")]);
        let second = looping(function, 10) + &looping("other", 10);
        assert_eq!(loops(&[(place, &second)]).len(), 1);
        let elsewhere = loops(&[("crates/lmtp-smol/src/client.rs", &looping("x", 5))]);
        assert_eq!(elsewhere, ["crates/lmtp-smol/src/client.rs: drives a machine beside the loops"]);
        assert_eq!(loops(&[("crates/lmtp-blocking/src/drive/tests.rs", &looping("x", 5))]), Complaints::new());
    }

    #[test]
    fn lines_of_code_are_counted() {
        let code = |lines: usize| "//! X.\n\n    /// Y.\n".to_owned() + &"x\n".repeat(lines);
        let complaints = |smol: &str| {
            let std = code(149);
            let files = [("crates/lmtp-smol/src/lib.rs", smol), ("crates/lmtp-async-std/src/lib.rs", &std)];
            Sample::new(&files).complaints(few_lines)
        };
        assert_eq!(complaints(&code(149)), Complaints::new());
        assert_eq!(complaints(&code(150)), ["crates/lmtp-smol: 150 lines of code, under 150 allowed"]);
        assert_eq!(complaints("").len(), 1, "nothing was read");
    }

    #[test]
    fn commands_are_told_in_code() {
        for command in COMMANDS {
            for name in DRIVERS {
                let place = format!("crates/{name}/src/client.rs");
                let text = format!("/// Says {command}.\nwrite(\"{command} \");\n");
                let complaints = Sample::new(&[(&place, &text)]).complaints(name_no_command);
                assert_eq!(complaints, [format!("{place}:2: names `{command}`")]);
            }
        }
    }

    #[test]
    fn crates_beyond_tokio_are_counted() {
        let tree = "0lmtp-tokio v0.1.0 (/p)\n1bytes v1.12.1\n1lmtp-futures v0.1.0 (/p)\n2libc v0.2.1\n2nom v8.0.0\n\
            1tokio v1.54.1\n2bytes v1.12.1\n2mio v1.2.0\n3libc v0.2.1\n1memchr v2.8.3\n";
        let names: Vec<&str> = beyond(tree, "tokio").unwrap().into_iter().collect();
        assert_eq!(names, ["lmtp-futures", "lmtp-tokio", "memchr", "nom"]);
        assert_eq!(beyond(tree, "smol"), None);
        assert_eq!(beyond("odd\n", "odd"), None);
    }

    #[test]
    fn tls_is_told() {
        assert_eq!(tls_in("a", "a v0.1.0\nstrings v1.0.0\n"), Complaints::new());
        assert_eq!(tls_in("a", "a v0.1.0\nrustls v0.23.1\n"), ["a: brings rustls by default"]);
    }

    #[test]
    fn async_std_is_told_wherever_it_is_asked_for() {
        for (place, told) in [
            ("[dependencies]\nasync-std = \"1\"", true),
            ("[dependencies]\nlmtp-async-std.workspace = true", true),
            ("[dependencies]\nx = { package = \"async-std\", version = \"1\" }", true),
            ("[target.'cfg(unix)'.dependencies]\nasync-std.workspace = true", true),
            ("[dev-dependencies]\nasync-std.workspace = true", true),
            ("[build-dependencies]\nasync-std = \"1\"", true),
            ("[dev-dependencies]\nlmtp-async-std.workspace = true", false),
            ("[dependencies]\nasync-io = \"2\"", false),
        ] {
            let sample = Sample::new(&[("crates/a/Cargo.toml", place), ("crates/lmtp-async-std/Cargo.toml", place)]);
            let complaints = sample.complaints(async_std_alone);
            assert_eq!(complaints.len(), usize::from(told), "{place}: {complaints:?}");
        }
    }
}
