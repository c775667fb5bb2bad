//! The directory above all mailboxes.

use std::fs;
use std::io;
use std::path::{Path, absolute};

/// Makes it, if it is not there, and what is missing above it, so that it lasts: each directory's name is on disk
/// in the one above before this returns.
pub(crate) fn make(root: &Path) -> io::Result<()> {
    if !is_missing(root) {
        return Ok(());
    }
    let root = absolute(root)?;
    let missing: Vec<&Path> = root.ancestors().take_while(|directory| is_missing(directory)).collect();
    fs::create_dir_all(&root)?;
    for above in missing.iter().filter_map(|made| made.parent()) {
        fs::File::open(above)?.sync_all()?;
    }
    Ok(())
}

/// Whether there is nothing of that name. What cannot be looked at may be there.
pub(crate) fn is_missing(root: &Path) -> bool {
    !root.as_os_str().is_empty() && fs::metadata(root).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_above_it_is_made_too() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("a/b/mail");
        assert!(is_missing(&root));
        make(&root).unwrap();
        assert!(root.is_dir() && !is_missing(&root));
        make(&root).unwrap();
    }

    /// Opening it is what says that nothing can be made there.
    #[test]
    fn no_name_is_no_root() {
        assert!(!is_missing(Path::new("")));
    }
}
