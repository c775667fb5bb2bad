//! The loop: it moves octets between a machine and a stream, and knows nothing
//! of LMTP.

use std::io::{self, ErrorKind, IoSlice};
use std::mem;
use std::time::{Duration, Instant};

use bytes::Buf;
use lmtp_proto::{Machine, Output};

use crate::socket::Stream;

/// No read or write waits longer at a time. So the time-out of the socket is set
/// once, and not before each of them: deadlines are mostly farther off.
pub(crate) const TICK: Duration = Duration::from_secs(1);
/// The shortest wait that a socket can be told.
const SHORTEST: Duration = Duration::from_millis(1);

/// A machine on a stream.
#[derive(Debug)]
pub(crate) struct Connection<M, S> {
    pub(crate) machine: M,
    pub(crate) stream: S,
    /// The origin of the machine's time.
    origin: Instant,
    /// The time-outs that the stream has.
    read_bound: Duration,
    write_bound: Duration,
    /// What the stream said when it failed.
    pub(crate) lost: Option<io::Error>,
}

/// What came of driving a machine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<E> {
    /// It has something to tell.
    Event(E),
    /// Nothing has come for a while, or the application has the word.
    Quiet,
    /// The stream is to be closed.
    Closed,
}

impl<M: Machine, S: Stream> Connection<M, S> {
    pub(crate) fn new(machine: M, stream: S) -> Self {
        Self {
            machine,
            stream,
            origin: Instant::now(),
            read_bound: Duration::ZERO,
            write_bound: Duration::ZERO,
            lost: None,
        }
    }

    /// Does what the machine asks until there is something to tell. `watch` sees
    /// the machine before each read and write.
    pub(crate) fn next(&mut self, watch: impl Fn(&M)) -> Result<Next<M::Event>, M::Error> {
        self.go_on(true, watch)
    }

    /// The same without reading: what is to be written is written.
    pub(crate) fn flush(&mut self) -> Result<Next<M::Event>, M::Error> {
        self.go_on(false, |_| {})
    }

    fn go_on(&mut self, reads: bool, watch: impl Fn(&M)) -> Result<Next<M::Event>, M::Error> {
        loop {
            match self.machine.poll_output(self.now())? {
                Output::Event(event) => return Ok(Next::Event(event)),
                Output::Closed => return Ok(Next::Closed),
                Output::Wait => return Ok(Next::Quiet),
                Output::Receive if !reads => return Ok(Next::Quiet),
                // A machine without TLS never says so.
                Output::StartTls => self.machine.handle_eof(),
                Output::Transmit => {
                    watch(&self.machine);
                    self.write();
                }
                Output::Receive => {
                    watch(&self.machine);
                    if !self.read() {
                        return Ok(Next::Quiet);
                    }
                }
            }
        }
    }

    fn write(&mut self) {
        match self.try_write() {
            Ok(()) => {}
            Err(error) if passes(&error) => _ = self.look_once_more(),
            Err(error) => {
                self.lost = Some(error);
                self.machine.handle_write_closed();
            }
        }
    }

    /// Where no time is left, what can be written at once is.
    fn try_write(&mut self) -> io::Result<()> {
        let bound = self.time_left().ok();
        if let Some(bound) = bound
            && mem::replace(&mut self.write_bound, bound) != bound
        {
            self.stream.set_write_timeout(bound)?;
        }
        let queue = self.machine.transmit();
        let mut slices = [IoSlice::new(&[]); 16];
        let count = queue.chunks_vectored(&mut slices);
        let send = if bound.is_some() { S::send } else { S::send_at_once };
        match send(&mut self.stream, &slices[..count])? {
            0 => return Err(ErrorKind::WriteZero.into()),
            written => queue.advance(written),
        }
        Ok(())
    }

    /// `false` if nothing has come, and no deadline has passed.
    fn read(&mut self) -> bool {
        match self.try_read() {
            Err(error) if passes(&error) => self.look_once_more(),
            result => self.took(result),
        }
    }

    fn try_read(&mut self) -> io::Result<usize> {
        let bound = self.time_left()?;
        if mem::replace(&mut self.read_bound, bound) != bound {
            self.stream.set_read_timeout(bound)?;
        }
        self.receive(S::receive)
    }

    fn receive(&mut self, receive: impl Fn(&mut S, &mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
        let input = self.machine.input();
        let (filled, room) = (input.len(), input.capacity());
        input.resize(room, 0);
        let result = receive(&mut self.stream, &mut input[filled..]);
        input.truncate(filled + *result.as_ref().unwrap_or(&0));
        result
    }

    /// The time may be up, or a signal came. What is there already is read, and
    /// only where there is nothing the machine looks at its deadline.
    fn look_once_more(&mut self) -> bool {
        match self.receive(S::receive_at_once) {
            Err(error) if passes(&error) => {
                let passed = self.machine.poll_timeout().is_some_and(|deadline| deadline <= self.now());
                self.machine.handle_timeout(self.now());
                passed
            }
            result => self.took(result),
        }
    }

    /// What a read came to.
    fn took(&mut self, result: io::Result<usize>) -> bool {
        match result {
            Ok(1..) => {}
            Ok(0) => self.machine.handle_eof(),
            Err(error) => {
                self.lost.get_or_insert(error);
                self.machine.handle_eof();
            }
        }
        true
    }

    /// How long the next read or write may take; an error when no time is left.
    fn time_left(&self) -> io::Result<Duration> {
        let left = self.machine.poll_timeout().map_or(TICK, |deadline| deadline.saturating_since(self.now()));
        match left {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            // Less than a microsecond would be rounded to zero, which means for ever.
            left => Ok(left.clamp(SHORTEST, TICK)),
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
