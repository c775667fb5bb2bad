//! A conversation over TCP, a Unix socket, or the standard input and output of a command, with TLS where it is asked for.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::conversation::{Conversation, Lost, NoTls};

/// How TLS is spoken as a client.
#[cfg(feature = "rustls")]
pub type Tls = std::sync::Arc<rustls::ClientConfig>;
/// How TLS is spoken: not in this build (feature `rustls`).
#[cfg(not(feature = "rustls"))]
#[derive(Debug, Clone)]
pub enum Tls {}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketTarget {
    /// A host and a port; and whether TLS is spoken from the first octet.
    Tcp(String, bool),
    /// A path.
    Unix(String),
    /// A command that serves its standard input and output: the program and its arguments.
    Process(Vec<String>),
}

impl SocketTarget {
    /// Reads `lmtp://HOST:PORT`, `lmtps://HOST:PORT`, `unix:PATH` or `exec:COMMAND ARGUMENT…`; port 25 belongs to SMTP (RFC
    /// 2033 section 5).
    ///
    /// # Errors
    ///
    /// It is none of these: why.
    pub fn parse(url: &str) -> Result<Self, String> {
        if let Some(path) = url.strip_prefix("unix:") {
            return Ok(Self::Unix(path.to_owned()));
        }
        if let Some(command) = url.strip_prefix("exec:") {
            let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
            return if words.is_empty() { Err("exec: needs a command".to_owned()) } else { Ok(Self::Process(words)) };
        }
        let (address, tls) = match (url.strip_prefix("lmtp://"), url.strip_prefix("lmtps://")) {
            (Some(address), _) => (address, false),
            (_, Some(address)) => (address, true),
            _ => return Err(format!("{url}: none of lmtp://HOST:PORT, lmtps://HOST:PORT, unix:PATH and exec:COMMAND")),
        };
        match address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()) {
            Some(25) => Err("port 25 belongs to SMTP".to_owned()),
            Some(1..) => Ok(Self::Tcp(address.to_owned(), tls)),
            _ => Err(format!("{url}: a port is missing")),
        }
    }

    /// Connects; `deadline` is how long each read and write may take. Without `tls` there is none.
    ///
    /// # Errors
    ///
    /// Nobody is there, or the handshake failed.
    pub fn connect(&self, deadline: Duration, tls: Option<&Tls>) -> io::Result<Socket> {
        let (line, child) = match self {
            Self::Tcp(address, _) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                (Line::Tcp(stream), None)
            }
            Self::Unix(path) => (Line::Unix(UnixStream::connect(path)?), None),
            Self::Process(words) => {
                let (ours, theirs) = UnixStream::pair()?;
                let output = OwnedFd::from(theirs.try_clone()?);
                let mut command = Command::new(&words[0]);
                command.args(&words[1..]).stdin(OwnedFd::from(theirs)).stdout(output).stderr(Stdio::null());
                (Line::Unix(ours), Some(command.spawn()?))
            }
        };
        line.wait(deadline)?;
        let host = match self {
            Self::Tcp(address, _) => address.rsplit_once(':').map_or("", |(host, _)| host).trim_matches(['[', ']']),
            _ => "localhost",
        };
        let mut socket = Socket { line, secured: None, host: host.to_owned(), tls: tls.cloned(), child };
        if matches!(self, Self::Tcp(_, true)) {
            socket.secure().map_err(|why| io::Error::other(format!("{why:?}")))?;
        }
        Ok(socket)
    }
}

#[derive(Debug)]
enum Line {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Line {
    fn wait(&self, most: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => {
                stream.set_read_timeout(Some(most)).and_then(|()| stream.set_write_timeout(Some(most)))
            }
            Self::Unix(stream) => {
                stream.set_read_timeout(Some(most)).and_then(|()| stream.set_write_timeout(Some(most)))
            }
        }
    }
}

impl Read for Line {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(room),
            Self::Unix(stream) => stream.read(room),
        }
    }
}

