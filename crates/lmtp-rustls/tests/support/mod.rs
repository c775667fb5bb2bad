//! Two ends of an encrypted connection, joined in memory on virtual time.

#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod pki;

use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use lmtp_proto::client::{self, Client, StartTls};
use lmtp_proto::server::{self, Ask, Server};
use lmtp_proto::{Content, Envelope, Instant, Machine, Output, RecipientId, Reply, Report};
use lmtp_rustls::{ClientTls, Error, Handshake, ServerTls, Tls};
use lmtp_testkit::counted::Counted;

use self::pki::PKI;

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    Implicit,
    StartTls,
}

pub(crate) const BOTH: [Begin; 2] = [Begin::Implicit, Begin::StartTls];
pub(crate) const MESSAGE: &[u8] = b"Subject: hi\r\n\r\n.Hello\r\n";

/// So many octets are under way at most.
const LINK: usize = 128 * 1024;

/// One way between the two: what is written comes out, as much at a time as it is told.
#[derive(Debug, Default)]
pub(crate) struct Link {
    waiting: BytesMut,
    pub(crate) written: usize,
    pub(crate) delivered: usize,
    /// Octets that were written, all of them, if they are to be kept.
    pub(crate) kept: Option<Vec<u8>>,
    /// Places in the stream where a read ends.
    pub(crate) cuts: Vec<usize>,
    /// The most that a read gives.
    pub(crate) most: Option<usize>,
    /// Where the stream breaks off.
    pub(crate) breaks_at: Option<usize>,
    /// An octet that is changed on its way.
    pub(crate) tampered: Option<usize>,
    /// The writer has closed it.
    pub(crate) closed: bool,
}

impl Link {
    fn write(&mut self, octets: &[u8]) {
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(octets);
        }
        let from = self.waiting.len();
        self.waiting.extend_from_slice(octets);
        if let Some(place) = self.tampered.filter(|place| (self.written..self.written + octets.len()).contains(place)) {
            self.waiting[from + place - self.written] ^= 0x40;
        }
        self.written += octets.len();
    }

    /// Whether a read would come to anything.
    pub(crate) fn is_readable(&self) -> bool {
        self.closed || self.breaks_at == Some(self.delivered) || !self.waiting.is_empty()
    }

    /// What is on its way never comes.
    pub(crate) fn lose(&mut self) {
        self.waiting.clear();
    }

    /// `None` at the end of the stream.
    fn read(&mut self, input: &mut BytesMut) -> Option<usize> {
        let mut count = self.waiting.len().min(input.capacity() - input.len());
        count = count.min(self.most.unwrap_or(usize::MAX));
        for place in self.cuts.iter().chain(&self.breaks_at) {
            if *place > self.delivered {
                count = count.min(place - self.delivered);
            }
        }
        if self.breaks_at == Some(self.delivered) || (self.closed && self.waiting.is_empty()) {
            return None;
        }
        input.extend_from_slice(&self.waiting[..count]);
        self.waiting.advance(count);
        if self.waiting.is_empty() {
            self.waiting = BytesMut::new();
        }
        self.delivered += count;
        Some(count)
    }
}

/// A message that the server took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) to: Vec<String>,
    pub(crate) content: Vec<u8>,
}

type End<M> = Counted<Tls<M>>;

/// A client that sends one message and leaves, and a server that takes everything.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags are what a model is made of")]
pub(crate) struct Joined {
    pub(crate) client: End<Client>,
    pub(crate) server: End<Server>,
    pub(crate) to_server: Link,
    pub(crate) to_client: Link,
    pub(crate) now: Instant,
    pub(crate) report: Option<Report>,
    pub(crate) client_error: Option<Error<lmtp_proto::Error>>,
    pub(crate) server_error: Option<Error<server::Error>>,
    pub(crate) client_closed: bool,
    pub(crate) server_closed: bool,
    pub(crate) stored: Vec<Stored>,
    /// Content is thrown away, only its size is kept.
    pub(crate) forgets: bool,
    /// The client says no QUIT.
    pub(crate) stays: bool,
    pub(crate) taken: usize,
    pieces: Vec<Bytes>,
    recipients: Vec<String>,
    content: Vec<u8>,
    pub(crate) questions: usize,
    /// Who waits to read, and has been asked.
    client_waits: bool,
    server_waits: bool,
    pub(crate) external: Option<lmtp_sasl::ExternalServer<Anybody>>,
}

/// Lets everybody be who the line says.
#[derive(Debug)]
pub(crate) struct Anybody;

impl lmtp_sasl::Verifier for Anybody {}

pub(crate) fn envelope() -> Envelope {
    let to = ["bob@example.org", "eve@example.org"].map(|to| to.parse().unwrap());
    Envelope::new("ann@example.org".parse().unwrap(), to).unwrap()
}

/// The sides that fit each other.
pub(crate) fn client_tls() -> ClientTls {
    ClientTls::builder().ca_file(PKI.path("ca.pem")).build().unwrap()
}

