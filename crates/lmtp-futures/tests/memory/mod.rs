//! A runtime whose connections are in memory, and a server that is slow and plain.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use lmtp_futures::{Address, Listening, Runtime, Timer, Transport};
use lmtp_proto::bytes::Buf;
use lmtp_proto::{Instant, Machine, Output, server};

/// A server that refuses eve and stores the rest.
#[derive(Debug, Default)]
pub(crate) struct Server {
    /// The messages, as they were sent.
    pub(crate) stored: Vec<String>,
    unread: Vec<u8>,
    recipients: usize,
    in_data: bool,
}

impl Server {
    /// What it says to this.
    fn hear(&mut self, octets: &[u8]) -> String {
        self.unread.extend_from_slice(octets);
        let mut says = String::new();
        loop {
            let end: &[u8] = if self.in_data { b"\r\n.\r\n" } else { b"\r\n" };
            let Some(place) = self.unread.windows(end.len()).position(|window| window == end) else { return says };
            let rest = self.unread.split_off(place + end.len());
            let text = String::from_utf8(std::mem::replace(&mut self.unread, rest)).unwrap();
            says += &self.answer(&text);
        }
    }

    fn answer(&mut self, text: &str) -> String {
        if std::mem::take(&mut self.in_data) {
            self.stored.push(text.strip_suffix(".\r\n").unwrap().to_owned());
            return "250 2.0.0 Saved\r\n".repeat(std::mem::take(&mut self.recipients));
        }
        let verb = text.split([' ', '\r']).next().unwrap_or_default();
        match verb {
            "LHLO" => "250-mx\r\n250 PIPELINING\r\n".into(),
            "RCPT" if text.contains("eve") => "550 5.1.1 Who\r\n".into(),
            "RCPT" => {
                self.recipients += 1;
                "250 2.1.5 Ok\r\n".into()
            }
            "DATA" if self.recipients > 0 => {
                self.in_data = true;
                "354 Go\r\n".into()
            }
            "RSET" | "MAIL" => {
                self.recipients = 0;
                "250 Ok\r\n".into()
            }
            "QUIT" => "221 Bye\r\n".into(),
            _ => "503 5.5.1 What\r\n".into(),
        }
    }
}

/// A connection to it, that moves so many octets at a time and lets its caller wait
/// before each.
#[derive(Debug)]
pub(crate) struct Peer {
    server: Arc<Mutex<Server>>,
    says: Vec<u8>,
    piece: usize,
    waited: bool,
}

impl Peer {
    pub(crate) fn new(server: Arc<Mutex<Server>>, piece: usize) -> Self {
        Self { server, says: b"220 mx ready\r\n".to_vec(), piece, waited: false }
    }
}

impl Transport for Peer {
    fn poll_next<M: Machine>(
        &mut self,
        _: &mut Context<'_>,
        machine: &mut M,
    ) -> Poll<Result<Option<M::Event>, M::Error>> {
        loop {
            match machine.poll_output(self.now())? {
                Output::Event(event) => return Poll::Ready(Ok(Some(event))),
                Output::Closed => return Poll::Ready(Ok(None)),
                Output::Receive if self.says.is_empty() && machine.poll_timeout() == Some(self.now()) => {
                    machine.handle_timeout(self.now());
                }
                // It is nobody's turn but the caller's; a client that waits for ever is
                // found by the number of polls.
                Output::Receive if self.says.is_empty() => return Poll::Pending,
                _ if !std::mem::replace(&mut self.waited, true) => return Poll::Pending,
                Output::Receive => {
                    self.waited = false;
                    let count = self.says.len().min(self.piece);
                    machine.input().extend(self.says.drain(..count));
                }
                Output::Transmit => {
                    self.waited = false;
                    let queue = machine.transmit();
                    let count = queue.chunk().len().min(self.piece);
                    let answer = self.server.lock().unwrap().hear(&queue.chunk()[..count]);
                    queue.advance(count);
                    self.says.extend(answer.bytes());
                }
                output @ (Output::StartTls | Output::Wait) => panic!("{output:?}", output = kind(&output)),
            }
        }
    }

    fn poll_sleep(&mut self, _: &mut Context<'_>, _: Instant) -> Poll<()> {
        Poll::Pending
    }

    fn now(&self) -> Instant {
        Instant::ORIGIN
    }

    fn lost(&self) -> Option<&io::Error> {
        None
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn kind<E>(output: &Output<E>) -> &'static str {
    if matches!(output, Output::Wait) { "a client waits" } else { "nobody asked for TLS" }
}

/// A runtime that only has connections that are there already.
#[derive(Debug)]
pub(crate) struct InMemory;

impl Runtime for InMemory {
    type Transport = Peer;
    type Timer = Never;
    type Listener = ();

    async fn resolve(_: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn connect(_: &Address) -> io::Result<Peer> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn listen(_: Listening) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn accept((): &()) -> io::Result<(Peer, server::Peer)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn spawn(_: impl Future<Output = ()> + Send + 'static) {}
}

/// A clock that stands still.
pub(crate) struct Never;

impl Timer for Never {
    fn new() -> Self {
        Self
    }

    fn poll_until(&mut self, _: &mut Context<'_>, _: std::time::Instant) -> Poll<()> {
        Poll::Pending
    }
}
