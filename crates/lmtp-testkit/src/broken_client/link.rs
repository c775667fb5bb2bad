//! A connection of a client, and how it reads replies.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use lmtp_conformance::client::Errand;

use super::fault::Fault;

/// A reply: its code, and its text with blanks between lines.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) text: String,
}

/// Why no reply came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    Closed,
    Late,
}

trait Stream: Read + Write + std::fmt::Debug {
    fn wait_no_longer(&self, than: Duration) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn wait_no_longer(&self, than: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(than))
    }
}

#[cfg(unix)]
impl Stream for UnixStream {
    fn wait_no_longer(&self, than: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(than))
    }
}

/// The connection.
#[derive(Debug)]
pub(super) struct Link {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
    timeout: Duration,
    fault: Option<Fault>,
}

impl Link {
    pub(super) fn open(errand: &Errand, fault: Option<Fault>) -> io::Result<Self> {
        let stream: Box<dyn Stream> = match (&errand.socket, errand.port) {
            #[cfg(unix)]
            (Some(socket), _) => Box::new(UnixStream::connect(socket)?),
            (_, Some(port)) => Box::new(TcpStream::connect(("127.0.0.1", port))?),
            _ => return Err(ErrorKind::Unsupported.into()),
        };
        Ok(Self { stream, unread: Vec::new(), timeout: errand.timeout, fault })
    }

    pub(super) fn say(&mut self, octets: &[u8]) {
        // That nobody reads it shows in the next reply.
        let _ = self.stream.write_all(octets);
    }

    pub(super) fn reply(&mut self) -> Result<Reply, Lost> {
        let mut until = Instant::now() + self.timeout;
        loop {
            if let Some(reply) = self.taken() {
                if reply.code == 421 && self.fault == Some(Fault::Ignores421) {
                    continue;
                }
                if reply.code / 100 == 9 {
                    return Err(Lost::Closed);
                }
                return Ok(reply);
            }
            // More than a reply may be.
            if self.unread.len() > 64 * 1024 && self.fault != Some(Fault::NoLimits) {
                return Err(Lost::Closed);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Lost::Late);
            }
            let mut room = [0; 4096];
            self.stream.wait_no_longer(left).map_err(|_| Lost::Closed)?;
            match self.stream.read(&mut room) {
                Ok(0) => return self.half_a_reply().ok_or(Lost::Closed),
                Ok(count) => {
                    if self.fault == Some(Fault::OneReadIsAReply) {
                        self.unread.clear();
                        if !room[..count].ends_with(b"\n") {
                            return Err(Lost::Closed);
                        }
                    }
                    self.unread.extend_from_slice(&room[..count]);
                    if matches!(self.fault, Some(Fault::TimeoutPerRead | Fault::NoLimits)) {
                        until = Instant::now() + self.timeout;
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(Lost::Late);
                }
                Err(_) => return Err(Lost::Closed),
            }
        }
    }

    /// A whole reply off the front of what was read; a code of 900 is none.
    fn taken(&mut self) -> Option<Reply> {
        let (mut at, mut code, mut text) = (0, None, Vec::new());
        loop {
            let end = self.unread[at..].iter().position(|&octet| octet == b'\n')?;
            let line = String::from_utf8_lossy(&self.unread[at..at + end]).trim_end_matches('\r').to_owned();
            at += end + 1;
            let mut digits = line.get(..3).and_then(|digits| digits.parse().ok()).unwrap_or(900);
            if !(200..600).contains(&digits) || code.is_some_and(|code| code != digits) {
                digits = 900;
            }
            if self.fault == Some(Fault::NeedsText) && line.get(4..).is_none_or(str::is_empty) {
                digits = 900;
            }
            code = Some(digits);
            text.push(line.get(4..).unwrap_or_default().to_owned());
            let goes_on = line.get(3..4) == Some("-") && self.fault != Some(Fault::EachLineIsAReply);
            if !goes_on || digits == 900 {
                self.unread.drain(..at);
                return Some(Reply { code: digits, text: text.join("\n") });
            }
        }
    }

    fn half_a_reply(&mut self) -> Option<Reply> {
        let rest = String::from_utf8_lossy(&self.unread).into_owned();
        let code = rest.get(..3)?.parse().ok().filter(|_| self.fault == Some(Fault::HalfReplyCounts))?;
        self.unread.clear();
        Some(Reply { code, text: rest })
    }
}
