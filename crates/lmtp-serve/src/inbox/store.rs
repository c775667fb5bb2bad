//! The Maildirs beneath a root, to be looked at: nothing is written, and no link is followed.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType, Mode, OFlags, openat};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// So deep mailboxes may lie, and so many of them are looked at.
const DEPTH: usize = 8;
const MAILBOXES: usize = 1000;

/// The root of the Maildirs.
#[derive(Debug, Clone)]
pub(super) struct Store(PathBuf);

/// A message, as far as its file's name tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// From the root, with `/` between its parts.
    pub(super) mailbox: String,
    pub(super) file: String,
    /// Nobody has looked at it.
    pub(super) is_new: bool,
    /// Seconds since 1970.
    pub(super) received: i64,
}

/// What there is.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// All mailboxes, sorted.
    pub(super) mailboxes: Vec<String>,
    /// Of those asked for the latest messages, the latest first.
    pub(super) messages: Vec<Listed>,
    /// How many messages those have.
    pub(super) total: usize,
}

impl Store {
    pub(super) fn new(root: &Path) -> Self {
        Self(root.to_owned())
    }

    /// The latest messages of a mailbox, or of all.
    pub(super) fn list(&self, mailbox: Option<&str>, most: usize) -> io::Result<Contents> {
        let root = rustix::fs::open(&self.0, DIRECTORY, Mode::empty())?;
        let mut contents = Contents::default();
        walk(&root, "", 0, mailbox, &mut contents)?;
        contents.mailboxes.sort();
        contents.total = contents.messages.len();
        // Of the same second those with the greater name are the later: it has what comes behind the point.
        contents.messages.sort_by(|one, other| (other.received, &other.file).cmp(&(one.received, &one.file)));
        contents.messages.truncate(most);
        Ok(contents)
    }

