//! A runtime in memory, on virtual time: one server, one client that is a list of
//! octets, and an executor that polls only who was woken.

use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Buf;
use lmtp_futures::{Address, Handler, Listening, Runtime, Server, Shutdown, Timer, Transport};
use lmtp_proto::server::{Config, Peer};
use lmtp_proto::{Instant, Machine, Output};

/// What is on the line.
#[derive(Default)]
pub struct Wire {
    to_server: Vec<u8>,
    from_server: Vec<u8>,
    /// Each write of the server.
    pub writes: Vec<usize>,
    now: Duration,
    eof: bool,
    pub closed: bool,
    /// The client does not read.
    pub stuck: bool,
    pub read: usize,
}

impl Wire {
    /// The client says something that the server is not yet told of.
    pub fn add(&mut self, octets: &str) {
        self.to_server.extend_from_slice(octets.as_bytes());
    }
}

pub struct Memory;
pub struct Stream(Arc<Mutex<Wire>>);
pub struct NoTimer;

impl Timer for NoTimer {
    fn new() -> Self {
        Self
    }

    fn poll_until(&mut self, _: &mut Context<'_>, _: std::time::Instant) -> Poll<()> {
        Poll::Pending
    }
}

impl Runtime for Memory {
    type Transport = Stream;
    type Timer = NoTimer;
    type Listener = ();

    async fn resolve(_: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn connect(_: &Address) -> io::Result<Stream> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn listen(_: Listening) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn accept((): &()) -> io::Result<(Stream, Peer)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn spawn(_: impl Future<Output = ()> + Send + 'static) {
        panic!("a task of its own for one connection");
    }
}

impl Transport for Stream {
    fn poll_next<M: Machine>(
        &mut self,
        context: &mut Context<'_>,
        machine: &mut M,
    ) -> Poll<Result<Option<M::Event>, M::Error>> {
        loop {
            let now = self.now();
            let output = machine.poll_output(now)?;
            let mut wire = self.0.lock().unwrap();
            match output {
                Output::Event(event) => return Poll::Ready(Ok(Some(event))),
                Output::Closed => return Poll::Ready(Ok(None)),
                Output::StartTls => machine.handle_eof(),
                Output::Transmit if !wire.stuck => {
                    let queue = machine.transmit();
                    let count = queue.chunk().len();
                    wire.from_server.write_all(queue.chunk()).unwrap();
                    wire.writes.push(count);
                    queue.advance(count);
                }
                Output::Receive if !wire.to_server.is_empty() => {
                    let input = machine.input();
                    let room = (input.capacity() - input.len()).min(wire.to_server.len());
                    input.extend(wire.to_server.drain(..room));
                    wire.read += room;
                }
                Output::Receive if wire.eof => machine.handle_eof(),
                Output::Transmit | Output::Receive | Output::Wait => {
                    drop(wire);
                    let Some(deadline) = machine.poll_timeout() else { return Poll::Pending };
                    if self.poll_sleep(context, deadline).is_pending() {
                        return Poll::Pending;
                    }
                    machine.handle_timeout(self.now());
                }
            }
        }
    }

    fn poll_sleep(&mut self, _: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if self.now() >= deadline { Poll::Ready(()) } else { Poll::Pending }
    }

    fn now(&self) -> Instant {
        Instant::after_origin(self.0.lock().unwrap().now)
    }

    fn lost(&self) -> Option<&io::Error> {
        None
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().unwrap().closed = true;
        Poll::Ready(Ok(()))
    }
}

/// Whether the server's task was woken, and how often.
#[derive(Default)]
struct Woken(AtomicBool, AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

/// A server with one client.
pub struct Served {
    wire: Arc<Mutex<Wire>>,
    woken: Arc<Woken>,
    task: Option<Pin<Box<dyn Future<Output = ()>>>>,
    pub shutdown: Shutdown,
    /// How often the task was polled.
    pub polls: usize,
}

impl Served {
    pub fn new(handler: impl Handler) -> Self {
        Self::with(Config::default(), handler)
    }

    pub fn with(config: Config, handler: impl Handler) -> Self {
        Self::by(Server::new(handler).config(config))
    }

    pub fn by(server: Server<Memory, impl Handler>) -> Self {
        let wire = Arc::<Mutex<Wire>>::default();
        let stream = Stream(Arc::clone(&wire));
        let shutdown = server.handle();
        let peer = Peer::tcp("192.0.2.1:40000".parse().unwrap());
        let task = Box::pin(async move { server.serve_stream(stream, peer).await });
        let mut served = Self { wire, woken: Arc::default(), task: Some(task), shutdown, polls: 0 };
        served.poke();
        served
    }

    /// The line has something new.
    fn poke(&mut self) {
        self.woken.0.store(true, Ordering::SeqCst);
        self.run();
    }

    /// Polls the task as long as it is woken.
    pub fn run(&mut self) {
        let waker = Waker::from(Arc::clone(&self.woken));
        while self.woken.0.swap(false, Ordering::SeqCst) {
            let Some(task) = &mut self.task else { return };
            self.polls += 1;
            assert!(self.polls < 1_000_000, "it turns in circles");
            if task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                self.task = None;
            }
        }
    }

    pub fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().unwrap()
    }

    /// The client says something; gives what the server says to it.
    pub fn say(&mut self, octets: impl AsRef<[u8]>) -> String {
        self.wire().to_server.extend_from_slice(octets.as_ref());
        self.poke();
        self.heard()
    }

    /// What the server has said since it was last asked.
    pub fn heard(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.wire().from_server)).unwrap()
    }

    /// Time passes; gives what the server says then.
    pub fn wait(&mut self, seconds: u64) -> String {
        self.wire().now += Duration::from_secs(seconds);
        self.poke();
        self.heard()
    }

    /// The client goes.
    pub fn leave(&mut self) {
        self.wire().eof = true;
        self.poke();
    }

    /// Whether the connection is over, and its task at an end.
    pub fn is_over(&self) -> bool {
        self.task.is_none()
    }

    /// Octets that nobody has read.
    pub fn unread(&self) -> usize {
        self.wire().to_server.len()
    }

    /// How often the task was woken by itself or by the application.
    pub fn wakes(&self) -> usize {
        self.woken.1.load(Ordering::SeqCst)
    }

    /// Up to the end of DATA, for so many recipients.
    pub fn open(&mut self, recipients: usize) {
        let to = rcpts(recipients);
        let heard = self.say(format!("LHLO c\r\nMAIL FROM:<a@x>\r\n{to}DATA\r\n"));
        assert!(heard.lines().last().is_some_and(|last| last.starts_with("354 ")), "no content is wanted");
    }
}

/// RCPT for so many recipients.
pub fn rcpts(recipients: usize) -> String {
    (0..recipients).fold(String::new(), |all, number| all + &format!("RCPT TO:<{number}@x>\r\n"))
}
