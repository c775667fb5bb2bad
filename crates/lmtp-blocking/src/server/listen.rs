//! Where a server listens.

use std::fmt;
use std::fs;
use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use lmtp_proto::Endpoint;
use lmtp_proto::server::{Credentials, Peer};
use lmtp_proto::value::{InvalidEndpoint, Security, Target};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::connect::unix_path;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// Where a server is to listen, as one string: `unix:PATH`, on Linux also
/// `unix:@NAME` for an abstract name, `lmtp://address:port`,
/// `lmtp+starttls://address:port` or `lmtps://address:port`.
///
/// A name in place of an address is looked up, and the first of its addresses that
/// can be had is taken. A socket that a server has left behind at the path is
/// replaced, one where somebody listens is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    endpoint: Endpoint,
    rights: Rights,
}

/// Whose a Unix socket is, and who may write to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rights {
    mode: Option<u32>,
    user: Option<u32>,
    group: Option<u32>,
}

impl Bind {
    /// There.
    ///
    /// # Errors
    ///
    /// The text names no endpoint.
    pub fn new(endpoint: &str) -> Result<Self, InvalidEndpoint> {
        Ok(endpoint.parse::<Endpoint>()?.into())
    }

    /// The permissions of a Unix socket, such as `0o660`: who may write may connect.
    /// By default they are what the process's umask leaves.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.rights.mode = Some(mode);
        self
    }

    /// The user and the group that a Unix socket belongs to, by number; those of the
    /// process by default. To give it to another user takes root.
    #[must_use]
    pub fn owner(mut self, user: Option<u32>, group: Option<u32>) -> Self {
        (self.rights.user, self.rights.group) = (user, group);
        self
    }

    /// Begins to listen.
    fn listen(&self) -> io::Result<Listener> {
        let (socket, security, file) = match self.endpoint.target() {
            Target::Unix { path } => {
                let (socket, file) = listen_unix(unix_path(path), self.rights)?;
                (socket, Security::Plain, file)
            }
            Target::Tcp { host, port, security } => (listen_tcp(host, port)?, security, None),
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(Listener { socket, security, _file: file })
    }
}

impl From<Endpoint> for Bind {
    fn from(endpoint: Endpoint) -> Self {
        Self { endpoint, rights: Rights::default() }
    }
}

fn listen_tcp(host: &str, port: u16) -> io::Result<Socket> {
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in (host, port).to_socket_addrs()? {
        let attempt = || {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            Ok(socket)
        };
        match attempt() {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn listen_unix(path: PathBuf, rights: Rights) -> io::Result<(Socket, Option<SocketFile>)> {
    let is_abstract = path.as_os_str().as_encoded_bytes().first() == Some(&0);
    if !is_abstract && is_left_behind(&path) {
        fs::remove_file(&path)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(&path)?)?;
    let file = if is_abstract { None } else { Some(SocketFile::of(path)?) };
    if let Some(file) = &file {
        // Nobody can connect before it listens.
        rights.give(&file.path)?;
    }
    socket.listen(BACKLOG)?;
    Ok((socket, file))
}

impl Rights {
    /// Gives them to a socket that has just been made.
    fn give(self, path: &Path) -> io::Result<()> {
        if self.user.is_some() || self.group.is_some() {
            lchown(path, self.user, self.group)?;
        }
        // Behind it, for a new owner takes some of them away.
        self.mode.map_or(Ok(()), |mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
    }
}

/// Whether there is a socket at which nobody listens.
fn is_left_behind(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    is_socket && UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// The file of a socket, which goes when nobody listens there any more.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode: somebody may have put another there.
    id: (u64, u64),
}

impl SocketFile {
    fn of(path: PathBuf) -> io::Result<Self> {
        let id = Self::id(&path)?;
        Ok(Self { path, id })
    }

    fn id(path: &Path) -> io::Result<(u64, u64)> {
        fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if Self::id(&self.path).is_ok_and(|id| id == self.id) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A socket that listens, for a server. The file of a Unix socket goes with it.
pub struct Listener {
    socket: Socket,
    pub(super) security: Security,
    _file: Option<SocketFile>,
}

impl Listener {
    /// A socket that listens already, TCP or Unix. Whoever made it looks after its
    /// file.
    pub fn new(socket: impl Into<OwnedFd>) -> Self {
        Self { socket: socket.into().into(), security: Security::Plain, _file: None }
    }

    /// What protects its connections; nothing by default.
    #[must_use]
    pub fn security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// The next connection and who made it, if there is one.
    pub(super) fn accept(&self) -> io::Result<(Socket, Peer)> {
        self.socket.set_nonblocking(true)?;
        let (socket, address) = self.socket.accept()?;
        socket.set_nonblocking(false)?;
        let peer = match address.as_socket() {
            Some(address) => {
                // Replies leave in one write: waiting to say more would only add to
                // the round trip.
                socket.set_tcp_nodelay(true)?;
                Peer::tcp(address)
            }
            None => Peer::unix(credentials(&socket)),
        };
        Ok((socket, peer))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("security", &self.security).finish_non_exhaustive()
    }
}

#[cfg(target_os = "linux")]
fn credentials(socket: &Socket) -> Option<Credentials> {
    let them = rustix::net::sockopt::socket_peercred(socket).ok()?;
    Some(Credentials { uid: them.uid.as_raw(), gid: them.gid.as_raw(), pid: Some(them.pid.as_raw_nonzero().get()) })
}

#[cfg(not(target_os = "linux"))]
fn credentials(_: &Socket) -> Option<Credentials> {
    None
}

/// What a server can listen at: a string as [`Bind`] reads it, a socket of the
/// standard library, or several of these.
pub trait Listen {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// It names no place, or the place is not to be had.
    fn listen(self) -> io::Result<Vec<Listener>>;
}

impl Listen for Listener {
    fn listen(self) -> io::Result<Vec<Self>> {
        Ok(vec![self])
    }
}

impl Listen for Bind {
    fn listen(self) -> io::Result<Vec<Listener>> {
        let explain =
            |error: io::Error| io::Error::new(error.kind(), format!("cannot listen at {}: {error}", self.endpoint));
        Ok(vec![Self::listen(&self).map_err(explain)?])
    }
}

impl Listen for Endpoint {
    fn listen(self) -> io::Result<Vec<Listener>> {
        Listen::listen(Bind::from(self))
    }
}

impl Listen for &str {
    fn listen(self) -> io::Result<Vec<Listener>> {
        Listen::listen(Bind::new(self).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?)
    }
}

impl Listen for String {
    fn listen(self) -> io::Result<Vec<Listener>> {
        self.as_str().listen()
    }
}

impl Listen for TcpListener {
    fn listen(self) -> io::Result<Vec<Listener>> {
        Ok(vec![Listener::new(self)])
    }
}

impl Listen for UnixListener {
    fn listen(self) -> io::Result<Vec<Listener>> {
        Ok(vec![Listener::new(self)])
    }
}

impl<L: Listen> Listen for Vec<L> {
    fn listen(self) -> io::Result<Vec<Listener>> {
        let listeners = self.into_iter().map(Listen::listen).collect::<io::Result<Vec<_>>>()?;
        Ok(listeners.into_iter().flatten().collect())
    }
}

impl<L: Listen, const N: usize> Listen for [L; N] {
    fn listen(self) -> io::Result<Vec<Listener>> {
        Vec::from(self).listen()
    }
}
