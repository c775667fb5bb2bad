//! The file system of the machine.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use crate::fs::{Entry, Fs, Identity};

/// The file system of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const OWNER_FILE: Mode = Mode::RUSR.union(Mode::WUSR);

impl System {
    /// Opens the directory that a store lies in. This path is the operator's, and
    /// links in it are followed.
    pub fn root(&self, path: &Path) -> io::Result<OwnedFd> {
        Ok(rustix::fs::open(path, DIRECTORY, Mode::empty())?)
    }
}

/// Only what does nothing when it is interrupted is tried again: opening and
/// writing. `fsync` is not.
impl Fs for System {
    type Dir = OwnedFd;
    type File = File;

    fn open_dir(&self, at: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
        let flags = DIRECTORY | OFlags::NOFOLLOW;
        Ok(retry_on_intr(|| rustix::fs::openat(at, name, flags, Mode::empty()))?)
    }

    fn make_dir(&self, at: &OwnedFd, name: &str) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(at, name, Mode::RWXU)?)
    }

    fn identity(&self, dir: &OwnedFd) -> io::Result<Identity> {
        let stat = rustix::fs::fstat(dir)?;
        #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "systems differ in the type")]
        Ok(Identity { device: stat.st_dev as u64, inode: stat.st_ino as u64 })
    }

    fn create(&self, at: &OwnedFd, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(retry_on_intr(|| rustix::fs::openat(at, name, flags, OWNER_FILE))?.into())
    }

    fn append(&self, at: &OwnedFd, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(retry_on_intr(|| rustix::fs::openat(at, name, flags, Mode::empty()))?.into())
    }

    fn write(&self, file: &mut File, octets: &[u8]) -> io::Result<usize> {
        Ok(retry_on_intr(|| rustix::io::write(file.as_fd(), octets))?)
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        Ok(rustix::fs::fsync(file)?)
    }

    fn sync_dir(&self, dir: &OwnedFd) -> io::Result<()> {
        Ok(rustix::fs::fsync(dir)?)
    }

    fn rename(&self, from: &OwnedFd, name: &str, to: &OwnedFd, new: &str) -> io::Result<()> {
        match rename_without_overwrite(from, name, to, new) {
            // A file system without that call has links.
            Err(Errno::INVAL | Errno::NOSYS) => {
                self.link(from, name, to, new)?;
                // The message has its name; one more in tmp does no harm.
                let _ = self.remove(from, name);
                Ok(())
            }
            other => Ok(other?),
        }
    }

    fn link(&self, from: &OwnedFd, name: &str, to: &OwnedFd, new: &str) -> io::Result<()> {
        Ok(rustix::fs::linkat(from, name, to, new, AtFlags::empty())?)
    }

    fn remove(&self, at: &OwnedFd, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(at, name, AtFlags::empty())?)
    }

    fn read(&self, at: &OwnedFd, name: &str, most: u64) -> io::Result<Vec<u8>> {
        // Whatever lies there is not waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file: File = retry_on_intr(|| rustix::fs::openat(at, name, flags, Mode::empty()))?.into();
        let mut octets = Vec::new();
        file.take(most).read_to_end(&mut octets)?;
        Ok(octets)
    }

    fn list(&self, dir: &OwnedFd) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::read_from(dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if matches!(name, "." | "..") {
                continue;
            }
            match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => {
                    let is_dir = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
                    let size = u64::try_from(stat.st_size).unwrap_or_default();
                    entries.push(Entry { name: name.to_owned(), is_dir, size });
                }
                // Somebody has moved it meanwhile.
                Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(entries)
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_without_overwrite(from: &OwnedFd, name: &str, to: &OwnedFd, new: &str) -> Result<(), Errno> {
    rustix::fs::renameat_with(from, name, to, new, rustix::fs::RenameFlags::NOREPLACE)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_without_overwrite(_: &OwnedFd, _: &str, _: &OwnedFd, _: &str) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}
