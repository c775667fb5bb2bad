//! Mailboxes: opened step by step, made so that they last.

use std::io;
use std::sync::Arc;

use crate::fs::Fs;
use crate::group::{Group, Target};
use crate::rules::{Folders, Place};
use crate::verdict::{Trouble, What};

/// A Maildir, or a Maildir++ folder, that is open.
pub(crate) struct Maildir<F: Fs> {
    /// The whole mailbox, where the quota is kept.
    pub(crate) home: F::Dir,
    pub(crate) tmp: F::Dir,
    pub(crate) new: Arc<Target<F>>,
    /// The path of `new` from the root.
    pub(crate) path: String,
}

/// What to do where nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Make {
    pub(crate) mailboxes: bool,
    pub(crate) folders: Folders,
}

impl<F: Fs> Maildir<F> {
    /// Opens the Maildir at that place, or makes it.
    ///
    /// A folder that is not there, and is not to be made, is the inbox.
    pub(crate) fn open(fs: &F, root: &F::Dir, place: &Place, make: Make, group: &Group<F>) -> Result<Self, Trouble> {
        let mut path = place.mailbox.to_string();
        let home = match open_path(fs, root, place)? {
            Some(home) if is_whole(fs, &home)? => home,
            None if !make.mailboxes => return Err(Trouble::NoMailbox),
            Some(_) if !make.mailboxes => return Err(Trouble::NoMaildir(path)),
            _ => make_mailbox(fs, root, place).map_err(failed(What::Make))?,
        };
        let folder = match &place.folder {
            Some(name) => Self::folder(fs, &home, name, make.folders)?.map(|dir| (name, dir)),
            None => None,
        };
        if let Some((name, _)) = &folder {
            path = format!("{path}/{name}");
        }
        let at = folder.as_ref().map_or(&home, |(_, dir)| dir);
        let open = |name| fs.open_dir(at, name).map_err(failed(What::Open));
        let tmp = open("tmp")?;
        let new = group.join(fs, open("new")?).map_err(failed(What::Open))?;
        Ok(Self { home, tmp, new, path: format!("{path}/new") })
    }

    /// The file system that its files are on.
    pub(crate) fn device(&self, fs: &F) -> Result<u64, Trouble> {
        Ok(fs.identity(&self.tmp).map_err(failed(What::Open))?.device)
    }

    fn folder(fs: &F, home: &F::Dir, name: &str, folders: Folders) -> Result<Option<F::Dir>, Trouble> {
        match existing(fs.open_dir(home, name)).map_err(failed(What::Open))? {
            Some(folder) if is_whole(fs, &folder)? => Ok(Some(folder)),
            _ if folders == Folders::Create => make_folder(fs, home, name).map(Some).map_err(failed(What::Make)),
            _ => Ok(None),
        }
    }
}

/// The mailbox at that place, which need not be whole, for a look at it.
pub(crate) fn look<F: Fs>(fs: &F, root: &F::Dir, place: &Place) -> Result<Option<F::Dir>, Trouble> {
    match open_path(fs, root, place)? {
        Some(home) if is_whole(fs, &home)? => Ok(Some(home)),
        Some(_) => Err(Trouble::NoMaildir(place.mailbox.to_string())),
        None => Ok(None),
    }
}

/// The directory at that place, if there is one. Each step is opened in the one
/// before, so that none can lead elsewhere.
fn open_path<F: Fs>(fs: &F, root: &F::Dir, place: &Place) -> Result<Option<F::Dir>, Trouble> {
    let mut dir: Option<F::Dir> = None;
    for step in place.mailbox.steps() {
        match existing(fs.open_dir(dir.as_ref().unwrap_or(root), step.as_str())).map_err(failed(What::Open))? {
            None => return Ok(None),
            opened => dir = opened,
        }
    }
    Ok(dir)
}

/// Whether all of a Maildir is there: `cur` is made last, when the rest is on disk.
fn is_whole<F: Fs>(fs: &F, dir: &F::Dir) -> Result<bool, Trouble> {
    Ok(existing(fs.open_dir(dir, "cur")).map_err(failed(What::Open))?.is_some())
}

/// Makes a mailbox, the directories above it and what is in it, each on disk before
/// the next.
///
/// What others have made is put on disk as well: they may not have come to it yet, and
/// a message is on disk only if all that leads to it is.
fn make_mailbox<F: Fs>(fs: &F, root: &F::Dir, place: &Place) -> io::Result<F::Dir> {
    let mut dir: Option<F::Dir> = None;
    for step in place.mailbox.steps() {
        let above = dir.as_ref().unwrap_or(root);
        made(fs.make_dir(above, step.as_str()))?;
        let below = fs.open_dir(above, step.as_str())?;
        fs.sync_dir(above)?;
        dir = Some(below);
    }
    let dir = dir.ok_or(io::ErrorKind::NotFound)?;
    fill(fs, &dir)?;
    Ok(dir)
}

/// Makes a folder of Maildir++, which has an empty file to be known by.
fn make_folder<F: Fs>(fs: &F, home: &F::Dir, name: &str) -> io::Result<F::Dir> {
    made(fs.make_dir(home, name))?;
    let folder = fs.open_dir(home, name)?;
    fs.sync_dir(home)?;
    made(fs.create(&folder, "maildirfolder").map(drop))?;
    fill(fs, &folder)?;
    Ok(folder)
}

/// `cur` comes last: where it is, all the rest is on disk, whoever made it.
fn fill<F: Fs>(fs: &F, dir: &F::Dir) -> io::Result<()> {
    made(fs.make_dir(dir, "tmp"))?;
    made(fs.make_dir(dir, "new"))?;
    fs.sync_dir(dir)?;
    made(fs.make_dir(dir, "cur"))?;
    fs.sync_dir(dir)
}

/// What is not there is no error.
pub(crate) fn existing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What somebody else has made is made.
fn made(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// The trouble that an error is while that was asked.
pub(crate) fn failed(what: What) -> impl Fn(io::Error) -> Trouble {
    move |error| Trouble::Io { what, error }
}
