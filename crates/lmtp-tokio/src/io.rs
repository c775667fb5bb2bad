//! The loop over any stream of tokio.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time;

use bytes::Buf;
use lmtp_futures::{Timer as _, Transport};
use lmtp_proto::{Instant, Machine, Output};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::timer::Timer;

/// A stream of tokio, whichever, with its clock: a [`Transport`].
pub struct Io {
    stream: Box<dyn Stream>,
    timer: Timer,
    /// The origin of the machine's time.
    origin: time::Instant,
    lost: Option<io::Error>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> From<S> for Io {
    fn from(stream: S) -> Self {
        let timer = Timer::new();
        Self { stream: Box::new(stream), origin: timer.now(), timer, lost: None }
    }
}

impl Io {
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
        // It has room reserved, and is filled no further.
        match ready!(pin!(self.stream.read_buf(machine.input())).poll(context)) {
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

impl Transport for Io {
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
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").field("lost", &self.lost).finish_non_exhaustive()
    }
}
