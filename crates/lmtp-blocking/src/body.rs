//! Where a message comes from.

use std::fmt;
use std::io::{self, ErrorKind, Read, Seek};

use bytes::{Bytes, BytesMut};
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
}

enum Source<'a> {
    Memory(Bytes),
    Twice(Box<dyn ReadSeek + 'a>),
    Once(Box<dyn Read + 'a>),
}

trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

impl<'a> Body<'a> {
    /// A stream, of which nothing is known.
    pub fn reader(reader: impl Read + 'a) -> Self {
        Self { source: Source::Once(Box::new(reader)), told: Content::UNKNOWN, found: None }
    }

    /// A file, or whatever else can be read twice: once to look through it, once
    /// to send it.
    pub fn file(file: impl Read + Seek + 'a) -> Self {
        Self { source: Source::Twice(Box::new(file)), told: Content::UNKNOWN, found: None }
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
    pub fn look_through(&mut self, endings: LineEndings) -> Result<(), Fault> {
        self.content(endings).map(drop)
    }

    /// What is known of the message, after looking through it where that can be
    /// done.
    pub(crate) fn content(&mut self, endings: LineEndings) -> Result<Content, Fault> {
        if let Some((for_these, content)) = self.found
            && for_these == endings
        {
            return Ok(content);
        }
        let content = match &mut self.source {
            Source::Memory(octets) => Content::of(octets, endings).map_err(Error::Content)?,
            Source::Twice(file) => scan(file, endings)?,
            Source::Once(_) => self.told,
        };
        self.found = Some((endings, content));
        Ok(content)
    }

    /// The next part, empty at the end.
    pub(crate) fn next_chunk(&mut self) -> io::Result<Bytes> {
        match &mut self.source {
            Source::Memory(octets) => Ok(octets.split_to(octets.len())),
            Source::Twice(file) => read_chunk(file),
            Source::Once(reader) => read_chunk(reader),
        }
    }
}

/// A full chunk, unless the end comes first: small ones would each hold on to
/// the memory of a full one.
fn read_chunk(reader: &mut (impl Read + ?Sized)) -> io::Result<Bytes> {
    let mut chunk = BytesMut::zeroed(CHUNK);
    let mut filled = 0;
    while filled < CHUNK {
        match reader.read(&mut chunk[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    chunk.truncate(filled);
    Ok(chunk.freeze())
}

/// What a file holds, from where it stands; it stands there again afterwards.
fn scan(file: &mut (impl ReadSeek + ?Sized), endings: LineEndings) -> Result<Content, Fault> {
    let start = file.stream_position().map_err(unreadable)?;
    let mut scan = Scan::new(endings);
    let mut buffer = vec![0; CHUNK];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => scan.push(&buffer[..count]).map_err(Error::Content)?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    file.seek(io::SeekFrom::Start(start)).map_err(unreadable)?;
    Ok(scan.finish().map_err(Error::Content)?)
}

/// The message cannot be read, for this reason.
pub(crate) fn unreadable(error: io::Error) -> Fault {
    Fault::from(Error::BodyFailed).because(&error).with_source(error)
}

impl From<Bytes> for Body<'_> {
    fn from(octets: Bytes) -> Self {
        Self { source: Source::Memory(octets), told: Content::UNKNOWN, found: None }
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
        f.debug_struct("Body").field("source", &source).field("told", &self.told).finish()
    }
}
