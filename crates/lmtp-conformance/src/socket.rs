//! A conversation over TCP or a Unix socket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::conversation::{Conversation, Lost};

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketTarget {
    /// A host and a port.
    Tcp(String),
    /// A path.
    Unix(String),
}

impl SocketTarget {
    /// Reads `lmtp://HOST:PORT` or `unix:PATH`; port 25 belongs to SMTP (RFC 2033 section 5).
    pub fn parse(url: &str) -> Result<Self, String> {
        if let Some(path) = url.strip_prefix("unix:") {
            return Ok(Self::Unix(path.to_owned()));
        }
        let Some(address) = url.strip_prefix("lmtp://") else {
            return Err(format!("{url}: neither lmtp://HOST:PORT nor unix:PATH"));
        };
        match address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()) {
            Some(25) => Err("port 25 belongs to SMTP".to_owned()),
            Some(1..) => Ok(Self::Tcp(address.to_owned())),
            _ => Err(format!("{url}: a port is missing")),
        }
    }

    /// Connects; `deadline` is how long each read and write may take.
    pub fn connect(&self, deadline: Duration) -> io::Result<Socket> {
        let stream: Box<dyn Stream> = match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(deadline))?;
                stream.set_write_timeout(Some(deadline))?;
                Box::new(stream)
            }
            #[cfg(unix)]
            Self::Unix(path) => {
                let stream = std::os::unix::net::UnixStream::connect(path)?;
                stream.set_read_timeout(Some(deadline))?;
                stream.set_write_timeout(Some(deadline))?;
                Box::new(stream)
            }
            #[cfg(not(unix))]
            Self::Unix(_) => return Err(io::Error::from(ErrorKind::Unsupported)),
        };
        Ok(Socket { stream })
    }
}

trait Stream: Read + Write + std::fmt::Debug {}
impl<S: Read + Write + std::fmt::Debug> Stream for S {}

/// A connection over a socket.
#[derive(Debug)]
pub struct Socket {
    stream: Box<dyn Stream>,
}

impl Conversation for Socket {
    fn send(&mut self, octets: &[u8]) {
        // What the server still says explains it better than the error.
        let _ = self.stream.write_all(octets);
    }

    fn read(&mut self) -> Result<Vec<u8>, Lost> {
        let mut room = [0; 4096];
        match self.stream.read(&mut room) {
            Ok(0) => Err(Lost::Closed),
            Ok(count) => Ok(room[..count].to_vec()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Err(Lost::Silent),
            Err(_) => Err(Lost::Closed),
        }
    }
}
