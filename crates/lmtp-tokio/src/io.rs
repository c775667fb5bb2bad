//! The loop over any stream of tokio.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::Buf;
use lmtp_futures::Transport;
use lmtp_proto::{Instant, Machine, Output};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{self, Sleep};

/// A stream of tokio with its clock, as a [`Transport`].
#[derive(Debug)]
pub struct Io<S> {
    stream: S,
    /// Set for a deadline; one that has moved on since is looked at when it fires.
    sleep: Option<Pin<Box<Sleep>>>,
    /// The origin of the machine's time.
    origin: time::Instant,
    lost: Option<io::Error>,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Io<S> {
    /// A stream that is connected.
    pub fn new(stream: S) -> Self {
        Self { stream, sleep: None, origin: time::Instant::now(), lost: None }
    }

    fn poll_write(&mut self, context: &mut Context<'_>, machine: &mut impl Machine) -> Poll<()> {
        let queue = machine.transmit();
        let mut slices = [IoSlice::new(&[]); 16];
        let count = queue.chunks_vectored(&mut slices);
        let error = match ready!(Pin::new(&mut self.stream).poll_write_vectored(context, &slices[..count])) {
            Ok(0) => ErrorKind::WriteZero.into(),
            Ok(written) => return Poll::Ready(queue.advance(written)),
            Err(error) => error,
        };
        self.lost.get_or_insert(error);
        Poll::Ready(machine.handle_write_closed())
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

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Transport for Io<S> {
    fn poll_next<M: Machine>(
        &mut self,
        context: &mut Context<'_>,
        machine: &mut M,
    ) -> Poll<Result<Option<M::Event>, M::Error>> {
        loop {
            let done = match machine.poll_output(self.now())? {
                Output::Event(event) => return Poll::Ready(Ok(Some(event))),
                Output::Closed => return Poll::Ready(Ok(None)),
                // A machine without TLS never says so.
                Output::StartTls => Poll::Ready(machine.handle_eof()),
                Output::Transmit => self.poll_write(context, machine),
                Output::Receive => self.poll_read(context, machine),
                Output::Wait => Poll::Pending,
            };
            if done.is_pending() {
                let Some(deadline) = machine.poll_timeout() else { return Poll::Pending };
                ready!(self.poll_sleep(context, deadline));
                machine.handle_timeout(self.now());
            }
        }
    }

    fn poll_sleep(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        // A moment that no clock can show never comes.
        let Some(moment) = self.origin.checked_add(deadline.since_origin()) else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(time::sleep_until(moment)));
        loop {
            if moment < sleep.deadline() {
                sleep.as_mut().reset(moment);
            }
            ready!(sleep.as_mut().poll(context));
            if moment <= sleep.deadline() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(moment);
        }
    }

    fn now(&self) -> Instant {
        Instant::after_origin(self.origin.elapsed())
    }

    fn lost(&self) -> Option<&io::Error> {
        self.lost.as_ref()
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