    /// A message's octets, at most so many, and how many there are. Who has moved it from `new` to `cur` meanwhile,
    /// or put flags behind its name, has not changed which one it is.
    pub(super) fn read(&self, mailbox: &str, file: &str, most: u64) -> io::Result<(Vec<u8>, u64)> {
        let base = unflagged(file);
        if base.is_empty() || file.contains('/') {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut dir = rustix::fs::open(&self.0, DIRECTORY, Mode::empty())?;
        for step in mailbox.split('/') {
            if matches!(step, "" | "." | ".." | "new" | "cur" | "tmp") {
                return Err(io::ErrorKind::NotFound.into());
            }
            dir = below(&dir, step)?;
        }
        let places = [below(&dir, "new")?, below(&dir, "cur")?];
        let open = |place, name: &str| {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = File::from(openat(place, name, flags, Mode::empty()).ok()?);
            file.metadata().ok().filter(Metadata::is_file).map(|about| (file, about.len()))
        };
        let moved = |place| entries(place).ok()?.into_iter().map(|(name, _)| name).find(|name| unflagged(name) == base);
        let found = places.iter().find_map(|place| open(place, file));
        let found = found.or_else(|| places.iter().find_map(|place| open(place, &moved(place)?)));
        let (file, size) = found.ok_or(io::ErrorKind::NotFound)?;
        let mut octets = Vec::new();
        file.take(most).read_to_end(&mut octets)?;
        Ok((octets, size))
    }
}

/// The name of a message, whatever flags it has.
pub(super) fn unflagged(file: &str) -> &str {
    file.split(':').next().unwrap_or_default()
}

fn walk(dir: &OwnedFd, path: &str, depth: usize, wanted: Option<&str>, contents: &mut Contents) -> io::Result<()> {
    let entries = entries(dir)?;
    let is_there = |name: &str| entries.iter().any(|(entry, is_directory)| entry == name && *is_directory);
    if depth > 0 && is_there("new") && is_there("cur") && contents.mailboxes.len() < MAILBOXES {
        contents.mailboxes.push(path.to_owned());
        if wanted.is_none_or(|wanted| wanted == path) {
            for (place, is_new) in [("new", true), ("cur", false)] {
                // One that was removed meanwhile has nothing.
                let Ok(place) = below(dir, place).and_then(|place| self::entries(&place)) else { continue };
                contents.messages.extend(place.into_iter().filter(|(_, is_directory)| !is_directory).filter_map(
                    |(file, _)| {
                        let received = file.split('.').next()?.parse().ok()?;
                        Some(Listed { mailbox: path.to_owned(), file, is_new, received })
                    },
                ));
            }
        }
    }
    if depth == DEPTH {
        return Ok(());
    }
    for (name, _) in
        entries.iter().filter(|(name, is_directory)| *is_directory && !matches!(name.as_str(), "new" | "cur" | "tmp"))
    {
        let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        if let Ok(below) = below(dir, name) {
            walk(&below, &path, depth + 1, wanted, contents)?;
        }
    }
    Ok(())
}

fn below(dir: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    Ok(openat(dir, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?)
}

/// The names in a directory that are text, and whether each is a directory.
fn entries(dir: &OwnedFd) -> io::Result<Vec<(String, bool)>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if name == "." || name == ".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems do not say.
            FileType::Unknown => {
                let about = rustix::fs::statat(dir, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(about.st_mode)
            }
            kind => kind,
        };
        entries.push((name.to_owned(), kind == FileType::Directory));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn mailbox(root: &Path, path: &str) -> PathBuf {
        for place in ["new", "cur", "tmp"] {
            fs::create_dir_all(root.join(path).join(place)).unwrap();
        }
        root.join(path)
    }

    #[test]
    fn the_latest_come_first_and_who_moved_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let bob = mailbox(folder.path(), "x/bob");
        let lists = mailbox(folder.path(), "x/bob/.lists");
        mailbox(folder.path(), "x/eve");
        fs::write(bob.join("new/10.a"), "ten").unwrap();
        fs::write(bob.join("cur/20.b:2,S"), "twenty").unwrap();
        fs::write(lists.join("new/30.c"), "thirty").unwrap();
        fs::write(bob.join("tmp/40.d"), "under way").unwrap();
        fs::write(bob.join("new/no-time"), "none of ours").unwrap();
        let store = Store::new(folder.path());
        let all = store.list(None, 2).unwrap();
        assert_eq!(all.mailboxes, ["x/bob", "x/bob/.lists", "x/eve"]);
        let names: Vec<&str> = all.messages.iter().map(|listed| listed.file.as_str()).collect();
        assert_eq!((names, all.total), (vec!["30.c", "20.b:2,S"], 3));
        assert_eq!(store.list(Some("x/bob"), 9).unwrap().messages.len(), 2);
        assert_eq!(store.list(Some("x/ann"), 9).unwrap().total, 0);
        assert_eq!(store.read("x/bob", "20.b", 99).unwrap(), (b"twenty".to_vec(), 6));
        fs::rename(bob.join("new/10.a"), bob.join("cur/10.a:2,")).unwrap();
        assert_eq!(store.read("x/bob", "10.a", 2).unwrap(), (b"te".to_vec(), 3));
    }

    #[test]
    fn nothing_else_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("mail");
        let bob = mailbox(&root, "x/bob");
        fs::write(folder.path().join("secret"), "secret").unwrap();
        fs::write(bob.join("1.secret"), "in no place").unwrap();
        symlink(folder.path().join("secret"), bob.join("new/1.link")).unwrap();
        fs::create_dir(bob.join("new/2.directory")).unwrap();
        let outside = mailbox(folder.path(), "outside");
        fs::write(outside.join("new/3.far"), "far").unwrap();
        symlink(&outside, root.join("x/linked")).unwrap();
        let store = Store::new(&root);
        for (mailbox, file) in [
            ("x/bob", "1.link"),
            ("x/bob", "1.secret"),
            ("x/bob", "2.directory"),
            ("x/bob", "../1.secret"),
            ("x/bob", "../../../../secret"),
            ("x/bob", ""),
            ("x/bob", ".."),
            ("x/linked", "3.far"),
            ("../outside", "3.far"),
            ("x/../../outside", "3.far"),
            ("/etc", "passwd"),
            ("", "1.link"),
            ("x/bob/new", "1.link"),
        ] {
            assert!(store.read(mailbox, file, 99).is_err(), "{mailbox} {file}");
        }
        assert_eq!(store.list(None, 9).unwrap().mailboxes, ["x/bob"]);
    }
}
