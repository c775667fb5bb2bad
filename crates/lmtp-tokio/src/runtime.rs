//! What tokio lends.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use lmtp_futures::{Address, Listening, Runtime};
use lmtp_proto::server::{Credentials, Peer};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::Io;
use crate::timer::Timer;

/// tokio, as a [`Runtime`].
#[derive(Debug, Clone, Copy)]
pub struct Tokio;

impl Runtime for Tokio {
    type Transport = Io;
    type Timer = Timer;
    type Listener = Listener;

    async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    async fn connect(address: &Address) -> io::Result<Io> {
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
            Listening::Tcp(socket) => TcpListener::from_std(socket)?.into(),
            Listening::Unix(socket) => UnixListener::from_std(socket)?.into(),
        })
    }

    async fn accept(listener: &Listener) -> io::Result<(Io, Peer)> {
        match &listener.0 {
            Inner::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((stream.into(), Peer::tcp(address)))
            }
            Inner::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let peer = Peer::unix(stream.peer_cred().ok().map(|them| Credentials {
                    uid: them.uid(),
                    gid: them.gid(),
                    pid: them.pid(),
                }));
                Ok((stream.into(), peer))
            }
        }
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }
}

/// A socket that listens: tokio's for TCP or for Unix sockets.
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