pub(crate) fn server_tls() -> ServerTls {
    ServerTls::builder(PKI.path("mx.pem"), PKI.path("mx.key")).build().unwrap()
}

impl Joined {
    pub(crate) fn new(begin: Begin) -> Self {
        Self::with(begin, client_tls().handshake(Some("mx.example.org")).unwrap(), server_tls().handshake())
    }

    pub(crate) fn with(begin: Begin, client_side: Handshake, server_side: Handshake) -> Self {
        Self::configured(begin, client_side, server_side, |_, _| {})
    }

    pub(crate) fn configured(
        begin: Begin,
        client_side: Handshake,
        server_side: Handshake,
        configure: impl FnOnce(&mut client::Config, &mut server::Config),
    ) -> Self {
        let (mut ours, mut theirs) = (client::Config::default(), server::Config::default());
        if begin == Begin::StartTls {
            ours.starttls = StartTls::Required;
            (theirs.offer.starttls, theirs.require) = (true, server::Require::Tls);
        }
        configure(&mut ours, &mut theirs);
        let (client, server) = (Client::new(ours), Server::new(theirs));
        let (client, server) = match begin {
            Begin::Implicit => (Tls::implicit(client, client_side), Tls::implicit(server, server_side)),
            Begin::StartTls => (Tls::new(client, client_side), Tls::new(server, server_side)),
        };
        let mut client = Counted::new(client);
        client.act().inner_mut().deliver(envelope(), Content::UNKNOWN).unwrap();
        Self {
            client,
            server: Counted::new(server),
            to_server: Link::default(),
            to_client: Link::default(),
            now: Instant::ORIGIN,
            report: None,
            client_error: None,
            server_error: None,
            client_closed: false,
            server_closed: false,
            stored: Vec::new(),
            forgets: false,
            stays: false,
            taken: 0,
            pieces: vec![Bytes::from_static(MESSAGE)],
            recipients: Vec::new(),
            content: Vec::new(),
            questions: 0,
            client_waits: false,
            server_waits: false,
            external: None,
        }
    }

    /// Sends so many octets of content instead, in pieces.
    pub(crate) fn sending(mut self, pieces: usize, piece: usize) -> Self {
        let line: Bytes =
            b"0123456789abcdefghijklmnopqrstuvwxyz\r\n".iter().copied().cycle().take(piece / 38 * 38).collect();
        self.pieces = vec![line; pieces];
        self
    }

    /// Runs until both wait for the other, or are done.
    pub(crate) fn run(&mut self) -> &mut Self {
        while self.client_step() | self.server_step() {}
        self
    }

    /// Lets time pass up to a deadline of one of them, until both are done.
    pub(crate) fn run_out(&mut self) -> &mut Self {
        self.run();
        for _ in 0..20 {
            let deadlines = [
                self.client.poll_timeout().filter(|_| !self.client_closed),
                self.server.poll_timeout().filter(|_| !self.server_closed),
            ];
            let Some(next) = deadlines.into_iter().flatten().min() else { break };
            self.pass(next.saturating_since(self.now));
            self.run();
        }
        self
    }