impl Write for Line {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(octets),
            Self::Unix(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection.
#[derive(Debug)]
pub struct Socket {
    line: Line,
    secured: Option<Secured>,
    #[cfg_attr(not(feature = "rustls"), expect(dead_code, reason = "nobody is named without TLS"))]
    host: String,
    tls: Option<Tls>,
    child: Option<Child>,
}

#[cfg(feature = "rustls")]
type Secured = Box<rustls::ClientConnection>;
#[cfg(not(feature = "rustls"))]
type Secured = Tls;

impl Socket {
    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match &mut self.secured {
            #[cfg(feature = "rustls")]
            Some(tls) => {
                let mut stream = rustls::Stream::new(&mut **tls, &mut self.line);
                stream.write_all(octets)?;
                stream.flush()
            }
            #[cfg(not(feature = "rustls"))]
            Some(none) => match *none {},
            None => self.line.write_all(octets),
        }
    }

    fn read_some(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match &mut self.secured {
            #[cfg(feature = "rustls")]
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.line).read(room),
            #[cfg(not(feature = "rustls"))]
            Some(none) => match *none {},
            None => self.line.read(room),
        }
    }
}

impl Conversation for Socket {
    fn send(&mut self, octets: &[u8]) {
        // What the server still says explains it better than the error.
        let _ = self.write(octets);
    }

    fn read(&mut self) -> Result<Vec<u8>, Lost> {
        let mut room = [0; 4096];
        match self.read_some(&mut room) {
            Ok(0) => Err(Lost::Closed),
            Ok(count) => Ok(room[..count].to_vec()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Err(Lost::Silent),
            Err(_) => Err(Lost::Closed),
        }
    }

    #[cfg(feature = "rustls")]
    fn secure(&mut self) -> Result<(), NoTls> {
        let failed = |why: String| NoTls::Failed(why);
        let Some(config) = self.tls.clone() else { return Err(NoTls::Unsupported) };
        let name = self.host.clone().try_into().map_err(|_| failed(format!("{} is no name for TLS", self.host)))?;
        let mut tls = rustls::ClientConnection::new(config, name).map_err(|error| failed(error.to_string()))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut self.line).map_err(|error| failed(error.to_string()))?;
        }
        self.secured = Some(Box::new(tls));
        Ok(())
    }

    #[cfg(not(feature = "rustls"))]
    fn secure(&mut self) -> Result<(), NoTls> {
        match self.tls {
            Some(ref none) => match *none {},
            None => Err(NoTls::Unsupported),
        }
    }

    fn wait(&mut self, most: Duration) {
        // One that is gone shows when it is read from.
        let _ = self.line.wait(most);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            if let Line::Unix(stream) = &self.line {
                let _ = stream.shutdown(Shutdown::Both);
            }
            // One that has ended cannot be ended again.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_as_they_are_written() {
        let tcp = |tls| Ok(SocketTarget::Tcp("[::1]:24".into(), tls));
        assert_eq!(
            (SocketTarget::parse("lmtp://[::1]:24"), SocketTarget::parse("lmtps://[::1]:24")),
            (tcp(false), tcp(true))
        );
        assert_eq!(SocketTarget::parse("unix:/run/lmtp"), Ok(SocketTarget::Unix("/run/lmtp".into())));
        let words = ["server", "-x"].map(str::to_owned).to_vec();
        assert_eq!(SocketTarget::parse("exec:server -x"), Ok(SocketTarget::Process(words)));
        for wrong in ["lmtp://x:25", "lmtp://x", "smtp://x:24", "exec:", "x:24", "lmtps://x:0"] {
            assert!(SocketTarget::parse(wrong).is_err(), "{wrong}");
        }
    }

    /// A command is spoken with over its standard input and output, and is gone afterwards.
    #[test]
    fn a_command_is_a_server() {
        let target = SocketTarget::Process(["sh", "-c", "printf '220 sh\\r\\n'; cat"].map(str::to_owned).to_vec());
        let mut socket = target.connect(Duration::from_secs(5), None).unwrap();
        assert_eq!(socket.read(), Ok(b"220 sh\r\n".to_vec()));
        socket.send(b"NOOP\r\n");
        assert_eq!(socket.read(), Ok(b"NOOP\r\n".to_vec()));
        assert_eq!(socket.secure(), Err(NoTls::Unsupported));
    }
}
