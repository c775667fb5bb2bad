//! A client machine against a server machine, in memory, with nothing between them.

use bytes::{Buf, Bytes};
use lmtp_proto::client::{self, Client};
use lmtp_proto::server::{self, Ask, Server};
use lmtp_proto::{Content, Envelope, Instant, Machine, Output, RecipientId, Reply, Report};

/// What is done around each call of a machine: to count what it costs, and nothing else of the test.
pub trait Watch {
    /// The client is called.
    fn client<T>(&mut self, call: impl FnOnce() -> T) -> T;
    /// The server is called.
    fn server<T>(&mut self, call: impl FnOnce() -> T) -> T;
}

/// Nothing is done.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn client<T>(&mut self, call: impl FnOnce() -> T) -> T {
        call()
    }

    fn server<T>(&mut self, call: impl FnOnce() -> T) -> T {
        call()
    }
}

/// A message as often as it is wanted.
#[derive(Debug, Clone)]
pub struct Letter {
    /// From whom, and for whom.
    pub envelope: Envelope,
    /// What the client is told of the content.
    pub content: Content,
    /// The content, as it is given.
    pub pieces: Vec<Bytes>,
}

/// A client and a server that talk to each other. The server's handler takes everything and keeps nothing,
/// and no octet is copied but from the one's queue to the other's buffer, as sockets would.
#[derive(Debug)]
pub struct Pair<W = Unwatched> {
    /// The one.
    pub client: Client,
    /// The other.
    pub server: Server,
    /// What is done around each of their calls.
    pub watch: W,
    /// Octets of content that the server has taken in.
    pub taken: u64,
    /// How often either was asked what to do.
    pub polls: u64,
    /// The verdict on every recipient.
    verdict: Reply,
    recipients: u32,
    /// Whether the server is waiting to read.
    server_reads: bool,
    /// How many pieces of the letter at hand were given.
    given: usize,
}

impl<W: Watch> Pair<W> {
    /// A new connection, on which LHLO has been answered.
    pub fn open(client: client::Config, server: impl Into<std::sync::Arc<server::Config>>, watch: W) -> Self {
        let mut pair = Self {
            client: Client::new(client),
            server: Server::new(server),
            watch,
            taken: 0,
            polls: 0,
            verdict: Reply::new(250, None, "2.1.5 stored").expect("a reply"),
            recipients: 0,
            server_reads: false,
            given: 0,
        };
        pair.run(None, |event| *event == client::Event::Open);
        pair.rest();
        pair
    }

    /// Sends a letter; its report.
    pub fn send(&mut self, letter: &Letter) -> Report {
        let (client, envelope) = (&mut self.client, letter.envelope.clone());
        self.watch.client(|| client.deliver(envelope, letter.content)).expect("no letter is under way");
        self.finish(letter)
    }

    /// Sends a letter so many times, the next one handed over while the answers to the last are awaited, if
    /// the client has room for two.
    pub fn send_many(&mut self, letter: &Letter, count: usize) {
        let mut asked = 0;
        for done in 0..count {
            while asked < count && asked <= done + 1 && self.client.has_room() {
                let (client, envelope) = (&mut self.client, letter.envelope.clone());
                self.watch.client(|| client.deliver(envelope, letter.content)).expect("it has room");
                asked += 1;
            }
            assert!(self.finish(letter).all_delivered(), "everything is taken");
        }
    }

    /// Runs until the letter under way is done.
    fn finish(&mut self, letter: &Letter) -> Report {
        self.run(Some(letter), |event| matches!(event, client::Event::Done(_)));
        let client = &mut self.client;
        self.watch.client(|| client.take_report()).expect("it is done")
    }

    /// Runs until both wait for the other.
    pub fn rest(&mut self) {
        self.run(None, |_| false);
    }

    /// Runs until the client tells of what is awaited, or nobody has anything to do.
    fn run(&mut self, letter: Option<&Letter>, mut awaited: impl FnMut(&client::Event) -> bool) {
        let now = Instant::ORIGIN;
        loop {
            let client = &mut self.client;
            self.polls += 1;
            let client_does = match self.watch.client(|| client.poll_output(now)).expect("nothing goes wrong") {
                Output::Event(client::Event::BodyWanted(_)) => {
                    self.give(letter.expect("a letter is under way"));
                    continue;
                }
                Output::Event(event) if awaited(&event) => return,
                Output::Event(_) => continue,
                // A look at what is there: there is nothing.
                Output::Receive if client.poll_timeout() == Some(now) => {
                    self.watch.client(|| client.handle_timeout(now));
                    continue;
                }
                output => output,
            };
            // Nobody is given more to read than asked for.
            let wrote = client_does == Output::Transmit && self.server_reads;
            if wrote {
                let (client, server) = (&mut self.client, &mut self.server);
                let queue = client.transmit();
                let octets = queue.chunk();
                let input = self.watch.server(|| server.input());
                let count = octets.len().min(input.capacity() - input.len());
                input.extend_from_slice(&octets[..count]);
                self.watch.client(|| client.transmit().advance(count));
            }
            if !(self.serve(now) || wrote || client_does == Output::Transmit) {
                return;
            }
        }
    }

    /// Gives the next piece of the content, or its end.
    fn give(&mut self, letter: &Letter) {
        let client = &mut self.client;
        if let Some(piece) = letter.pieces.get(self.given).cloned() {
            self.given += 1;
            self.watch.client(|| client.body(piece)).expect("content was wanted");
        } else {
            self.given = 0;
            self.watch.client(|| client.end()).expect("content was wanted");
        }
    }

    /// Runs the server until it has said something, which is given back, or waits.
    fn serve(&mut self, now: Instant) -> bool {
        loop {
            let server = &mut self.server;
            self.polls += 1;
            match self.watch.server(|| server.poll_output(now)).expect("nothing goes wrong") {
                Output::Event(server::Event::Question(question)) => {
                    match question.ask() {
                        Ask::Mail(..) => self.recipients = 0,
                        Ask::Rcpt(..) => self.recipients += 1,
                        _ => {}
                    }
                    self.watch.server(|| server.accept(question)).expect("it is open");
                }
                Output::Event(server::Event::Content(_, octets)) => self.taken += octets.len() as u64,
                Output::Event(server::Event::End(id)) => {
                    for place in 0..self.recipients {
                        let verdict = self.verdict.clone();
                        self.watch
                            .server(|| server.verdict(id, RecipientId(place), verdict))
                            .expect("the first verdict");
                    }
                }
                Output::Event(_) => {}
                Output::Transmit => {
                    let client = &mut self.client;
                    let queue = server.transmit();
                    let octets = queue.chunk();
                    let input = self.watch.client(|| client.input());
                    let count = octets.len().min(input.capacity() - input.len());
                    input.extend_from_slice(&octets[..count]);
                    self.watch.server(|| server.transmit().advance(count));
                    self.server_reads = false;
                    return true;
                }
                Output::StartTls => panic!("nobody asked for TLS"),
                Output::Receive => {
                    self.server_reads = true;
                    return false;
                }
                Output::Wait | Output::Closed => {
                    self.server_reads = false;
                    return false;
                }
            }
        }
    }
}
