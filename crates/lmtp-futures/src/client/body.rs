//! Where a message comes from.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_io::{AsyncRead, AsyncSeek};
use lmtp_proto::{Content, ContentClass, Error, Fault, LineEndings, Scan};

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

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
pub struct Body<'a> {
    source: Source<'a>,
    told: Content,
    /// What looking through it has found, for line ends of that kind.
    found: Option<(LineEndings, Content)>,
    /// Where a file stood before it was looked through.
    start: Option<u64>,
    /// What was read of the next chunk.
    chunk: BytesMut,
}

enum Source<'a> {
    Memory(Bytes),
    Twice(Pin<Box<dyn ReadSeek + 'a>>),
    Once(Pin<Box<dyn AsyncRead + Send + 'a>>),
}

trait ReadSeek: AsyncRead + AsyncSeek + Send {}
impl<T: AsyncRead + AsyncSeek + Send> ReadSeek for T {}

impl<'a> Body<'a> {
    /// A stream, of which nothing is known.
    pub fn reader(reader: impl AsyncRead + Send + 'a) -> Self {
        Source::Once(Box::pin(reader)).into()
    }

    /// A file, or whatever else can be read twice: once to look through it, once
    /// to send it.
    pub fn file(file: impl AsyncRead + AsyncSeek + Send + 'a) -> Self {
        Source::Twice(Box::pin(file)).into()
    }

    /// Says how many octets a stream has, line ends counted as CRLF.
    #[must_use]
    pub fn with_size(mut self, octets: u64) -> Self {
        self.told.size = Some(octets);
        self
    }

    /// Says what a stream holds. Anything beyond it ends the sending.
    #[must_use]
    pub fn with_class(mut self, class: ContentClass) -> Self {
        self.told.class = Some(class);
        self
    }

    /// Looks through the message for what cannot be sent, where it can be read
    /// twice. [`Client::deliver`](crate::Client::deliver) does so first of all;
    /// done before, it can save making a connection.
    ///
    /// # Errors
    ///
    /// It holds what cannot be sent to any server, or cannot be read.
    pub async fn look_through(&mut self, endings: LineEndings) -> Result<(), Fault> {
        self.content(endings).await.map(drop)
    }

    /// What is known of the message, after looking through it where that can be
    /// done.
    pub(super) async fn content(&mut self, endings: LineEndings) -> Result<Content, Fault> {
        if let Some((for_these, content)) = self.found
            && for_these == endings
        {
            return Ok(content);
        }
        let content = match &mut self.source {
            Source::Memory(octets) => Content::of(octets, endings).map_err(Error::Content)?,
            Source::Once(_) => self.told,
            Source::Twice(file) => {
                // One that was looked through half way begins again.
                let start = match self.start {
                    Some(start) => seek(file, SeekFrom::Start(start)).await,
                    None => seek(file, SeekFrom::Current(0)).await,
                };
                let start = start.map_err(unreadable)?;
                (self.start, self.chunk) = (Some(start), BytesMut::new());
                let mut scan = Scan::new(endings);
                loop {
                    let chunk = self.next_chunk().await.map_err(unreadable)?;
                    if chunk.is_empty() {
                        break;
                    }
                    scan.push(&chunk).map_err(Error::Content)?;
                }
                if let Source::Twice(file) = &mut self.source {
                    seek(file, SeekFrom::Start(start)).await.map_err(unreadable)?;
                }
                scan.finish().map_err(Error::Content)?
            }
        };
        self.found = Some((endings, content));
        Ok(content)
    }

    async fn next_chunk(&mut self) -> io::Result<Bytes> {
        poll_fn(|context| self.poll_chunk(context)).await
    }

    /// The next part, empty at the end. A full chunk, unless the end comes first:
    /// small ones would each hold on to the memory of a full one.
    pub(super) fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let mut reader: Pin<&mut dyn AsyncRead> = match &mut self.source {
            Source::Memory(octets) => return Poll::Ready(Ok(std::mem::take(octets))),
            Source::Twice(file) => file.as_mut(),
            Source::Once(reader) => reader.as_mut(),
        };
        let mut filled = self.chunk.len();
        let result = loop {
            self.chunk.resize(CHUNK, 0);
            match reader.as_mut().poll_read(context, &mut self.chunk[filled..]) {
                Poll::Ready(Ok(count @ 1..)) if filled + count < CHUNK => filled += count,
                Poll::Ready(Ok(count)) => {
                    filled += count;
                    break Poll::Ready(Ok(()));
                }
                Poll::Ready(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.chunk.truncate(filled);
        ready!(result)?;
        Poll::Ready(Ok(std::mem::take(&mut self.chunk).freeze()))
    }
}

async fn seek(file: &mut Pin<Box<dyn ReadSeek + '_>>, to: SeekFrom) -> io::Result<u64> {
    poll_fn(|context| file.as_mut().poll_seek(context, to)).await
}

/// The message cannot be read, for this reason.
pub(super) fn unreadable(error: io::Error) -> Fault {
    Fault::from(Error::BodyFailed).because(&error).with_source(error)
}

impl<'a> From<Source<'a>> for Body<'a> {
    fn from(source: Source<'a>) -> Self {
        Self { source, told: Content::UNKNOWN, found: None, start: None, chunk: BytesMut::new() }
    }
}

impl From<Bytes> for Body<'_> {
    fn from(octets: Bytes) -> Self {
        Source::Memory(octets).into()
    }
}

impl From<Vec<u8>> for Body<'_> {
    fn from(octets: Vec<u8>) -> Self {
        Bytes::from(octets).into()
    }
}

impl From<String> for Body<'_> {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

/// Copies the text.
impl From<&str> for Body<'_> {
    fn from(text: &str) -> Self {
        Bytes::copy_from_slice(text.as_bytes()).into()
    }
}

/// Copies the octets.
impl From<&[u8]> for Body<'_> {
    fn from(octets: &[u8]) -> Self {
        Bytes::copy_from_slice(octets).into()
    }
}

/// Not the message: it is somebody's letter.
impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.source {
            Source::Memory(octets) => format!("{} octets in memory", octets.len()),
            Source::Twice(_) => "a file".into(),
            Source::Once(_) => "a stream".into(),
        };
        f.debug_struct("Body").field("source", &source).field("told", &self.told).finish_non_exhaustive()
    }
}
