//! Faults beneath the protocol: a relay between a client and our server, which answers as it should. What the relay
//! does to the answers no machine of ours can do.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lmtp_futures::{Address, Listening, Runtime};
use lmtp_tokio::proto::server::{Credentials, Peer};
use lmtp_tokio::{Io, Tokio};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener, UnixStream};

use super::{Faults, Step};

/// tokio, with doors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sockets;

/// A socket that listens, and what goes wrong behind it.
#[derive(Debug)]
pub(crate) struct Door {
    socket: Socket,
    faults: Option<Arc<Faults>>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Door {
    /// With these faults.
    pub(crate) fn with(self, faults: &Arc<Faults>) -> Self {
        Self { faults: faults.are_on_the_wire().then(|| Arc::clone(faults)), ..self }
    }

    /// The stream as the server gets it.
    fn behind<S>(&self, stream: S) -> io::Result<Io>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
        Io: From<S>,
    {
        let Some(faults) = &self.faults else { return Ok(stream.into()) };
        let (ours, theirs) = UnixStream::pair()?;
        tokio::spawn(relay(stream, ours, Arc::clone(faults)));
        Ok(theirs.into())
    }
}

impl Runtime for Sockets {
    type Transport = Io;
    type Timer = <Tokio as Runtime>::Timer;
    type Listener = Door;

    async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Tokio::resolve(host, port).await
    }

    async fn connect(address: &Address) -> io::Result<Io> {
        Tokio::connect(address).await
    }

    fn listen(socket: Listening) -> io::Result<Door> {
        let socket = match socket {
            Listening::Tcp(socket) => Socket::Tcp(TcpListener::from_std(socket)?),
            Listening::Unix(socket) => Socket::Unix(UnixListener::from_std(socket)?),
        };
        Ok(Door { socket, faults: None })
    }

    async fn accept(door: &Door) -> io::Result<(Io, Peer)> {
        match &door.socket {
            Socket::Tcp(socket) => {
                let (stream, address) = socket.accept().await?;
                stream.set_nodelay(true)?;
                Ok((door.behind(stream)?, Peer::tcp(address)))
            }
            Socket::Unix(socket) => {
                let (stream, _) = socket.accept().await?;
                let them = stream.peer_cred().ok();
                let them = them.map(|them| Credentials { uid: them.uid(), gid: them.gid(), pid: them.pid() });
                Ok((door.behind(stream)?, Peer::unix(them)))
            }
        }
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        Tokio::spawn(task);
    }
}

/// What a relay knows of a conversation: which answer is for what.
#[derive(Debug)]
struct Conversation {
    /// The answers that are due.
    due: VecDeque<Option<Step>>,
    /// Recipients with a yes, in the message under way.
    accepted: usize,
    reading: Reading,
    line: Vec<u8>,
    /// Whether this message has its wrong count already.
    miscounted: bool,
}

/// What comes from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Commands,
    /// Content to CRLF . CRLF.
    Data,
    /// A chunk of so many octets, and whether it is the last.
    Chunk(u64, bool),
}

/// The line is cut: an error that ends both directions.
fn cut() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

async fn relay<S: AsyncRead + AsyncWrite + Send>(client: S, server: UnixStream, faults: Arc<Faults>) {
    let (from_client, to_client) = tokio::io::split(client);
    let (from_server, to_server) = server.into_split();
    let conversation = Mutex::new(Conversation {
        due: VecDeque::from([Some(Step::Connect)]),
        accepted: 0,
        reading: Reading::Commands,
        line: Vec::new(),
        miscounted: false,
    });
    // One that fails drops the other, and both lines are closed.
    let _ = tokio::try_join!(
        upwards(from_client, to_server, &conversation, &faults),
        downwards(from_server, to_client, &conversation, &faults)
    );
}

fn locked(conversation: &Mutex<Conversation>) -> MutexGuard<'_, Conversation> {
    conversation.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the client says goes on as it is.
async fn upwards(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    conversation: &Mutex<Conversation>,
    faults: &Faults,
) -> io::Result<()> {
    let mut room = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut room).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        let began = locked(conversation).hear(&room[..count]);
        if began && faults.drops(Step::Body) {
            return Err(cut());
        }
        to.write_all(&room[..count]).await?;
    }
}

