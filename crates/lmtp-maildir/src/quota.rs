//! How full a mailbox may be, and is: the file `maildirsize` of Maildir++.

use std::io;

use crate::fs::{Fs, write_all};
use crate::mailbox::{existing, failed};
use crate::name::Names;
use crate::verdict::{Trouble, What, WhenFull};

/// How much may be in a mailbox, folders included, `Trash` and what is marked as
/// deleted not.
///
/// It is counted in the mailbox's `maildirsize`, as other programs count there.
/// Messages that arrive at the same moment do not see each other: together they may go
/// beyond the quota by what they are. Where a mailbox is full by that file it is
/// counted anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Quota {
    /// The most octets on disk; `None` for any.
    pub octets: Option<u64>,
    /// The most messages; `None` for any.
    pub messages: Option<u64>,
    /// What is said when it is full.
    pub when_full: WhenFull,
}

/// The file of that name in the mailbox.
const FILE: &str = "maildirsize";
/// A file longer than that is made anew (Maildir++).
const LONGEST: u64 = 5120;

/// What is in a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Usage {
    octets: u64,
    messages: u64,
}

impl Quota {
    fn is_set(self) -> bool {
        self.octets.is_some() || self.messages.is_some()
    }

    /// The first line of the file: `1000000S,1000C`.
    fn definition(self) -> String {
        let part = |limit: Option<u64>, unit| limit.map(|limit| format!("{limit}{unit}"));
        [part(self.octets, 'S'), part(self.messages, 'C')].into_iter().flatten().collect::<Vec<_>>().join(",")
    }

    fn has_room(self, usage: Usage, octets: u64) -> bool {
        self.octets.is_none_or(|most| usage.octets.saturating_add(octets) <= most)
            && self.messages.is_none_or(|most| usage.messages < most)
    }

    /// Whether the mailbox has room for a message of so many octets.
    pub(crate) fn check<F: Fs>(self, fs: &F, home: &F::Dir, octets: u64, names: &Names) -> Result<(), Trouble> {
        if !self.is_set() {
            return Ok(());
        }
        let trouble = failed(What::Quota);
        if let Some(usage) = self.noted(fs, home).map_err(&trouble)?
            && self.has_room(usage, octets)
        {
            return Ok(());
        }
        let usage = count(fs, home).map_err(&trouble)?;
        self.note(fs, home, usage, names).map_err(&trouble)?;
        if self.has_room(usage, octets) { Ok(()) } else { Err(Trouble::Full(self.when_full)) }
    }

    /// Notes one message more. If that fails the file goes, and the next one to look
    /// counts: the message itself is delivered.
    pub(crate) fn add<F: Fs>(self, fs: &F, home: &F::Dir, octets: u64) {
        if !self.is_set() {
            return;
        }
        let noted = fs.append(home, FILE).and_then(|mut file| write_all(fs, &mut file, line(octets, 1).as_bytes()));
        if noted.is_err() {
            let _ = fs.remove(home, FILE);
        }
    }

    /// What the file says, if it is there and is about this quota.
    fn noted<F: Fs>(self, fs: &F, home: &F::Dir) -> io::Result<Option<Usage>> {
        let octets = existing(fs.read(home, FILE, LONGEST + 1))?.unwrap_or_default();
        Ok(self.parsed(&octets))
    }

    fn parsed(self, octets: &[u8]) -> Option<Usage> {
        let text = std::str::from_utf8(octets).ok().filter(|text| text.len() as u64 <= LONGEST)?;
        let mut lines = text.lines();
        if lines.next()? != self.definition() {
            return None;
        }
        let (mut octets, mut messages) = (0_i64, 0_i64);
        for line in lines {
            let (size, count) = line.trim().split_once(' ')?;
            octets = octets.checked_add(size.parse().ok()?)?;
            messages = messages.checked_add(count.trim().parse().ok()?)?;
        }
        Some(Usage { octets: octets.try_into().ok()?, messages: messages.try_into().ok()? })
    }

    /// Puts a new file in the place of the old one.
    fn note<F: Fs>(self, fs: &F, home: &F::Dir, usage: Usage, names: &Names) -> io::Result<()> {
        let (tmp, name) = (fs.open_dir(home, "tmp")?, names.give());
        let mut file = fs.create(&tmp, name.as_str())?;
        let text = format!("{}\n{}", self.definition(), line(usage.octets, usage.messages));
        let placed = write_all(fs, &mut file, text.as_bytes())
            .and_then(|()| existing(fs.remove(home, FILE)))
            .and_then(|_| fs.rename(&tmp, name.as_str(), home, FILE));
        match placed {
            Ok(()) => Ok(()),
            Err(error) => {
                let _ = fs.remove(&tmp, name.as_str());
                // Somebody else has just counted.
                if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) }
            }
        }
    }
}

