//! A file in `tmp`, until it has its name in `new`.

use std::io;
use std::sync::Arc;

use rustix::io::Errno;

use crate::fs::{Fs, write_all};
use crate::group::{Before, Target};
use crate::lines::{LineEnds, Lines};
use crate::mailbox::{Maildir, failed};
use crate::name::{Name, Names};
use crate::verdict::{Trouble, What};

/// How often a name is tried before somebody must be making them up.
const TRIES: usize = 3;

/// A file in `tmp`, for one recipient, or for several by links.
pub(crate) struct Draft<F: Fs> {
    name: Name,
    pub(crate) file: F::File,
    /// The header above the message, as octets on disk and as on the wire.
    header: (u64, u64),
    /// Whose it will be, the one in whose `tmp` it lies first.
    pub(crate) heirs: Vec<Heir<F>>,
    /// What went wrong with the file, and so for all of them.
    pub(crate) trouble: Option<Trouble>,
}

/// A recipient whose mailbox is open.
pub(crate) struct Heir<F: Fs> {
    /// Its place among the recipients.
    pub(crate) index: usize,
    pub(crate) maildir: Arc<Maildir<F>>,
    /// What went wrong for it alone.
    pub(crate) trouble: Option<Trouble>,
}

/// A message that has its name in `new`, not yet on disk.
pub(crate) struct Placed<F: Fs> {
    pub(crate) index: usize,
    pub(crate) maildir: Arc<Maildir<F>>,
    pub(crate) name: String,
    before: Before,
    pub(crate) synced: io::Result<()>,
}

impl<F: Fs> Draft<F> {
    /// Makes a file in the first heir's `tmp`.
    pub(crate) fn new(fs: &F, names: &Names, heirs: Vec<Heir<F>>) -> Result<Self, (Trouble, Vec<Heir<F>>)> {
        let Some(first) = heirs.first() else { return Err((Trouble::NoMailbox, heirs)) };
        match create(fs, names, &first.maildir.tmp) {
            Ok((name, file)) => Ok(Self { name, file, header: (0, 0), heirs, trouble: None }),
            Err(trouble) => Err((trouble, heirs)),
        }
    }

    /// Writes the header, given with line ends of CRLF.
    pub(crate) fn write_header(&mut self, fs: &F, header: &str, ends: LineEnds) {
        let (mut lines, mut octets) = (Lines::new(ends), Vec::with_capacity(header.len()));
        lines.push(header.as_bytes(), &mut octets);
        self.header = (lines.disk(), lines.wire());
        self.write(fs, &octets);
    }

    pub(crate) fn write(&mut self, fs: &F, octets: &[u8]) {
        self.attempt(What::Write, |file| write_all(fs, file, octets));
    }

    /// Puts the file on disk. Once: if that fails the file is given up.
    pub(crate) fn sync(&mut self, fs: &F) {
        self.attempt(What::SyncFile, |file| fs.sync_file(file));
    }

    fn attempt(&mut self, what: What, attempt: impl FnOnce(&mut F::File) -> io::Result<()>) {
        if self.trouble.is_none() {
            self.trouble = attempt(&mut self.file).map_err(failed(what)).err();
        }
    }

    /// The octets that a message of these takes with its header, as on disk and as on
    /// the wire.
    pub(crate) fn sizes(&self, message: &Lines) -> (u64, u64) {
        let (disk, wire) = self.header;
        (disk + message.disk(), wire + message.wire())
    }

    /// Takes the file out of `tmp`, as far as it can be done.
    pub(crate) fn discard(&self, fs: &F) {
        if let Some(first) = self.heirs.first() {
            let _ = fs.remove(&first.maildir.tmp, self.name.as_str());
        }
    }

    /// Gives the file its name in each heir's `new`; what went wrong stays with the
    /// heir. Whatever happens, nothing is left in `tmp` that can be removed.
    pub(crate) fn place(&mut self, fs: &F, names: &Names, message: &Lines) -> Vec<Placed<F>> {
        let sizes = self.sizes(message);
        let mut placed = Vec::new();
        let is_shared = self.heirs.len() > 1;
        for at in 0..self.heirs.len() {
            let heir = &self.heirs[at];
            if heir.trouble.is_some() {
                continue;
            }
            match self.place_one(fs, names, sizes, heir, is_shared) {
                Ok(done) => placed.push(done),
                Err(trouble) => self.heirs[at].trouble = Some(trouble),
            }
        }
        if is_shared || placed.is_empty() {
            self.discard(fs);
        }
        placed
    }