    /// Lets time pass, and tells both.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
        self.client.handle_timeout(self.now);
        self.server.handle_timeout(self.now);
        (self.client_waits, self.server_waits) = (false, false);
    }

    /// Shuts the server down.
    pub(crate) fn shut_down(&mut self) {
        self.server.act().inner_mut().shut_down();
        self.server_waits = false;
    }

    /// One thing that the client does; `false` if it waits or is done.
    pub(crate) fn client_step(&mut self) -> bool {
        if self.client_closed || (self.client_waits && !self.to_client.is_readable()) {
            return false;
        }
        self.client_waits = false;
        let output = self.client.poll_output(self.now);
        self.client_does(output)
    }

    /// What the client was told to do.
    pub(crate) fn client_does(&mut self, output: Result<Output<client::Event>, Error<lmtp_proto::Error>>) -> bool {
        match output {
            Ok(Output::Event(client::Event::BodyWanted(_))) => {
                let piece = self.pieces.pop();
                let client = self.client.act().inner_mut();
                match piece {
                    Some(piece) => client.body(piece).unwrap(),
                    None => client.end().unwrap(),
                }
            }
            Ok(Output::Event(client::Event::Done(_))) => {
                self.report = self.client.act().inner_mut().take_report();
                if !self.stays {
                    self.client.act().inner_mut().quit().unwrap();
                }
            }
            Ok(Output::Event(_)) => {}
            Ok(Output::Transmit) => return write(&mut self.client, &mut self.to_server),
            Ok(Output::Receive) => {
                self.client_waits = !read(&mut self.client, &mut self.to_client, self.now);
                return !self.client_waits;
            }
            Ok(Output::Closed) => self.client_ends(),
            Ok(output @ (Output::StartTls | Output::Wait)) => panic!("{output:?}"),
            Err(error) => {
                assert_eq!(self.client.poll_output(self.now), Err(error.clone()), "final, and repeats");
                self.report = self.client.act().inner_mut().take_report().or(self.report.take());
                self.client_error = Some(error);
                self.client_ends();
            }
        }
        true
    }

    fn client_ends(&mut self) {
        (self.client_closed, self.to_server.closed) = (true, true);
    }

    /// One thing that the server does; `false` if it waits or is done.
    pub(crate) fn server_step(&mut self) -> bool {
        if self.server_closed || (self.server_waits && !self.to_server.is_readable()) {
            return false;
        }
        self.server_waits = false;
        match self.server.poll_output(self.now) {
            Ok(Output::Event(event)) => self.serve(event),
            Ok(Output::Transmit) => return write(&mut self.server, &mut self.to_client),
            Ok(Output::Receive) => {
                self.server_waits = !read(&mut self.server, &mut self.to_server, self.now);
                return !self.server_waits;
            }
            Ok(Output::Wait) => return false,
            Ok(Output::Closed) => (self.server_closed, self.to_client.closed) = (true, true),
            Ok(output @ Output::StartTls) => panic!("{output:?}"),
            Err(error) => {
                assert_eq!(self.server.poll_output(self.now), Err(error.clone()), "final, and repeats");
                self.server_error = Some(error);
                (self.server_closed, self.to_client.closed) = (true, true);
            }
        }
        true
    }

    fn serve(&mut self, event: server::Event) {
        match event {
            server::Event::Question(question) => {
                self.questions += 1;
                match question.ask() {
                    Ask::Mail(..) => (self.recipients, self.content) = (Vec::new(), Vec::new()),
                    Ask::Rcpt(_, _, to, _) => self.recipients.push(to.to_string()),
                    Ask::Auth(..) | Ask::AuthResponse(_) => {
                        let identity = self.server.peer_identity().and_then(|names| Some(names.authcid()?.to_owned()));
                        let mechanism =
                            self.external.get_or_insert_with(|| lmtp_sasl::ExternalServer::new(Anybody, identity));
                        self.server.act().inner_mut().authenticate(question, mechanism).unwrap();
                        return;
                    }
                    _ => {}
                }
                self.server.act().inner_mut().accept(question).unwrap();
            }
            server::Event::Content(_, octets) => {
                self.taken += octets.len();
                if !self.forgets {
                    self.content.extend_from_slice(&octets);
                }
            }
            server::Event::End(id) => {
                let content = std::mem::take(&mut self.content);
                self.stored.push(Stored { to: self.recipients.clone(), content });
                for place in 0..u32::try_from(self.recipients.len()).unwrap() {
                    let verdict = Reply::new(250, None, "2.1.5 stored").unwrap();
                    self.server.act().inner_mut().verdict(id, RecipientId(place), verdict).unwrap();
                }
            }
            _ => {}
        }
    }

    /// Both ends are done, and all is as it should be.
    #[track_caller]
    pub(crate) fn assert_well(&self) {
        assert_eq!((&self.client_error, &self.server_error), (&None, &None));
        assert!(self.client_closed && self.server_closed, "{self:#?}");
        assert!(self.report.as_ref().unwrap().all_delivered());
        let to = ["bob@example.org", "eve@example.org"].map(str::to_owned).to_vec();
        assert_eq!(self.stored, [Stored { to, content: MESSAGE.to_vec() }]);
    }

    /// What the client says agrees with what the server has: invariant 31.
    #[track_caller]
    pub(crate) fn assert_honest(&self) {
        let stored = !self.stored.is_empty();
        let report = self.report.clone().or_else(|| self.client.inner().report()).unwrap();
        for recipient in report.recipients() {
            use lmtp_proto::Outcome as O;
            let honest = match recipient.outcome() {
                O::Delivered => stored,
                O::Unsent | O::Permanent | O::Temporary => !stored,
                O::Uncertain => true,
            };
            assert!(honest, "stored: {stored}, {recipient}");
        }
        assert!(self.stored.iter().all(|stored| stored.content == MESSAGE), "a part for the whole");
    }
}

/// Whether there was room on the link.
fn write<M: Machine>(end: &mut End<M>, link: &mut Link) -> bool {
    let queue = end.transmit();
    assert!(queue.has_remaining(), "asked to write nothing");
    let octets = queue.copy_to_bytes(queue.remaining().min(LINK - link.waiting.len()));
    link.write(&octets);
    !octets.is_empty()
}

/// Whether anything was read, or happened.
fn read<M: Machine>(end: &mut End<M>, link: &mut Link, now: Instant) -> bool {
    match link.read(end.input()) {
        Some(0) if end.poll_timeout() == Some(now) => end.handle_timeout(now),
        Some(0) => return false,
        Some(_) => {}
        None => end.handle_eof(),
    }
    true
}
