//! A message on its way through: held until all of it is there, and read as often as it takes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use lmtp_tokio::Incoming;
use lmtp_tokio::proto::bytes::Bytes;
use tokio::task::spawn_blocking;

/// So much of a message is held in memory; when it is more, all of it is in a file without a name.
const MEMORY: usize = 256 * 1024;
/// So much of a file is read at once.
const PIECE: usize = 64 * 1024;

/// The content of a message, lines ended by CRLF.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    pieces: Vec<Bytes>,
    held: usize,
    file: Option<Arc<File>>,
    /// In the file.
    written: u64,
    failed: Option<io::Error>,
}

impl Spool {
    /// Takes the content of a message to its end, whether it can be held or not, and gives its size.
    ///
    /// # Errors
    ///
    /// It has no end.
    pub(crate) async fn fill(&mut self, body: &mut Incoming) -> Result<u64, String> {
        let mut octets = 0;
        while let Some(piece) = body.next().await.map_err(|error| error.to_string())? {
            octets += piece.len() as u64;
            self.push(piece).await;
        }
        self.finish().await;
        Ok(octets)
    }

    /// Moves what is left to the file, if there is one: it is read from one place.
    pub(crate) async fn finish(&mut self) {
        if self.file.is_some() {
            self.write_out().await;
        }
    }

    /// More of it.
    pub(crate) async fn push(&mut self, piece: Bytes) {
        if self.failed.is_some() {
            return;
        }
        self.held += piece.len();
        self.pieces.push(piece);
        let room = if self.file.is_some() { PIECE } else { MEMORY };
        if self.held > room {
            self.write_out().await;
        }
    }

    /// Why it could not be held.
    pub(crate) fn failed(&self) -> Option<&io::Error> {
        self.failed.as_ref()
    }

    /// Octets.
    pub(crate) fn len(&self) -> u64 {
        self.written + self.held as u64
    }

    /// The file, if it is in one, and whole in it.
    pub(crate) fn file(&self) -> Option<&Arc<File>> {
        self.file.as_ref()
    }

    /// What is in memory, in one piece.
    pub(crate) fn in_memory(&self) -> Bytes {
        match &self.pieces[..] {
            [one] => one.clone(),
            pieces => pieces.concat().into(),
        }
    }

    /// What begins there, as much as there is at once; nothing at the end.
    pub(crate) async fn piece(&self, mut at: u64) -> io::Result<Bytes> {
        let Some(file) = &self.file else {
            for piece in &self.pieces {
                match usize::try_from(at) {
                    Ok(at) if at < piece.len() => return Ok(piece.slice(at..)),
                    _ => at -= piece.len() as u64,
                }
            }
            return Ok(Bytes::new());
        };
        let file = Arc::clone(file);
        let read = spawn_blocking(move || {
            let mut room = vec![0; PIECE];
            let count = file.read_at(&mut room, at)?;
            room.truncate(count);
            Ok(room.into())
        });
        read.await.map_err(io::Error::other)?
    }

    /// Moves what is in memory to the file.
    async fn write_out(&mut self) {
        let (pieces, file, mut at) = (std::mem::take(&mut self.pieces), self.file.take(), self.written);
        self.held = 0;
        let written = spawn_blocking(move || {
            let file = file.map_or_else(|| tempfile::tempfile().map(Arc::new), Ok)?;
            for piece in pieces {
                file.write_all_at(&piece, at)?;
                at += piece.len() as u64;
            }
            Ok((file, at))
        });
        match written.await.map_err(io::Error::other).and_then(|result| result) {
            Ok((file, at)) => (self.file, self.written) = (Some(file), at),
            Err(error) => self.failed = Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(spool: &Spool) -> Vec<u8> {
        let mut read = Vec::new();
        loop {
            let piece = spool.piece(read.len() as u64).await.unwrap();
            if piece.is_empty() {
                return read;
            }
            read.extend_from_slice(&piece);
        }
    }

    /// Below and above the size that makes a file, whatever the pieces: twice the same.
    #[tokio::test]
    async fn what_goes_in_comes_out() {
        for (count, size) in [(0, 1), (1, 1), (3, 7), (4, 64 * 1024), (5, 64 * 1024), (40, 30_000), (2, 300_000)] {
            let mut spool = Spool::default();
            let mut expected = Vec::new();
            for number in 0..count {
                let piece = vec![u8::try_from(number % 251).unwrap(); size];
                expected.extend_from_slice(&piece);
                spool.push(piece.into()).await;
            }
            assert_eq!(spool.file().is_some(), count * size > MEMORY, "{count} of {size}");
            spool.finish().await;
            if spool.file().is_none() {
                assert_eq!(spool.in_memory(), expected);
            }
            assert!(read(&spool).await == expected && read(&spool).await == expected, "{count} of {size}");
            assert_eq!(spool.len(), expected.len() as u64);
        }
    }
}
