//! A directory for a foreign program.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use anyhow::Result;
use tempfile::TempDir;

/// A directory of its own that everybody may enter: foreign programs give up root. Not where TMPDIR says, for
/// paths of sockets have to stay below 108 octets.
pub(crate) fn directory() -> Result<TempDir> {
    let directory = tempfile::Builder::new().prefix("lmtp-").tempdir_in("/tmp")?;
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
    Ok(directory)
}
