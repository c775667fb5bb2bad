//! A temporary directory: a socket, and two mailboxes.

use std::fs::{self, DirBuilder};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use lmtp_blocking::Endpoint;
use lmtp_blocking::proto::value::InvalidEndpoint;

/// A place that nobody else can reach; removed when dropped.
#[derive(Debug)]
pub(super) struct Place {
    directory: PathBuf,
}

impl Place {
    pub(super) fn new() -> io::Result<Self> {
        // What is made here did not exist before, so it is nobody else's.
        let random = RandomState::new().build_hasher().finish();
        let directory = std::env::temp_dir().join(format!("lmtp-demo-{random:x}"));
        DirBuilder::new().mode(0o700).create(&directory)?;
        Ok(Self { directory })
    }

    /// What is in it has to be made.
    pub(super) fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.directory.join(path)
    }

    pub(super) fn endpoint(&self) -> Result<Endpoint, InvalidEndpoint> {
        Endpoint::unix(&self.join("lmtp").to_string_lossy())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}
