//! Tables of rows and the tests that show them: each test that is named has to be there.

use std::fs;
use std::path::Path;

/// A row, and the tests that show it: a file from the root of the crate, and a name in it.
pub type Row = (&'static str, &'static [(&'static str, &'static str)]);

/// Fails unless each row names tests, and each of these is one: a test function in Rust, or a check by its words in a
/// script or in a check of a foreign peer.
pub fn each_has_its_test(crate_root: &Path, rows: &[Row]) {
    for (row, tests) in rows {
        assert!(!tests.is_empty(), "{row}");
        for (file, name) in *tests {
            let text = fs::read_to_string(crate_root.join(file));
            let text = text.unwrap_or_else(|error| panic!("{row}: {file}: {error}"));
            let is_there = is_test(&text, name)
                || [format!("check('{name}'"), format!("check(\"{name}\"")].iter().any(|check| text.contains(check));
            assert!(is_there, "{row}: there is no test {name} in {file}");
        }
    }
}

/// Whether a function of that name has a test's attribute.
fn is_test(text: &str, name: &str) -> bool {
    let Some((before, _)) = text.split_once(&format!("fn {name}(")) else { return false };
    let before = before.trim_end_matches("async ").trim_end();
    let attribute = before.lines().last().unwrap_or_default().trim();
    attribute.starts_with("#[") && attribute.contains("test")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_alone_is_no_test() {
        assert!(is_test("#[test]\nfn a() {}", "a") && is_test("#[tokio::test(flavor = \"x\")]\nasync fn a() {}", "a"));
        assert!(!is_test("#[expect(x)]\nfn a() {}", "a") && !is_test("fn a() {}", "a") && !is_test("", "a"));
    }
}