fn line(octets: u64, messages: u64) -> String {
    format!("{octets} {messages}\n")
}

/// Counts what is there.
fn count<F: Fs>(fs: &F, home: &F::Dir) -> io::Result<Usage> {
    let mut usage = Usage::default();
    count_folder(fs, home, &mut usage)?;
    for entry in fs.list(home)? {
        if entry.is_dir
            && entry.name.starts_with('.')
            && entry.name != ".Trash"
            && let Some(folder) = existing(fs.open_dir(home, &entry.name))?
        {
            count_folder(fs, &folder, &mut usage)?;
        }
    }
    Ok(usage)
}

fn count_folder<F: Fs>(fs: &F, folder: &F::Dir, usage: &mut Usage) -> io::Result<()> {
    for name in ["new", "cur"] {
        let Some(dir) = existing(fs.open_dir(folder, name))? else { continue };
        for entry in fs.list(&dir)? {
            let (base, flags) = entry.name.split_once(":2,").unwrap_or((&entry.name, ""));
            if !entry.is_dir && !flags.contains('T') {
                usage.octets = usage.octets.saturating_add(told_size(base).unwrap_or(entry.size));
                usage.messages += 1;
            }
        }
    }
    Ok(())
}

/// What a name says of its file's size.
fn told_size(base: &str) -> Option<u64> {
    base.split(',').skip(1).find_map(|part| part.strip_prefix("S=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::system_clock;
    use crate::system::System;
    use std::fs;

    #[test]
    fn the_file_is_read_as_others_write_it() {
        let quota = Quota { octets: Some(1000), messages: Some(10), ..Quota::default() };
        assert_eq!(quota.definition(), "1000S,10C");
        let usage = |octets, messages| Some(Usage { octets, messages });
        for (text, expected) in [
            ("1000S,10C\n", usage(0, 0)),
            ("1000S,10C\n700 7\n100 1\n         -300           -3\n", usage(500, 5)),
            ("1000S,10C\n-1 0\n", None),
            ("1000S,10C\nx 1\n", None),
            ("1000S,10C\n1\n", None),
            ("1000S,11C\n1 1\n", None),
            ("", None),
            (&format!("1000S,10C\n{}", "1 1\n".repeat(2000)), None),
        ] {
            assert_eq!(quota.parsed(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn told_sizes() {
        assert_eq!(told_size("1.M2P3.host,S=10,W=11"), Some(10));
        assert_eq!(told_size("1.M2P3.host,W=11,S=7"), Some(7));
        assert_eq!((told_size("1.S=5.host"), told_size("x,S=y")), (None, None));
    }

    #[test]
    fn a_mailbox_is_counted_noted_and_counted_again_when_full() {
        let mailbox = tempfile::tempdir().unwrap();
        let path = |name: &str| mailbox.path().join(name);
        for dir in ["cur", "new", "tmp", ".Sent/cur", ".Sent/new", ".Trash/cur"] {
            fs::create_dir_all(path(dir)).unwrap();
        }
        for (name, size) in
            [("new/a", 10), ("cur/b,S=20:2,S", 1), ("cur/c:2,ST", 500), (".Sent/cur/d", 30), (".Trash/cur/e", 500)]
        {
            fs::write(path(name), "x".repeat(size)).unwrap();
        }
        let quota = Quota { octets: Some(100), messages: Some(5), ..Quota::default() };
        let (home, names) = (System.root(mailbox.path()).unwrap(), Names::new("h", system_clock).unwrap());
        let check = |octets| quota.check(&System, &home, octets, &names).is_ok();

        assert!(check(40) && !check(41));
        assert_eq!(fs::read_to_string(path(FILE)).unwrap(), "100S,5C\n60 3\n");
        quota.add(&System, &home, 40);
        assert_eq!(fs::read_to_string(path(FILE)).unwrap(), "100S,5C\n60 3\n40 1\n");
        // The file says that it is full, the mailbox that it is not.
        assert!(check(40));
        assert_eq!(fs::read_to_string(path(FILE)).unwrap(), "100S,5C\n60 3\n");
        assert_eq!(fs::read_dir(path("tmp")).unwrap().count(), 0);

        let few = Quota { octets: None, messages: Some(3), when_full: WhenFull::Permanent };
        assert!(matches!(few.check(&System, &home, 1, &names), Err(Trouble::Full(WhenFull::Permanent))));
        assert!(Quota::default().check(&System, &home, u64::MAX, &names).is_ok());
    }
}
