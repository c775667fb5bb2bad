//! Streams for the readers and loops of every runtime: a faulty connection to a server
//! in memory, and a message that is as long as one likes.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use lmtp_proto::server::Config;
use lmtp_testkit::served::Served;

/// What is wrong with a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faults {
    /// So many octets go at a time, either way.
    pub(crate) piece: usize,
    /// What happens to what the server says, behind so many octets.
    pub(crate) end: Option<(usize, End)>,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The server's half is closed; what is written is still heard.
    Half,
    /// Reads and writes fail.
    Reset,
    /// Nothing can be written any more, and what the server has said can be read.
    WriteFails,
}

/// The connection, as both sides see it.
pub(crate) struct Line {
    pub(crate) served: Served,
    faults: Faults,
    /// How much of what the server said has been read.
    pub(crate) read: usize,
}

/// A connection to a server in memory, whose every other read and write has to be
/// waited for.
pub(crate) struct Faulty {
    line: Arc<Mutex<Line>>,
    reads_at_once: bool,
    writes_at_once: bool,
}

impl Faulty {
    pub(crate) fn new(faults: Faults) -> (Self, Arc<Mutex<Line>>) {
        let mut served = Served::new(Config::default());
        served.run();
        let line = Arc::new(Mutex::new(Line { served, faults, read: 0 }));
        (Self { line: Arc::clone(&line), reads_at_once: false, writes_at_once: false }, line)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap()
    }

    fn read(&mut self, context: &Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        if !std::mem::replace(&mut self.reads_at_once, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut line = self.line();
        let (from, most) = (line.read, room.len().min(line.faults.piece));
        let most_said = match line.faults.end {
            Some((place, End::Half | End::Reset)) => place,
            _ => usize::MAX,
        };
        let there = line.served.sent.len().min(most_said);
        let count = most.min(there - from);
        match line.ended() {
            Some(End::Reset) => return Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
            Some(End::Half | End::WriteFails) if count == 0 => return Poll::Ready(Ok(0)),
            _ if count == 0 && line.served.is_over => return Poll::Ready(Ok(0)),
            // The server waits for us.
            _ if count == 0 => return Poll::Pending,
            _ => {}
        }
        room[..count].copy_from_slice(&line.served.sent[from..from + count]);
        line.read += count;
        drop(line);
        self.reads_at_once = false;
        Poll::Ready(Ok(count))
    }

    fn write(&mut self, context: &Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        if !std::mem::replace(&mut self.writes_at_once, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.writes_at_once = false;
        let mut line = self.line();
        match line.ended() {
            Some(End::Reset | End::WriteFails) => return Poll::Ready(Err(ErrorKind::BrokenPipe.into())),
            _ if line.served.is_over => return Poll::Ready(Err(ErrorKind::BrokenPipe.into())),
            _ => {}
        }
        let count = octets.len().min(line.faults.piece);
        line.served.hear(&octets[..count]);
        Poll::Ready(Ok(count))
    }
}

impl Line {
    /// How it has ended, once so much was read.
    fn ended(&self) -> Option<End> {
        self.faults.end.filter(|(place, _)| self.read >= *place).map(|(_, end)| end)
    }

    /// What the client has read.
    pub(crate) fn heard(&self) -> &str {
        std::str::from_utf8(&self.served.sent[..self.read]).unwrap()
    }
}

impl tokio::io::AsyncRead for Faulty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut piece = vec![0; room.remaining().min(4096)];
        self.read(context, &mut piece).map_ok(|count| room.put_slice(&piece[..count]))
    }
}

impl tokio::io::AsyncWrite for Faulty {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.write(context, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl smol::io::AsyncRead for Faulty {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        self.read(context, room)
    }
}

impl smol::io::AsyncWrite for Faulty {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.write(context, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

const LINE: &[u8] = b"The quick brown fox jumps over the lazy dog, and does it over and over.\r\n";

/// Mail of so many lines, never in memory as a whole.
pub(crate) struct Mail {
    octets: u64,
    left: u64,
}

impl Mail {
    /// At least so many octets, in whole lines.
    pub(crate) fn new(octets: u64) -> Self {
        let octets = octets.next_multiple_of(LINE.len() as u64);
        Self { octets, left: octets }
    }

    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }
}

impl io::Read for Mail {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = room.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let mut at = usize::try_from((self.octets - self.left) % LINE.len() as u64).unwrap();
        let mut rest = &mut room[..count];
        while !rest.is_empty() {
            let (now, after) = rest.split_at_mut(rest.len().min(LINE.len() - at));
            now.copy_from_slice(&LINE[at..at + now.len()]);
            (at, rest) = (0, after);
        }
        self.left -= count as u64;
        Ok(count)
    }
}

impl tokio::io::AsyncRead for Mail {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        room: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = io::Read::read(&mut *self, room.initialize_unfilled())?;
        room.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl smol::io::AsyncRead for Mail {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(io::Read::read(&mut *self, room))
    }
}
