//! Who owns what a peer writes: a user that it gives up root for, or, without root, we ourselves.

use std::os::unix::fs::chown;
use std::path::Path;

use anyhow::Result;

use super::apt;
use crate::process;

pub(crate) struct Owner {
    pub(crate) user: String,
    pub(crate) group: String,
    /// We are not root, and everything runs as us.
    pub(crate) rootless: bool,
}

impl Owner {
    /// This user and group if we are root, us otherwise.
    pub(crate) fn find(user: &str, group: &str) -> Result<Self> {
        if apt::is_root()? {
            return Ok(Self { user: user.into(), group: group.into(), rootless: false });
        }
        let id = |what: &str| process::capture(process::command("id").arg(what));
        let (user, group) = (id("-un")?.trim().to_owned(), id("-gn")?.trim().to_owned());
        Ok(Self { user, group, rootless: true })
    }

    /// Gives a file or directory to this user, where that takes a change.
    pub(crate) fn own(&self, path: &Path) -> Result<()> {
        if self.rootless {
            return Ok(());
        }
        let user = process::capture(process::command("id").args(["-u", &self.user]))?.trim().parse()?;
        let entry = process::capture(process::command("getent").args(["group", &self.group]))?;
        let group = entry.split(':').nth(2).unwrap_or_default().parse()?;
        Ok(chown(path, Some(user), Some(group))?)
    }
}
