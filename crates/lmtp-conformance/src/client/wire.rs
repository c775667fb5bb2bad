//! Where the server listens, and the connections it gets.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a write waits before it is asked whether all is over.
const TICK: Duration = Duration::from_millis(100);

/// Where a check's server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A port of 127.0.0.1.
    Tcp,
    /// A Unix socket.
    Unix,
}

/// Whether the client is through, or should be.
#[derive(Debug)]
pub(super) struct Over {
    is_over: AtomicBool,
    latest: Instant,
}

impl Over {
    pub(super) fn at(latest: Instant) -> Self {
        Self { is_over: AtomicBool::new(false), latest }
    }

    pub(super) fn set(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst) || Instant::now() > self.latest
    }
}

/// A connection.
pub(super) trait Wire: Read + Write + Send {
    /// How long a read waits.
    fn be_patient(&mut self, most: Duration);
    /// Says that nothing more will be said.
    fn end(&mut self);
}

macro_rules! wires {
    ($($(#[$when:meta])? $stream:ty),+) => {$(
        $(#[$when])?
        impl Wire for $stream {
            fn be_patient(&mut self, most: Duration) {
                // It fails for no wait at all, which nobody asks for.
                let _ = self.set_read_timeout(Some(most));
            }

            fn end(&mut self) {
                // The client may have gone before.
                let _ = self.shutdown(Shutdown::Write);
            }
        }
    )+};
}

wires!(
    TcpStream,
    #[cfg(unix)]
    UnixStream
);

/// A listener. The folder of a socket goes with it.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener, TempDir),
}

impl Listener {
    pub(super) fn open(place: Place) -> io::Result<Self> {
        match place {
            Place::Tcp => Ok(Self::Tcp(TcpListener::bind("127.0.0.1:0")?)),
            #[cfg(unix)]
            Place::Unix => {
                let folder = tempfile::tempdir()?;
                Ok(Self::Unix(UnixListener::bind(folder.path().join("lmtp"))?, folder))
            }
            #[cfg(not(unix))]
            Place::Unix => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(super) fn port(&self) -> io::Result<Option<u16>> {
        match self {
            Self::Tcp(listener) => Ok(Some(listener.local_addr()?.port())),
            #[cfg(unix)]
            Self::Unix(..) => Ok(None),
        }
    }

    pub(super) fn socket(&self) -> Option<std::path::PathBuf> {
        match self {
            Self::Tcp(_) => None,
            #[cfg(unix)]
            Self::Unix(_, folder) => Some(folder.path().join("lmtp")),
        }
    }

    pub(super) fn accept(&self) -> io::Result<Box<dyn Wire>> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(TICK))?;
                Box::new(stream)
            }
            #[cfg(unix)]
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept()?;
                stream.set_write_timeout(Some(TICK))?;
                Box::new(stream)
            }
        })
    }

    /// Makes [`accept`](Self::accept) return.
    pub(super) fn wake(&self) {
        match self {
            Self::Tcp(listener) => drop(listener.local_addr().and_then(TcpStream::connect)),
            #[cfg(unix)]
            Self::Unix(_, folder) => drop(UnixStream::connect(folder.path().join("lmtp"))),
        }
    }
}
