//! A socket as the loop wants it.

use std::io::{self, IoSlice};
use std::time::Duration;

use socket2::Socket;

/// A stream whose reads and writes can be bounded in time.
pub(crate) trait Stream {
    /// Writes some of these octets.
    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Reads some octets.
    fn receive(&mut self, room: &mut [u8]) -> io::Result<usize>;
    /// Reads what is there already, and waits for nothing.
    fn receive_at_once(&mut self, room: &mut [u8]) -> io::Result<usize>;
    /// Bounds each read from now on.
    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()>;
    /// Bounds each write from now on.
    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()>;
}

#[cfg(unix)]
impl Stream for Socket {
    /// A peer that has gone is an error, not a signal that ends the process.
    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        #[cfg(not(target_vendor = "apple"))]
        let flags = rustix::net::SendFlags::NOSIGNAL;
        // There the socket itself is told.
        #[cfg(target_vendor = "apple")]
        let flags = rustix::net::SendFlags::empty();
        Ok(rustix::net::sendmsg(self, slices, &mut rustix::net::SendAncillaryBuffer::default(), flags)?)
    }

    fn receive(&mut self, room: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::net::recv(self, room, rustix::net::RecvFlags::empty())?.0)
    }

    fn receive_at_once(&mut self, room: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::net::recv(self, room, rustix::net::RecvFlags::DONTWAIT)?.0)
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
