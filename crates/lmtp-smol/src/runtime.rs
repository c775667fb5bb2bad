//! What smol lends.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use lmtp_futures::{Address, Io, Listening, Runtime};
use lmtp_proto::server::{Credentials, Peer};
use smol::net::unix::{UnixListener, UnixStream};
use smol::net::{TcpListener, TcpStream};

/// smol, as a [`Runtime`].
#[derive(Debug, Clone, Copy)]
pub struct Smol;

impl Runtime for Smol {
    type Transport = Io<Timer>;
    type Timer = Timer;
    type Listener = Listener;

    async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        smol::net::resolve((host, port)).await
    }

    async fn connect(address: &Address) -> io::Result<Io<Timer>> {
        match address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(stream.into())
            }
            Address::Unix(path) => Ok(UnixStream::connect(path).await?.into()),
        }
    }

    fn listen(socket: Listening) -> io::Result<Listener> {
        Ok(match socket {
            Listening::Tcp(socket) => TcpListener::try_from(socket)?.into(),
            Listening::Unix(socket) => UnixListener::try_from(socket)?.into(),
        })
    }

    async fn accept(listener: &Listener) -> io::Result<(Io<Timer>, Peer)> {
        match &listener.0 {
            Inner::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((stream.into(), Peer::tcp(address)))
            }
            Inner::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let peer = Peer::unix(credentials(&stream));
                Ok((stream.into(), peer))
            }
        }
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }
}

#[cfg(target_os = "linux")]
fn credentials(stream: &UnixStream) -> Option<Credentials> {
    let them = rustix::net::sockopt::socket_peercred(stream).ok()?;
    Some(Credentials { uid: them.uid.as_raw(), gid: them.gid.as_raw(), pid: Some(them.pid.as_raw_nonzero().get()) })
}

#[cfg(not(target_os = "linux"))]
fn credentials(_: &UnixStream) -> Option<Credentials> {
    None
}

/// smol's clock.
#[derive(Debug)]
pub struct Timer {
    timer: smol::Timer,
    /// When it will ring; a moment that has moved on since is looked at then.
    rings: Option<Instant>,
}

impl lmtp_futures::Timer for Timer {
    fn new() -> Self {
        Self { timer: smol::Timer::never(), rings: None }
    }

    fn poll_until(&mut self, context: &mut Context<'_>, moment: Instant) -> Poll<()> {
        while moment > Instant::now() {
            if self.rings.is_none_or(|rings| moment < rings) {
                self.timer.set_at(moment);
                self.rings = Some(moment);
            }
            ready!(Pin::new(&mut self.timer).poll(context));
            self.rings = None;
        }
        Poll::Ready(())
    }
}

/// A socket that listens: smol's for TCP or for Unix sockets.
#[derive(Debug)]
pub struct Listener(Inner);

#[derive(Debug)]
enum Inner {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self(Inner::Tcp(listener))
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self(Inner::Unix(listener))
    }
}
