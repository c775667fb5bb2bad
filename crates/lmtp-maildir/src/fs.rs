//! What a store asks of a file system: few calls, so that a test can fail each of them.

use std::io;

/// Which directory a handle stands for, however it was reached: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The file system. Files can be linked within one only.
    pub device: u64,
    /// The directory in it.
    pub inode: u64,
}

/// One thing in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name; what is not UTF-8 is none of ours and left out.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Octets of a file; of anything else it means nothing.
    pub size: u64,
}

/// A file system, as a store sees it: things are named by an open directory and a
/// single component, so that no path is walked and no link is followed.
///
/// [`System`](crate::System) is the real one. Errors are told as the system tells
/// them, by their number: it decides the verdict.
pub trait Fs: Send + Sync + 'static {
    /// An open directory.
    type Dir: Send + Sync + 'static;
    /// An open file that is written to.
    type File: Send + 'static;

    /// Opens the directory `name`, and nothing else: a link of that name is an
    /// error.
    fn open_dir(&self, at: &Self::Dir, name: &str) -> io::Result<Self::Dir>;

    /// Makes a directory that only its owner may enter.
    fn make_dir(&self, at: &Self::Dir, name: &str) -> io::Result<()>;

    /// Which directory that is.
    fn identity(&self, dir: &Self::Dir) -> io::Result<Identity>;

    /// Makes a file that only its owner may read. If there is anything of that
    /// name it is an error (`O_EXCL`).
    fn create(&self, at: &Self::Dir, name: &str) -> io::Result<Self::File>;

    /// Opens a file that is there, to write behind what it holds.
    fn append(&self, at: &Self::Dir, name: &str) -> io::Result<Self::File>;

    /// Writes some octets, at least one unless there are none; how many.
    fn write(&self, file: &mut Self::File, octets: &[u8]) -> io::Result<usize>;

    /// Makes what was written to the file outlast a power failure. After an error
    /// nobody can tell what is on disk, so that it is called once (`fsync`).
    fn sync_file(&self, file: &Self::File) -> io::Result<()>;

    /// Makes the names in a directory outlast a power failure; as
    /// [`sync_file`](Self::sync_file).
    fn sync_dir(&self, dir: &Self::Dir) -> io::Result<()>;

    /// Gives a file another name, in one step. If there is anything of that name
    /// it is an error ([`AlreadyExists`](io::ErrorKind::AlreadyExists)).
    fn rename(&self, from: &Self::Dir, name: &str, to: &Self::Dir, new: &str) -> io::Result<()>;

    /// Gives a file one name more. If there is anything of that name it is an
    /// error ([`AlreadyExists`](io::ErrorKind::AlreadyExists)).
    fn link(&self, from: &Self::Dir, name: &str, to: &Self::Dir, new: &str) -> io::Result<()>;

    /// Takes a name away from a file.
    fn remove(&self, at: &Self::Dir, name: &str) -> io::Result<()>;

    /// The first `most` octets of a file.
    fn read(&self, at: &Self::Dir, name: &str, most: u64) -> io::Result<Vec<u8>>;

    /// What is in a directory.
    fn list(&self, dir: &Self::Dir) -> io::Result<Vec<Entry>>;
}

/// Writes all of it. A file system that takes nothing and says no error is at
/// fault.
pub(crate) fn write_all<F: Fs>(fs: &F, file: &mut F::File, mut octets: &[u8]) -> io::Result<()> {
    while !octets.is_empty() {
        let written = fs.write(file, octets)?;
        octets = octets.get(written..).filter(|_| written > 0).ok_or(io::ErrorKind::WriteZero)?;
    }
    Ok(())
}
