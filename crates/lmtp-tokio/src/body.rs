//! Where a message comes from, with tokio's readers.

use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use lmtp_futures::Body as Inner;
use lmtp_proto::{ContentClass, Fault, LineEndings};
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};

/// A message to be sent: octets in memory, something that can be read twice, or
/// a stream.
///
/// A message in memory or in a file is looked through before anything is sent,
/// so that the server is told its size and kind, and what cannot be sent is
/// found in time. A stream is sent as it is read, in constant memory; say what
/// is known of it with [`with_size`](Self::with_size) and
/// [`with_class`](Self::with_class).
///
/// If reading fails midway, the end of the data is never sent and the
/// connection is closed: no server can take a part for the whole.
#[derive(Debug)]
pub struct Body<'a>(Inner<'a>);

impl<'a> Body<'a> {
    /// A stream, of which nothing is known.
    pub fn reader(reader: impl AsyncRead + Send + 'a) -> Self {
        Self(Inner::reader(Reader::new(reader)))
    }

    /// A file, or whatever else can be read twice: once to look through it, once
    /// to send it.
    pub fn file(file: impl AsyncRead + AsyncSeek + Send + 'a) -> Self {
        Self(Inner::file(Reader::new(file)))
    }

    /// Says how many octets a stream has, line ends counted as CRLF.
    #[must_use]
    pub fn with_size(self, octets: u64) -> Self {
        Self(self.0.with_size(octets))
    }

    /// Says what a stream holds. Anything beyond it ends the sending.
    #[must_use]
    pub fn with_class(self, class: ContentClass) -> Self {
        Self(self.0.with_class(class))
    }

    /// Looks through the message for what cannot be sent, where it can be read
    /// twice. [`Client::deliver`](crate::Client::deliver) does so first of all;
    /// done before, it can save making a connection.
    ///
    /// # Errors
    ///
    /// It holds what cannot be sent to any server, or cannot be read.
    pub async fn look_through(&mut self, endings: LineEndings) -> Result<(), Fault> {
        self.0.look_through(endings).await
    }
}

impl<'a> From<Body<'a>> for Inner<'a> {
    fn from(body: Body<'a>) -> Self {
        body.0
    }
}

/// What a message in memory is made of.
macro_rules! from_memory {
    ($($octets:ty),*) => {$(
        impl From<$octets> for Body<'_> {
            fn from(octets: $octets) -> Self {
                Self(octets.into())
            }
        }
    )*};
}

from_memory!(Bytes, Vec<u8>, String, &str, &[u8]);

/// A reader of tokio as one of `futures-io`.
struct Reader<R> {
    inner: Pin<Box<R>>,
    /// A move to another place has begun.
    seeking: bool,
}

impl<R> Reader<R> {
    fn new(inner: R) -> Self {
        Self { inner: Box::pin(inner), seeking: false }
    }
}

impl<R: AsyncRead> futures_io::AsyncRead for Reader<R> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(room);
        ready!(self.inner.as_mut().poll_read(context, &mut room))?;
        Poll::Ready(Ok(room.filled().len()))
    }
}

impl<R: AsyncSeek> futures_io::AsyncSeek for Reader<R> {
    fn poll_seek(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: SeekFrom) -> Poll<io::Result<u64>> {
        if !self.seeking {
            ready!(self.inner.as_mut().poll_complete(context))?;
            self.inner.as_mut().start_seek(to)?;
            self.seeking = true;
        }
        let place = ready!(self.inner.as_mut().poll_complete(context));
        self.seeking = false;
        Poll::Ready(place)
    }
}
