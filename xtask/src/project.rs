//! Where the project lies, and whether the output may be coloured.

use std::io::{IsTerminal as _, stdout};
use std::path::{Display, Path, PathBuf};

/// The project's root: the directory above this crate's.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable at run time too; it is the truth when the tree was moved after the build.
    let xtask =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map(Path::to_path_buf).unwrap_or(xtask)
}

/// The path as one would type it in the root, for messages.
pub(crate) fn relative(path: &Path) -> Display<'_> {
    path.strip_prefix(root()).unwrap_or(path).display()
}

/// Colours are for people at a terminal. That a build machine says `CI=true` changes this and
/// nothing else: what passes here must pass there.
pub(crate) fn wants_colours() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    stdout().is_terminal() && !is_set("CI") && !is_set("NO_COLOR")
}

/// `text` in green, where colours are wanted.
pub(crate) fn green(text: &str) -> String {
    colour("32", text)
}

/// `text` in red, where colours are wanted.
pub(crate) fn red(text: &str) -> String {
    colour("31", text)
}

/// `text` in yellow, where colours are wanted.
pub(crate) fn yellow(text: &str) -> String {
    colour("33", text)
}

fn colour(code: &str, text: &str) -> String {
    if wants_colours() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}