    fn place_one(
        &self,
        fs: &F,
        names: &Names,
        sizes: (u64, u64),
        heir: &Heir<F>,
        is_shared: bool,
    ) -> Result<Placed<F>, Trouble> {
        let Some(first) = self.heirs.first() else { return Err(Trouble::NoMailbox) };
        let tmp = &first.maildir.tmp;
        let moved = enter(names, &self.name, sizes, heir, |target, name| {
            if is_shared {
                fs.link(tmp, self.name.as_str(), &target.dir, name)
            } else {
                fs.rename(tmp, self.name.as_str(), &target.dir, name)
            }
        });
        match moved {
            Err((error, _)) if is_shared && cannot_link(&error) => self.copy(fs, names, sizes, heir),
            moved => kept(fs, heir, moved),
        }
    }

    /// A file of its own for a heir that cannot have a link.
    fn copy(&self, fs: &F, names: &Names, sizes: (u64, u64), heir: &Heir<F>) -> Result<Placed<F>, Trouble> {
        let Some(first) = self.heirs.first() else { return Err(Trouble::NoMailbox) };
        let octets = fs.read(&first.maildir.tmp, self.name.as_str(), u64::MAX).map_err(failed(What::Write))?;
        let (name, mut file) = create(fs, names, &heir.maildir.tmp)?;
        let written = write_all(fs, &mut file, &octets)
            .map_err(failed(What::Write))
            .and_then(|()| fs.sync_file(&file).map_err(failed(What::SyncFile)));
        let placed = written.and_then(|()| {
            let moved = enter(names, &name, sizes, heir, |target, new| {
                fs.rename(&heir.maildir.tmp, name.as_str(), &target.dir, new)
            });
            kept(fs, heir, moved)
        });
        if placed.is_err() {
            let _ = fs.remove(&heir.maildir.tmp, name.as_str());
        }
        placed
    }
}

impl<F: Fs> Placed<F> {
    /// Puts the name on disk.
    pub(crate) fn sync(&mut self, fs: &F) {
        self.synced = self.maildir.new.sync(fs, self.before);
    }

    /// Takes the message out of the mailbox, as far as it can be done: its sender will
    /// hear that it is not there.
    pub(crate) fn withdraw(&self, fs: &F) {
        let _ = fs.remove(&self.maildir.new.dir, &self.name);
    }
}

/// Makes a file that nobody has, and gives it a name.
fn create<F: Fs>(fs: &F, names: &Names, tmp: &F::Dir) -> Result<(Name, F::File), Trouble> {
    let mut tries = 0;
    loop {
        tries += 1;
        let name = names.give();
        match fs.create(tmp, name.as_str()) {
            Ok(file) => return Ok((name, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < TRIES => {}
            Err(error) => return Err(failed(What::Create)(error)),
        }
    }
}

type Moved<F> = Result<Placed<F>, (io::Error, String)>;

/// Finds a name in `new` that nobody has; the error comes with the last one tried.
fn enter<F: Fs>(
    names: &Names,
    first: &Name,
    (disk, wire): (u64, u64),
    heir: &Heir<F>,
    move_to: impl Fn(&Target<F>, &str) -> io::Result<()>,
) -> Moved<F> {
    let target = &heir.maildir.new;
    let mut name = first.with_sizes(disk, wire);
    let mut tries = 0;
    loop {
        tries += 1;
        let before = target.before();
        match move_to(target, &name) {
            Ok(()) => {
                let maildir = Arc::clone(&heir.maildir);
                return Ok(Placed { index: heir.index, maildir, name, before, synced: Ok(()) });
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < TRIES => {
                name = names.give().with_sizes(disk, wire);
            }
            Err(error) => return Err((error, name)),
        }
    }
}

/// A move that failed may have been done all the same, as over a network. The name
/// is ours unless it was somebody else's before.
fn kept<F: Fs>(fs: &F, heir: &Heir<F>, moved: Moved<F>) -> Result<Placed<F>, Trouble> {
    moved.map_err(|(error, name)| {
        if error.kind() != io::ErrorKind::AlreadyExists {
            let _ = fs.remove(&heir.maildir.new.dir, &name);
        }
        failed(What::Move)(error)
    })
}

/// Whether the file system, or a border between two, is against links.
fn cannot_link(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::XDEV | Errno::MLINK | Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS))
}
