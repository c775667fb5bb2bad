//! The content of a message as it comes in.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use futures_io::AsyncRead;
use lmtp_proto::server::BodyError;

use crate::channel::Channel;

/// The content of a message, dots undone, as it comes in. Also an
/// [`AsyncRead`], whose error is [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) with
/// the [`BodyError`] in it.
///
/// A fixed number of octets waits for the reader, and then the client has to. A body
/// that is dropped is read to its end for nobody.
#[derive(Debug)]
pub struct Incoming(pub(crate) Arc<Channel>);

impl Incoming {
    /// The next piece of it, never empty; `None` when it was whole.
    ///
    /// # Errors
    ///
    /// It has no end, and what was read of it is void: never is a message shorter
    /// than it was sent.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// The same for those who poll.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        self.0.poll_next(context)
    }

    /// All that has not been read of it, in memory. Its size is bounded by
    /// [`Limits::message_size`](lmtp_proto::Limits::message_size) alone.
    ///
    /// # Errors
    ///
    /// It has no end.
    pub async fn read_all(&mut self) -> Result<Bytes, BodyError> {
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.next().await? else { return Ok(first) };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&second);
        while let Some(octets) = self.next().await? {
            all.extend_from_slice(&octets);
        }
        Ok(all.freeze())
    }
}

impl AsyncRead for Incoming {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        if room.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let octets =
            ready!(self.0.poll_next(context)).map_err(|error| io::Error::new(io::ErrorKind::UnexpectedEof, error))?;
        let Some(mut octets) = octets else { return Poll::Ready(Ok(0)) };
        let count = octets.len().min(room.len());
        octets.copy_to_slice(&mut room[..count]);
        if !octets.is_empty() {
            self.0.put_back(octets);
        }
        Poll::Ready(Ok(count))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.0.stop_reading();
    }
}
