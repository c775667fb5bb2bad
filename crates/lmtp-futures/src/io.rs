//! The loop over any stream of `futures-io`.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time;

use bytes::Buf;
use futures_io::{AsyncRead, AsyncWrite};
use lmtp_proto::{Instant, Machine, Output};

use crate::{Timer, Transport};

/// A stream of `futures-io`, whichever, with a clock: a [`Transport`].
pub struct Io<T> {
    stream: Box<dyn Stream>,
    timer: T,
    /// The origin of the machine's time.
    origin: time::Instant,
    lost: Option<io::Error>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl<T: Timer, S: AsyncRead + AsyncWrite + Send + Unpin + 'static> From<S> for Io<T> {
    fn from(stream: S) -> Self {
        let timer = T::new();
        Self { stream: Box::new(stream), origin: timer.now(), timer, lost: None }
    }
}

impl<T: Timer> Io<T> {
    fn poll_write(&mut self, context: &mut Context<'_>, machine: &mut impl Machine) -> Poll<()> {
        let queue = machine.transmit();
        let stream = Pin::new(&mut self.stream);
        let mut slices = [IoSlice::new(&[]); 16];
        let done = match queue.chunks_vectored(&mut slices) {
            1 => stream.poll_write(context, queue.chunk()),
            count => stream.poll_write_vectored(context, &slices[..count]),
        };
        match ready!(done) {
            Ok(written @ 1..) => queue.advance(written),
            result => {
                self.lost.get_or_insert(result.err().unwrap_or(ErrorKind::WriteZero.into()));
                machine.handle_write_closed();
            }
        }
        Poll::Ready(())
    }

    fn poll_read(&mut self, context: &mut Context<'_>, machine: &mut impl Machine) -> Poll<()> {
        let input = machine.input();
        let (filled, room) = (input.len(), input.capacity());
        input.resize(room, 0);
        let result = Pin::new(&mut self.stream).poll_read(context, &mut input[filled..]);
        input.truncate(filled + if let Poll::Ready(Ok(count)) = result { count } else { 0 });
        match ready!(result) {
            Ok(1..) => {}
            Ok(0) => machine.handle_eof(),
            Err(error) => {
                self.lost.get_or_insert(error);
                machine.handle_eof();
            }
        }
        Poll::Ready(())
    }
}

impl<T: Timer> Transport for Io<T> {
    fn poll_next<M: Machine>(
        &mut self,
        context: &mut Context<'_>,
        machine: &mut M,
    ) -> Poll<Result<Option<M::Event>, M::Error>> {
        let mut now = self.now();
        loop {
            let done = match machine.poll_output(now)? {
                Output::Event(event) => return Poll::Ready(Ok(Some(event))),
                Output::Closed => return Poll::Ready(Ok(None)),
                // A machine without TLS never says so.
                Output::StartTls => {
                    machine.handle_eof();
                    continue;
                }
                Output::Transmit => self.poll_write(context, machine),
                Output::Receive => self.poll_read(context, machine),
                Output::Wait => Poll::Pending,
            };
            if done.is_pending() {
                let Some(deadline) = machine.poll_timeout() else { return Poll::Pending };
                ready!(self.poll_sleep(context, deadline));
                now = self.now();
                machine.handle_timeout(now);
            }
        }
    }

    fn poll_sleep(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        // A moment that no clock can show never comes.
        match self.origin.checked_add(deadline.since_origin()) {
            Some(moment) => self.timer.poll_until(context, moment),
            None => Poll::Pending,
        }
    }

    fn now(&self) -> Instant {
        Instant::after_origin(self.timer.now().saturating_duration_since(self.origin))
    }

    fn lost(&self) -> Option<&io::Error> {
        self.lost.as_ref()
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
    }
}

impl<T> fmt::Debug for Io<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").field("lost", &self.lost).finish_non_exhaustive()
    }
}
