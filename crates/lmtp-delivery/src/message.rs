//! The message, which several targets may be sent.

use std::fs::File;
use std::io::{self, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use lmtp_tokio::Body;
use lmtp_tokio::proto::bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tokio::task::{JoinHandle, spawn_blocking};

/// So much of a file is read at once.
const PIECE: usize = 64 * 1024;

/// A message that can be read as often as there are transactions for it, by several at
/// once: octets, or a file.
#[derive(Debug, Clone)]
pub struct Message(Source);

#[derive(Debug, Clone)]
enum Source {
    Memory(Bytes),
    File(Arc<File>),
}

impl Message {
    /// All of that file, from its beginning, wherever it stands. Its place is neither used
    /// nor moved.
    pub fn file(file: File) -> Self {
        Self(Source::File(Arc::new(file)))
    }

    pub(crate) fn body(&self) -> Body<'static> {
        match &self.0 {
            Source::Memory(octets) => octets.clone().into(),
            Source::File(file) => Body::file(Reader::new(Arc::clone(file))),
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

/// A reader with a place of its own: others read the same file, and one that was given up amid a read may still be
/// at it.
#[derive(Debug)]
struct Reader {
    file: Arc<File>,
    /// Where the next piece begins.
    at: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    piece: Bytes,
}

impl Reader {
    fn new(file: Arc<File>) -> Self {
        Self { file, at: 0, reading: None, piece: Bytes::new() }
    }
}

impl AsyncRead for Reader {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.piece.is_empty() {
            let (file, at) = (Arc::clone(&self.file), self.at);
            let reading = self.reading.get_or_insert_with(|| {
                spawn_blocking(move || {
                    let mut piece = vec![0; PIECE];
                    let count = file.read_at(&mut piece, at)?;
                    piece.truncate(count);
                    Ok(piece.into())
                })
            });
            let read = ready!(Pin::new(reading).poll(context));
            self.reading = None;
            self.piece = read.map_err(io::Error::other)??;
            self.at += self.piece.len() as u64;
        }
        let count = self.piece.len().min(room.remaining());
        room.put_slice(&self.piece[..count]);
        self.piece.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for Reader {
    fn start_seek(mut self: Pin<&mut Self>, place: SeekFrom) -> io::Result<()> {
        let here = self.at - self.piece.len() as u64;
        let at = match place {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => here.checked_add_signed(by),
            SeekFrom::End(by) => self.file.metadata()?.len().checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        // A read that is under way is at its own place, and nobody hears of it.
        (self.reading, self.piece) = (None, Bytes::new());
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.at - self.piece.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

    /// One that is given up amid a read, and others beside it: each reads all of the file.
    #[tokio::test]
    async fn readers_do_not_move_each_other() {
        let mut file = tempfile::tempfile().unwrap();
        let text: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        file.write_all(&text).unwrap();
        let file = Arc::new(file);
        let mut tasks = Vec::new();
        for number in 0..8 {
            let file = Arc::clone(&file);
            tasks.push(tokio::spawn(async move {
                let mut given_up = Reader::new(Arc::clone(&file));
                // As much as comes, once: a read is under way when it goes.
                let mut room = vec![0; 100 * number];
                let _ =
                    tokio::time::timeout(std::time::Duration::from_micros(10), given_up.read_exact(&mut room)).await;
                drop(given_up);
                let (mut reader, mut all) = (Reader::new(file), Vec::new());
                reader.read_exact(&mut vec![0; 70_000]).await.unwrap();
                reader.rewind().await.unwrap();
                reader.read_to_end(&mut all).await.unwrap();
                all
            }));
        }
        for task in tasks {
            assert!(task.await.unwrap() == text);
        }
    }

    #[tokio::test]
    async fn a_seek_is_from_where_it_reads() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let mut reader = Reader::new(Arc::new(file));
        let mut two = [0; 2];
        reader.read_exact(&mut two).await.unwrap();
        assert_eq!(reader.seek(SeekFrom::Current(3)).await.unwrap(), 5);
        reader.read_exact(&mut two).await.unwrap();
        assert_eq!((&two, reader.seek(SeekFrom::End(-1)).await.unwrap()), (b"56", 9));
        reader.seek(SeekFrom::Current(-10)).await.unwrap_err();
    }
}
