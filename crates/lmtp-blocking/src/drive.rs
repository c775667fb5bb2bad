//! The loop: it moves octets between a machine and a stream, and knows nothing
//! of LMTP.

use std::io::{self, ErrorKind, IoSlice, Read};
use std::time::{Duration, Instant};

use bytes::Buf;
use lmtp_proto::{Machine, Output};

/// A stream whose reads and writes can be bounded in time.
pub(crate) trait Stream: Read {
    /// Writes some of these octets.
    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Bounds each read from now on.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
    /// Bounds each write from now on.
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
    /// Whether reads wait at all.
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()>;
}

/// A peer that has gone is an error, not a signal that ends the process.
#[cfg(all(unix, not(target_vendor = "apple")))]
const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL;
/// Elsewhere the socket itself is told, or there is no such signal.
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
const SEND_FLAGS: i32 = 0;

impl Stream for socket2::Socket {
    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send_vectored_with_flags(slices, SEND_FLAGS)
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        Self::set_nonblocking(self, nonblocking)
    }

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
                // A client never waits for its application.
                Output::Closed | Output::Wait => return Ok(None),
                // A machine without TLS never says so.
                Output::StartTls => self.machine.handle_eof(),
                Output::Transmit => {
                    watch(&self.machine);
                    match self.write() {
                        Ok(()) => {}
                        Err(error) if passes(&error) => self.look_once_more(),
                        Err(error) => {
                            self.lost = Some(error);
                            self.machine.handle_write_closed();
                        }
                    }
                }
                Output::Receive => {
                    watch(&self.machine);
                    match self.read() {
                        Err(error) if passes(&error) => self.look_once_more(),
                        result => self.took(result),
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
        match self.stream.send(&slices[..count])? {
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
        self.read_into_machine()
    }

    fn read_into_machine(&mut self) -> io::Result<usize> {
        let input = self.machine.input();
        let (filled, room) = (input.len(), input.capacity());
        input.resize(room, 0);
        let result = self.stream.read(&mut input[filled..]);
        input.truncate(filled + *result.as_ref().unwrap_or(&0));
        result
    }

    /// The time may be up, or a signal came. What is there already is read, and
    /// only where there is nothing the machine looks at its deadline.
    fn look_once_more(&mut self) {
        let looked = self.stream.set_nonblocking(true).and_then(|()| self.read_into_machine());
        let restored = self.stream.set_nonblocking(false);
        match (looked, restored) {
            (Err(error), Ok(())) if passes(&error) => self.machine.handle_timeout(self.now()),
            (looked, Ok(())) => self.took(looked),
            (_, Err(error)) => self.took(Err(error)),
        }
    }

    /// What a read came to.
    fn took(&mut self, result: io::Result<usize>) {
        match result {
            Ok(1..) => {}
            Ok(0) => self.machine.handle_eof(),
            Err(error) => {
                self.lost.get_or_insert(error);
                self.machine.handle_eof();
            }
        }
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