/// The answers go on, or do not.
async fn downwards(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    conversation: &Mutex<Conversation>,
    faults: &Faults,
) -> io::Result<()> {
    let (mut room, mut said, mut whole) = (vec![0; 16 * 1024], Vec::new(), 0);
    loop {
        let count = from.read(&mut room).await?;
        if count == 0 {
            to.write_all(&said).await?;
            return to.shutdown().await;
        }
        said.extend_from_slice(&room[..count]);
        while let Some(length) = said[whole..].iter().position(|octet| *octet == b'\n') {
            let line = &said[whole..=whole + length];
            let (is_last, code) = (line.get(3) != Some(&b'-'), line.first().copied());
            whole += length + 1;
            if is_last {
                let reply: Vec<u8> = said.drain(..std::mem::take(&mut whole)).collect();
                to.write_all(&answer(reply, code, conversation, faults)?).await?;
            }
        }
    }
}

/// What the client hears instead of this reply. An error cuts the line.
fn answer(
    reply: Vec<u8>,
    code: Option<u8>,
    conversation: &Mutex<Conversation>,
    faults: &Faults,
) -> io::Result<Vec<u8>> {
    let mut conversation = locked(conversation);
    let step = conversation.due.pop_front().flatten();
    conversation.answered(step, code);
    if step.is_some_and(|step| faults.drops(step)) {
        return Err(cut());
    }
    if faults.has(faults.garble) {
        return Ok(garbled(&reply, faults));
    }
    if step == Some(Step::Final) && !conversation.miscounted {
        conversation.miscounted = true;
        if faults.has(faults.fewer) {
            return Ok(Vec::new());
        }
        if faults.has(faults.more) {
            return Ok([reply.as_slice(), reply.as_slice()].concat());
        }
    }
    Ok(reply)
}

/// Something that is no reply.
fn garbled(reply: &[u8], faults: &Faults) -> Vec<u8> {
    let kind = faults.dice().usize(..4);
    match kind {
        0 => b"2x0 what\r\n".to_vec(),
        1 => b"\xff\xfe\x00\x80\r\n".to_vec(),
        2 => reply.iter().copied().filter(|octet| *octet != b'\r').collect(),
        _ => [&b"999"[..], reply.get(3..).unwrap_or_default()].concat(),
    }
}

impl Conversation {
    /// Hears the client; gives whether content has begun.
    fn hear(&mut self, said: &[u8]) -> bool {
        let mut began = false;
        let mut rest = said;
        while let Some((&octet, after)) = rest.split_first() {
            if let Reading::Chunk(left, is_last) = self.reading {
                began |= left > 0;
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                rest = &rest[taken..];
                self.chunk(left - taken as u64, is_last);
                continue;
            }
            rest = after;
            began |= self.reading == Reading::Data;
            self.line.push(octet);
            if octet == b'\n' {
                let line = std::mem::take(&mut self.line);
                match self.reading {
                    Reading::Data if line == b".\r\n" => self.content_ended(),
                    Reading::Data => {}
                    _ => self.command(&line),
                }
            }
        }
        began
    }

    fn command(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line).to_ascii_uppercase();
        let mut words = text.split_ascii_whitespace();
        let step = match words.next().unwrap_or_default() {
            "LHLO" => Some(Step::Lhlo),
            "MAIL" => Some(Step::Mail),
            "RCPT" => Some(Step::Rcpt),
            "DATA" => Some(Step::Data),
            "BDAT" => {
                let size = words.next().and_then(|size| size.parse().ok()).unwrap_or(0);
                return self.chunk(size, words.next() == Some("LAST"));
            }
            // Nothing goes wrong with the others but what goes wrong with all.
            _ => None,
        };
        self.due.push_back(step);
    }

    fn chunk(&mut self, left: u64, is_last: bool) {
        if left > 0 {
            self.reading = Reading::Chunk(left, is_last);
        } else if is_last {
            self.content_ended();
        } else {
            self.reading = Reading::Commands;
            self.due.push_back(Some(Step::Body));
        }
    }

    fn content_ended(&mut self) {
        self.reading = Reading::Commands;
        self.miscounted = false;
        let accepted = std::mem::take(&mut self.accepted);
        self.due.extend(std::iter::repeat_n(Some(Step::Final), accepted));
    }

    /// Takes note of the server's answer, by its first digit.
    fn answered(&mut self, step: Option<Step>, code: Option<u8>) {
        match (step, code) {
            (Some(Step::Mail), Some(b'2')) => self.accepted = 0,
            (Some(Step::Rcpt), Some(b'2')) => self.accepted += 1,
            (Some(Step::Data), Some(b'3')) => self.reading = Reading::Data,
            _ => {}
        }
    }
}
