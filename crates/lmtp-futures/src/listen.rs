//! Where a server listens.

use std::fmt;
use std::fs;
use std::io;
use std::net::ToSocketAddrs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use lmtp_proto::Endpoint;
use lmtp_proto::value::{InvalidEndpoint, Security, Target};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::{Address, Listening, Runtime};

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
    fn listen(&self) -> io::Result<(Listening, Option<SocketFile>)> {
        match self.endpoint.target() {
            Target::Unix { path } => {
                let Address::Unix(path) = Address::unix(path) else { return Err(io::ErrorKind::Unsupported.into()) };
                let (socket, file) = listen_unix(path, self.rights)?;
                Ok((Listening::Unix(socket.into()), file))
            }
            Target::Tcp { host, port, .. } => Ok((Listening::Tcp(listen_tcp(host, port)?.into()), None)),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
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
            listen(socket)
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
    Ok((listen(socket)?, file))
}

fn listen(socket: Socket) -> io::Result<Socket> {
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
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
pub struct Listener<R: Runtime> {
    pub(crate) socket: R::Listener,
    pub(crate) security: Security,
    file: Option<SocketFile>,
}

impl<R: Runtime> Listener<R> {
    /// A socket that listens already. Whoever made it looks after its file.
    pub fn new(socket: impl Into<R::Listener>) -> Self {
        Self { socket: socket.into(), security: Security::Plain, file: None }
    }

    /// What protects its connections; nothing by default.
    #[must_use]
    pub fn security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    fn take_over(socket: Listening) -> io::Result<Self> {
        Ok(Self { socket: R::listen(socket)?, security: Security::Plain, file: None })
    }
}

/// The same place, with a socket made of its socket: for a runtime that adds something
/// to another one.
pub fn map_listener<R: Runtime, S: Runtime>(
    listener: Listener<R>,
    make: impl FnOnce(R::Listener) -> S::Listener,
) -> Listener<S> {
    Listener { socket: make(listener.socket), security: listener.security, file: listener.file }
}

impl<R: Runtime> fmt::Debug for Listener<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("security", &self.security).finish_non_exhaustive()
    }
}

/// What a server can listen at: a string as [`Bind`] reads it, a socket of the
/// standard library, a [`Listener`], or several of one kind.
pub trait Listen<R: Runtime> {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// It names no place, or the place is not to be had.
    fn listen(self) -> io::Result<Vec<Listener<R>>>;
}

impl<R: Runtime> Listen<R> for Listener<R> {
    fn listen(self) -> io::Result<Vec<Self>> {
        Ok(vec![self])
    }
}

impl<R: Runtime> Listen<R> for Bind {
    fn listen(self) -> io::Result<Vec<Listener<R>>> {
        let (socket, file) = Self::listen(&self)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen at {}: {error}", self.endpoint)))?;
        let security = match self.endpoint.target() {
            Target::Tcp { security, .. } => security,
            _ => Security::Plain,
        };
        Ok(vec![Listener { socket: R::listen(socket)?, security, file }])
    }
}

impl<R: Runtime> Listen<R> for Endpoint {
    fn listen(self) -> io::Result<Vec<Listener<R>>> {
        Listen::listen(Bind::from(self))
    }
}

impl<R: Runtime> Listen<R> for &str {
    fn listen(self) -> io::Result<Vec<Listener<R>>> {
        Listen::listen(Bind::new(self).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?)
    }
}

impl<R: Runtime> Listen<R> for String {
    fn listen(self) -> io::Result<Vec<Listener<R>>> {
        self.as_str().listen()
    }
}

impl<R: Runtime> Listen<R> for std::net::TcpListener {
    fn listen(self) -> io::Result<Vec<Listener<R>>> {
        self.set_nonblocking(true)?;
        Ok(vec![Listener::take_over(Listening::Tcp(self))?])
    }
}

impl<R: Runtime> Listen<R> for std::os::unix::net::UnixListener {
    fn listen(self) -> io::Result<Vec<Listener<R>>> {
        self.set_nonblocking(true)?;
        Ok(vec![Listener::take_over(Listening::Unix(self))?])
    }
}

impl<R: Runtime, L: Listen<R>> Listen<R> for Vec<L> {
    fn listen(self) -> io::Result<Vec<Listener<R>>> {
        let listeners = self.into_iter().map(Listen::listen).collect::<io::Result<Vec<_>>>()?;
        Ok(listeners.into_iter().flatten().collect())
    }
}

impl<R: Runtime, L: Listen<R>, const N: usize> Listen<R> for [L; N] {
    fn listen(self) -> io::Result<Vec<Listener<R>>> {
        Vec::from(self).listen()
    }
}
