//! A client machine in memory, on virtual time.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::{Buf, Bytes};
use lmtp_proto::client::{Client, Config, Event};
use lmtp_proto::value::MailParams;
use lmtp_proto::{Content, Envelope, Error, Instant, Machine, Misuse, Output, Report, ReversePath, TransactionId};

use crate::counted::Counted;

/// Where the content of a message comes from.
#[derive(Debug, Clone)]
pub struct Message {
    /// The octets.
    pub octets: Vec<u8>,
    /// What the client is told of them.
    pub content: Content,
    /// How many octets are given at a time.
    pub chunk: usize,
    /// After how many octets reading fails, if it does.
    pub fails_at: Option<usize>,
}

impl Message {
    /// A message of which nothing is told, given all at once.
    pub fn new(octets: impl Into<Vec<u8>>) -> Self {
        Self { octets: octets.into(), content: Content::UNKNOWN, chunk: usize::MAX, fails_at: None }
    }
}

/// A client machine, the messages it sends, and all that came of them.
#[derive(Debug)]
pub struct Session {
    /// The machine.
    pub client: Counted<Client>,
    /// What it is told to send.
    pub message: Message,
    /// Messages to be delivered as soon as the client takes them.
    pub pending: VecDeque<(Envelope, Message)>,
    /// How many octets it had written when the stream was encrypted.
    pub clear: Option<usize>,
    /// Whether to encrypt the stream when it is asked for.
    pub encrypts: bool,
    /// Whether to say QUIT as soon as the client takes it.
    pub leaves: bool,
    /// Every event, except for the wishes for content.
    pub events: Vec<Event>,
    /// Every octet it wrote.
    pub sent: Vec<u8>,
    /// The error that ended it.
    pub error: Option<Error>,
    /// The report of the last message, once it is complete.
    pub report: Option<Report>,
    /// Every report, in the order in which they came.
    pub reports: Vec<Report>,
    /// Recipients may still be added, to the report too.
    adding: bool,
    now: Instant,
    /// The messages that were delivered, and how much of each was given.
    outgoing: Vec<(TransactionId, Message, usize)>,
    /// Content is wanted of this one; it is given when the client gets to write.
    wanted: Option<TransactionId>,
}

/// What a session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// To write, or to be given content.
    ToSend,
    /// To read.
    ToReceive,
    /// For the stream to be encrypted.
    ToEncrypt,
    /// Nothing: it is over.
    Over,
}

impl Session {
    /// A session that is to deliver a message.
    pub fn new(config: Config, envelope: Envelope, message: Message) -> Self {
        let mut session = Self::idle(config, message);
        session.deliver(envelope);
        session
    }

    /// A session without a message to deliver.
    pub fn idle(config: Config, message: Message) -> Self {
        Self {
            client: Counted::new(Client::new(config)),
            message,
            pending: VecDeque::new(),
            clear: None,
            encrypts: true,
            leaves: false,
            events: Vec::new(),
            sent: Vec::new(),
            error: None,
            report: None,
            reports: Vec::new(),
            adding: false,
            now: Instant::ORIGIN,
            outgoing: Vec::new(),
            wanted: None,
        }
    }

    /// Delivers the message, again if need be.
    pub fn deliver(&mut self, envelope: Envelope) {
        let message = self.message.clone();
        self.try_deliver(envelope, message).expect("no message is under way");
    }

    /// Delivers a message, if the client takes it.
    pub fn try_deliver(&mut self, envelope: Envelope, message: Message) -> Result<TransactionId, Misuse> {
        let id = self.client.act().deliver(envelope, message.content)?;
        self.outgoing.push((id, message, 0));
        self.report = None;
        self.take_reports();
        Ok(id)
    }

    /// Opens a transaction for the message, to be gone through step by step.
    pub fn mail(&mut self, from: ReversePath, params: MailParams) {
        let message = self.message.clone();
        let id = self.client.act().mail(from, params, message.content).expect("no message is under way");
        self.outgoing.push((id, message, 0));
        (self.report, self.adding) = (None, true);
    }

    /// The message has all its recipients.
    pub fn data(&mut self) {
        self.client.act().data().expect("an open transaction");
        self.adding = false;
    }

    /// Gives up the message under way.
    pub fn give_up(&mut self) {
        (self.wanted, self.adding) = (None, false);
        self.client.act().give_up();
        self.take_reports();
    }

    fn take_reports(&mut self) {
        while let Some(report) = self.client.take_report() {
            self.reports.push(report.clone());
            self.report = Some(report);
        }
    }

    /// Asks for what is to be asked for as soon as that is possible.
    fn ask(&mut self, over: bool) {
        while !self.pending.is_empty() && (self.client.has_room() || over) {
            let (envelope, message) = self.pending.pop_front().expect("one is there");
            self.try_deliver(envelope, message).expect("a client with room, or one that is over, takes a message");
        }
        if self.leaves && self.pending.is_empty() {
            self.leaves = self.client.act().quit() == Err(Misuse::Busy);
        }
    }

