//! One step of a path, checked.

use std::fmt;

/// One step of a path beneath the root: not empty, not `.` or `..`, without `/`
/// and control characters, at most 255 octets.
///
/// Paths are made of these and of nothing else, so that no path leads upwards or
/// elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Component(String);

/// The longest name that file systems take, in octets.
const LONGEST: usize = 255;

impl Component {
    /// The step of that name.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn new(name: &str) -> Result<Self, InvalidPath> {
        let fits = !matches!(name, "" | "." | "..") && name.len() <= LONGEST;
        if fits && !name.contains(|c: char| c == '/' || c.is_control()) {
            Ok(Self(name.to_owned()))
        } else {
            Err(InvalidPath)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether text that came over the wire may be put into a [`Component`]: as there,
/// and it does not begin with a dot, which is for folders and for what is hidden.
pub(crate) fn is_safe(text: &str) -> bool {
    !text.starts_with('.') && Component::new(text).is_ok()
}

/// A path beneath the root: one step or more, with `/` between them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelativePath(Vec<Component>);

impl RelativePath {
    /// The path that takes these steps.
    ///
    /// # Errors
    ///
    /// There are none.
    pub fn new(steps: Vec<Component>) -> Result<Self, InvalidPath> {
        if steps.is_empty() { Err(InvalidPath) } else { Ok(Self(steps)) }
    }

    /// Its steps, at least one.
    pub fn steps(&self) -> &[Component] {
        &self.0
    }
}

impl std::str::FromStr for RelativePath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text.split('/').map(Component::new).collect::<Result<_, _>>()?)
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "/" })?;
            f.write_str(step.as_str())?;
        }
        Ok(())
    }
}

/// Text that is no path beneath the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a path beneath the root has steps of 1 to 255 octets, none of them `.` or `..`, and does not begin with `/`")]
pub struct InvalidPath;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_step() {
        for text in ["", ".", "..", "/", "a/b", "/a", "a\0", "a\n", "\u{85}", &"a".repeat(256)] {
            assert!(Component::new(text).is_err() && !is_safe(text), "{text:?}");
        }
        for text in ["a", "...", ".a", "a b", "jörg", "~", "[192.0.2.1]", &"a".repeat(255)] {
            assert_eq!(Component::new(text).unwrap().as_str(), text);
        }
        assert!(!is_safe(".a") && !is_safe("..."));
    }

    #[test]
    fn paths_lead_down() {
        assert_eq!("a/b".parse::<RelativePath>().unwrap().to_string(), "a/b");
        for text in ["", "/", "/a", "a/", "a//b", "a/../b", "./a", ".."] {
            assert!(text.parse::<RelativePath>().is_err(), "{text:?}");
        }
    }
}
