//! The loop: it moves octets between a machine and a stream, and knows nothing
//! of LMTP.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::time::{Duration, Instant};

use bytes::Buf;
use lmtp_proto::{Machine, Output};

/// A stream whose reads and writes can be bounded in time.
pub(crate) trait Stream: Read + Write {
    /// Bounds each read from now on.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
    /// Bounds each write from now on.
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
}

impl Stream for socket2::Socket {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_read_timeout(self, timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_write_timeout(self, timeout)
    }
}

/// A machine on a stream.
#[derive(Debug)]
pub(crate) struct Connection<M, S> {
    pub(crate) machine: M,
    pub(crate) stream: S,
    /// The origin of the machine's time.
    origin: Instant,
    /// What the stream said when it failed.
    pub(crate) lost: Option<io::Error>,
}

impl<M: Machine, S: Stream> Connection<M, S> {
    pub(crate) fn new(machine: M, stream: S) -> Self {
        Self { machine, stream, origin: Instant::now(), lost: None }
    }

    /// The machine's next event; `None` when the stream is to be closed.
    /// `watch` sees the machine before each read and write.
    pub(crate) fn next(&mut self, watch: impl Fn(&M)) -> Result<Option<M::Event>, M::Error> {
        loop {
            match self.machine.poll_output(self.now())? {
                Output::Event(event) => return Ok(Some(event)),
                Output::Closed => return Ok(None),
                // A machine without TLS never says so.
                Output::StartTls => self.machine.handle_eof(),
                Output::Transmit => {
                    watch(&self.machine);
                    if let Err(error) = self.write() {
                        if !passes(&error) {
                            // What the peer said before it went explains why it went.
                            let _ = self.read();
                        }
                        self.fail(error);
                    }
                }
                Output::Receive => {
                    watch(&self.machine);
                    match self.read() {
                        Ok(0) => self.machine.handle_eof(),
                        Ok(_) => {}
                        Err(error) => self.fail(error),
                    }
                }
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let timeout = self.time_left()?;
        self.stream.set_write_timeout(timeout)?;
        let queue = self.machine.transmit();
        let mut slices = [IoSlice::new(&[]); 16];
        let count = queue.chunks_vectored(&mut slices);
        match self.stream.write_vectored(&slices[..count])? {
            0 => Err(ErrorKind::WriteZero.into()),
            written => {
                queue.advance(written);
                Ok(())
            }
        }
    }

    fn read(&mut self) -> io::Result<usize> {
        let timeout = self.time_left()?;
        self.stream.set_read_timeout(timeout)?;
        let input = self.machine.input();
        let (filled, room) = (input.len(), input.capacity());
        input.resize(room, 0);
        let result = self.stream.read(&mut input[filled..]);
        input.truncate(filled + *result.as_ref().unwrap_or(&0));
        result
    }

    /// How long the next read or write may take; an error when no time is left.
    fn time_left(&self) -> io::Result<Option<Duration>> {
        let Some(deadline) = self.machine.poll_timeout() else { return Ok(None) };
        match deadline.saturating_since(self.now()) {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            // Less than a microsecond would be rounded to zero, which means for ever.
            left => Ok(Some(left.max(Duration::from_millis(1)))),
        }
    }

    fn fail(&mut self, error: io::Error) {
        if passes(&error) {
            // A signal changes nothing, and a timer that fires a little early is
            // set again: the machine knows its deadline.
            return self.machine.handle_timeout(self.now());
        }
        self.lost = Some(error);
        self.machine.handle_eof();
    }

    fn now(&self) -> lmtp_proto::Instant {
        lmtp_proto::Instant::after_origin(self.origin.elapsed())
    }
}

/// Whether the stream may be used after this error.
fn passes(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests;