    /// Runs until it waits for something, without writing or giving content.
    pub fn settle(&mut self) -> Waiting {
        // Asked once more than it must be, if nothing has happened since.
        self.client.act();
        if self.wanted.is_some() {
            return Waiting::ToSend;
        }
        loop {
            self.ask(false);
            let output = match self.client.poll_output(self.now) {
                Ok(output) => output,
                Err(error) => {
                    assert_eq!(self.client.poll_output(self.now), Err(error.clone()), "an error is final and repeats");
                    self.error = Some(error);
                    self.take_reports();
                    self.ask(true);
                    return Waiting::Over;
                }
            };
            match output {
                Output::Event(Event::BodyWanted(id)) => {
                    self.wanted = Some(id);
                    return Waiting::ToSend;
                }
                Output::Event(event) => {
                    if let Event::Done(id) = event
                        && !self.adding
                    {
                        // It may have been there at once, and have been taken.
                        if let Some(report) = self.client.take_report() {
                            self.reports.push(report.clone());
                            self.report = Some(report);
                        }
                        let taken = self.reports.last().expect("a report is there when it is done");
                        assert_eq!(taken.transaction(), id);
                    }
                    self.events.push(event);
                }
                Output::Transmit => return Waiting::ToSend,
                // A look at what is there: there is nothing.
                Output::Receive if self.client.poll_timeout() == Some(self.now) => {
                    self.client.handle_timeout(self.now);
                }
                Output::Receive => return Waiting::ToReceive,
                Output::Wait => panic!("a client always has room"),
                Output::StartTls if self.encrypts => self.encrypt(),
                Output::StartTls => return Waiting::ToEncrypt,
                Output::Closed => {
                    self.ask(true);
                    return Waiting::Over;
                }
            }
        }
    }

    /// Whether it waits to be given content, not to write.
    pub fn wants_content(&self) -> bool {
        self.wanted.is_some()
    }

    /// Takes one step of a session that waits to send: gives content, or writes
    /// at most `limit` octets.
    pub fn step(&mut self, limit: usize) {
        if let Some(id) = self.wanted.take() {
            return self.give(id);
        }
        let queue = self.client.transmit();
        let count = queue.chunk().len().min(limit);
        assert!(count > 0, "asked to write nothing");
        self.sent.extend_from_slice(&queue.chunk()[..count]);
        queue.advance(count);
    }

    fn give(&mut self, id: TransactionId) {
        let (_, Message { octets, chunk, fails_at, .. }, given) =
            self.outgoing.iter_mut().find(|(known, ..)| *known == id).expect("content is asked for what was delivered");
        let until = fails_at.unwrap_or(octets.len());
        let end = until.min(given.saturating_add((*chunk).max(1)));
        let client = self.client.act();
        let taken = match (*given < end, fails_at) {
            (true, _) => client.body(Bytes::copy_from_slice(&octets[*given..end])),
            (false, Some(_)) => client.fail_body(),
            (false, None) => client.end(),
        };
        *given = end;
        taken.expect("content was wanted");
    }

    /// Runs until it waits to read, or is over.
    pub fn run(&mut self) -> Waiting {
        loop {
            match self.settle() {
                Waiting::ToSend => self.step(usize::MAX),
                waiting => return waiting,
            }
        }
    }

    /// Encrypts the stream.
    pub fn encrypt(&mut self) {
        assert!(self.client.transmit().is_empty(), "octets are left to be sent in the clear");
        self.clear = Some(self.sent.len());
        self.client.handle_tls();
    }

    /// Hands it what the peer says.
    pub fn hear(&mut self, octets: &[u8]) {
        self.client.input().extend_from_slice(octets);
    }

    /// Tells it that the peer is gone.
    pub fn eof(&mut self) {
        self.client.handle_eof();
    }

    /// Lets time pass until its deadline; `false` if it has none.
    pub fn time_out(&mut self) -> bool {
        let Some(deadline) = self.client.poll_timeout() else { return false };
        let too_early = Instant::after_origin(deadline.since_origin().saturating_sub(Duration::from_nanos(1)));
        self.client.handle_timeout(too_early);
        assert!(self.client.error().is_none(), "timed out before the time");
        self.now = deadline;
        self.client.handle_timeout(self.now);
        true
    }

    /// Lets some time pass.
    pub fn pass(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
    }

    /// The report as lines, for comparison: `ADDRESS OUTCOME PHASE [CODE [CODE]]`
    /// for each recipient, then the error.
    pub fn results(&self) -> Vec<String> {
        self.report.as_ref().map(results).unwrap_or_default()
    }

    /// The same of every report, each behind a line `message N`.
    pub fn all_results(&self) -> Vec<String> {
        let each = self.reports.iter().map(|report| (format!("message {}", report.transaction().0), results(report)));
        each.flat_map(|(name, lines)| std::iter::once(name).chain(lines)).collect()
    }
}

/// A report as lines: `ADDRESS OUTCOME PHASE [CODE [CODE]] [local]` for each
/// recipient, then `error KIND PHASE` if there is one, then `warning` for each.
pub fn results(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for recipient in report.recipients() {
        let mut line = format!("{} {} {}", recipient.path(), recipient.outcome(), recipient.phase());
        if let Some(reply) = recipient.reply() {
            let _ = write!(line, " {}", reply.code());
            if let Some(enhanced) = reply.enhanced() {
                let _ = write!(line, " {enhanced}");
            }
        }
        if recipient.origin() == Some(lmtp_proto::Origin::Local) {
            line += " local";
        }
        lines.push(line);
    }
    if let Some(fault) = report.error() {
        lines.push(format!("error {} {}", fault.kind().name(), fault.phase()));
    }
    lines.extend(report.warnings().iter().map(|_| "warning".to_string()));
    lines
}
