//! A Unix socket in a temporary directory of its own.

use std::fs::{self, DirBuilder};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use lmtp_blocking::Endpoint;
use lmtp_blocking::proto::value::InvalidEndpoint;

/// A place for a socket that nobody else can reach; removed when dropped.
#[derive(Debug)]
pub(super) struct Socket {
    directory: PathBuf,
}

impl Socket {
    pub(super) fn new() -> io::Result<Self> {
        // What is made here did not exist before, so it is nobody else's.
        let random = RandomState::new().build_hasher().finish();
        let directory = std::env::temp_dir().join(format!("lmtp-demo-{random:x}"));
        DirBuilder::new().mode(0o700).create(&directory)?;
        Ok(Self { directory })
    }

    fn path(&self) -> PathBuf {
        self.directory.join("lmtp")
    }

    pub(super) fn listener(&self) -> io::Result<UnixListener> {
        UnixListener::bind(self.path())
    }

    pub(super) fn endpoint(&self) -> Result<Endpoint, InvalidEndpoint> {
        Endpoint::unix(&self.path().to_string_lossy())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}
