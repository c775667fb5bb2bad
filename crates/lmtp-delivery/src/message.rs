//! The message, which several targets may be sent.

use std::fs::File;
use std::io::{self, Seek as _};
use std::sync::Arc;

use lmtp_tokio::Body;
use lmtp_tokio::proto::bytes::Bytes;

/// A message that can be read as often as there are transactions for it: octets, or a
/// file.
#[derive(Debug, Clone)]
pub struct Message(Source);

#[derive(Debug, Clone)]
enum Source {
    Memory(Bytes),
    File(Arc<File>),
}

impl Message {
    /// All of that file, from its beginning, wherever it stands. Nobody else may read it
    /// meanwhile: its place is shared.
    pub fn file(file: File) -> Self {
        Self(Source::File(Arc::new(file)))
    }

    /// Whether two targets may be sent it at once.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.0, Source::Memory(_))
    }

    pub(crate) fn body(&self) -> io::Result<Body<'static>> {
        match &self.0 {
            Source::Memory(octets) => Ok(octets.clone().into()),
            Source::File(file) => {
                let mut file = file.try_clone()?;
                file.rewind()?;
                Ok(Body::file(tokio::fs::File::from_std(file)))
            }
        }
    }
}

/// What a message in memory is made of.
macro_rules! from_memory {
    ($($octets:ty),*) => {$(
        impl From<$octets> for Message {
            fn from(octets: $octets) -> Self {
                Self(Source::Memory(octets.into()))
            }
        }
    )*};
}

from_memory!(Bytes, Vec<u8>, String);

impl From<&str> for Message {
    fn from(octets: &str) -> Self {
        octets.to_owned().into()
    }
}

impl From<&[u8]> for Message {
    fn from(octets: &[u8]) -> Self {
        octets.to_vec().into()
    }
}
