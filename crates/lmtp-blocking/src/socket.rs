//! A socket as the loop wants it.

use std::io::{self, IoSlice};
use std::time::Duration;

#[cfg(unix)]
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, sendmsg};
use socket2::Socket;

/// A stream whose reads and writes can be bounded in time.
pub(crate) trait Stream {
    /// Writes some of these octets.
    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Writes what can be written already, and waits for nothing.
    fn send_at_once(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Reads some octets.
    fn receive(&mut self, room: &mut [u8]) -> io::Result<usize>;
    /// Reads what is there already, and waits for nothing.
    fn receive_at_once(&mut self, room: &mut [u8]) -> io::Result<usize>;
    /// Bounds each read from now on.
    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()>;
    /// Bounds each write from now on.
    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()>;
}

/// A peer that has gone is an error, not a signal that ends the process. (On Apple's the
/// socket itself is told.)
#[cfg(unix)]
fn send(socket: &Socket, slices: &[IoSlice<'_>], flags: SendFlags) -> io::Result<usize> {
    #[cfg(not(target_vendor = "apple"))]
    let flags = flags | SendFlags::NOSIGNAL;
    Ok(sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), flags)?)
}

#[cfg(unix)]
impl Stream for Socket {
    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        send(self, slices, SendFlags::empty())
    }

    fn send_at_once(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        send(self, slices, SendFlags::DONTWAIT)
    }

    fn receive(&mut self, room: &mut [u8]) -> io::Result<usize> {
        Ok(recv(self, room, RecvFlags::empty())?.0)
    }

    fn receive_at_once(&mut self, room: &mut [u8]) -> io::Result<usize> {
        Ok(recv(self, room, RecvFlags::DONTWAIT)?.0)
    }

    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        Self::set_read_timeout(self, Some(timeout))
    }

    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        Self::set_write_timeout(self, Some(timeout))
    }
}

#[cfg(not(unix))]
impl Stream for Socket {
    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send_vectored(slices)
    }

    fn send_at_once(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.set_nonblocking(true)?;
        let result = self.send_vectored(slices);
        self.set_nonblocking(false)?;
        result
    }

    fn receive(&mut self, room: &mut [u8]) -> io::Result<usize> {
        io::Read::read(self, room)
    }

    fn receive_at_once(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.set_nonblocking(true)?;
        let result = io::Read::read(self, room);
        self.set_nonblocking(false)?;
        result
    }

    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        Self::set_read_timeout(self, Some(timeout))
    }

    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        Self::set_write_timeout(self, Some(timeout))
    }
}
