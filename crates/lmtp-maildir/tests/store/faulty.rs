//! A file system whose n-th call fails.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use lmtp_maildir::fs::{Entry, Fs, Identity};

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The n-th call fails with that error.
    Once(i32),
    /// The n-th call and all behind it.
    FromThen(i32),
    /// The n-th call, if it writes, takes half of the octets.
    Short,
    /// The n-th call, if it writes, takes none.
    Nothing,
}

/// What was asked so far.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub(crate) count: usize,
    by_name: BTreeMap<&'static str, usize>,
    /// The one that met the fault.
    pub(crate) failed: Option<&'static str>,
}

impl Calls {
    pub(crate) fn of(&self, name: &str) -> usize {
        self.by_name.get(name).copied().unwrap_or(0)
    }
}

/// Another file system, with a fault in it.
#[derive(Clone)]
pub(crate) struct Faulty<F> {
    inner: F,
    at: usize,
    fault: Fault,
    calls: Arc<Mutex<Calls>>,
}

impl<F: Fs> Faulty<F> {
    /// With a fault at the call of that number, from 0.
    pub(crate) fn new(inner: F, at: usize, fault: Fault) -> Self {
        Self { inner, at, fault, calls: Arc::default() }
    }

    pub(crate) fn calls(&self) -> std::sync::MutexGuard<'_, Calls> {
        self.calls.lock().unwrap()
    }

    /// Counts a call; whether it is the one.
    fn call(&self, name: &'static str) -> io::Result<bool> {
        let mut calls = self.calls();
        let number = calls.count;
        calls.count += 1;
        *calls.by_name.entry(name).or_default() += 1;
        let errno = match self.fault {
            Fault::Once(errno) if number == self.at => errno,
            Fault::FromThen(errno) if number >= self.at => errno,
            Fault::Short | Fault::Nothing if number == self.at && name == "write" => {
                calls.failed = Some(name);
                return Ok(true);
            }
            _ => return Ok(false),
        };
        calls.failed.get_or_insert(name);
        Err(io::Error::from_raw_os_error(errno))
    }
}

impl<F: Fs> Fs for Faulty<F> {
    type Dir = F::Dir;
    type File = F::File;

    fn open_dir(&self, at: &F::Dir, name: &str) -> io::Result<F::Dir> {
        self.call("open_dir")?;
        self.inner.open_dir(at, name)
    }

    fn make_dir(&self, at: &F::Dir, name: &str) -> io::Result<()> {
        self.call("make_dir")?;
        self.inner.make_dir(at, name)
    }

    fn identity(&self, dir: &F::Dir) -> io::Result<Identity> {
        self.call("identity")?;
        self.inner.identity(dir)
    }

    fn create(&self, at: &F::Dir, name: &str) -> io::Result<F::File> {
        self.call("create")?;
        self.inner.create(at, name)
    }

    fn append(&self, at: &F::Dir, name: &str) -> io::Result<F::File> {
        self.call("append")?;
        self.inner.append(at, name)
    }

    fn write(&self, file: &mut F::File, octets: &[u8]) -> io::Result<usize> {
        match self.call("write")? {
            true if self.fault == Fault::Nothing => Ok(0),
            true => self.inner.write(file, &octets[..octets.len().div_ceil(2)]),
            false => self.inner.write(file, octets),
        }
    }

    fn sync_file(&self, file: &F::File) -> io::Result<()> {
        self.call("sync_file")?;
        self.inner.sync_file(file)
    }

    fn sync_dir(&self, dir: &F::Dir) -> io::Result<()> {
        self.call("sync_dir")?;
        self.inner.sync_dir(dir)
    }

    fn rename(&self, from: &F::Dir, name: &str, to: &F::Dir, new: &str) -> io::Result<()> {
        self.call("rename")?;
        self.inner.rename(from, name, to, new)
    }

    fn link(&self, from: &F::Dir, name: &str, to: &F::Dir, new: &str) -> io::Result<()> {
        self.call("link")?;
        self.inner.link(from, name, to, new)
    }

    fn remove(&self, at: &F::Dir, name: &str) -> io::Result<()> {
        self.call("remove")?;
        self.inner.remove(at, name)
    }

    fn read(&self, at: &F::Dir, name: &str, most: u64) -> io::Result<Vec<u8>> {
        self.call("read")?;
        self.inner.read(at, name, most)
    }

    fn list(&self, dir: &F::Dir) -> io::Result<Vec<Entry>> {
        self.call("list")?;
        self.inner.list(dir)
    }
}
