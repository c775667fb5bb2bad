//! A client that hears anything at all.

use bytes::{Buf, Bytes};
use lmtp_proto::client::{Client, Event};
use lmtp_proto::{Instant, Machine, Outcome, Output, Report, TransactionId};

use super::Choices;
use super::setting::Setting;
use crate::counted::Counted;

/// More than a client keeps of what it is to write: content is asked for while less than this is queued.
const BLOCK: usize = 64 * 1024;

/// A client that hears anything, in any pieces, at any moment: it does not panic; every message has one
/// report, and every recipient one outcome in it that can be true; memory is bounded by the limits; the
/// driver is asked to do no more than a few things for each octet.
pub fn client(data: &[u8]) {
    let (mut choices, said) = Choices::of(data);
    let setting = Setting::of(&mut choices);
    let mut talk = Talk {
        client: Counted::new(Client::new(setting.config.clone())),
        said,
        now: Instant::ORIGIN,
        sent: Vec::new(),
        begun: Vec::new(),
        reported: 0,
        messages_left: 1 + choices.below(3),
        fails_at: choices.yes().then(|| choices.below(20)),
        write: choices.one_of(&[usize::MAX, 1, 5]),
        blurts: choices.yes(),
        silent: choices.yes(),
        deaf: choices.yes(),
        choices,
        setting,
    };
    talk.go();
}

/// Both sides of a conversation, of which one is only octets.
struct Talk<'a> {
    setting: Setting,
    client: Counted<Client>,
    /// What the server has not said yet.
    said: &'a [u8],
    now: Instant,
    sent: Vec<u8>,
    /// The messages, by where in the stream they began and how much of their content was given.
    begun: Vec<Begun>,
    /// How many of them have their report.
    reported: usize,
    messages_left: usize,
    fails_at: Option<usize>,
    /// How much is written at a time.
    write: usize,
    /// Whether the server speaks where it has nothing to say.
    blurts: bool,
    /// Whether the server falls silent at its end, and does not close.
    silent: bool,
    /// Whether the server reads no more once it has said all.
    deaf: bool,
    /// The lengths of the pieces that the server speaks in.
    choices: Choices<'a>,
}

/// A message under way.
struct Begun {
    id: TransactionId,
    at: usize,
    given: usize,
}

impl Talk<'_> {
    fn deliver(&mut self) {
        let (envelope, content) = (self.setting.envelope(), self.setting.message.content);
        let id = self.client.act().deliver(envelope, content).expect("there is room");
        self.begun.push(Begun { id, at: self.sent.len(), given: 0 });
    }

    fn go(&mut self) {
        loop {
            while self.messages_left > 0 && self.client.has_room() {
                self.messages_left -= 1;
                self.deliver();
            }
            let output = self.client.poll_output(self.now);
            self.check_memory();
            match output {
                Ok(Output::Event(Event::BodyWanted(id))) => self.give(id),
                Ok(Output::Event(Event::Done(id))) => {
                    let report = self.client.take_report().expect("a report is there when it is done");
                    assert_eq!(report.transaction(), id);
                    self.check(&report);
                    if self.messages_left == 0 && self.client.is_ready() {
                        self.client.act().quit().expect("a session that is ready can be left");
                    }
                }
                Ok(Output::Event(_)) => {}
                Ok(Output::Transmit) => self.take(),
                Ok(Output::Receive) => {
                    if !self.speak() {
                        return; // idle, and nothing will come
                    }
                }
                Ok(Output::StartTls) => self.client.handle_tls(),
                Ok(Output::Wait) => panic!("a client always has room"),
                Ok(Output::Closed) => return self.over(),
                Err(error) => {
                    assert_eq!(self.client.poll_output(self.now), Err(error), "an error is final and repeats");
                    return self.over();
                }
            }
        }
    }

    /// What was under way has its report, and what comes after has one at once.
    fn over(&mut self) {
        while let Some(report) = self.client.take_report() {
            self.check(&report);
        }
        assert_eq!(self.reported, self.begun.len(), "every message has a report");
        assert!(self.client.report().is_none(), "a report is not told twice");
        if self.client.act().deliver(self.setting.envelope(), self.setting.message.content).is_ok() {
            let report = self.client.take_report().expect("a report at once");
            assert!(report.recipients().all(|recipient| recipient.outcome() == Outcome::Unsent));
        }
    }

    fn give(&mut self, id: TransactionId) {
        let begun = self.begun.iter_mut().find(|begun| begun.id == id).expect("content is wanted of what has begun");
        let octets = &self.setting.message.octets;
        let until = self.fails_at.unwrap_or(usize::MAX).min(octets.len());
        let end = until.min(begun.given.saturating_add(self.setting.message.chunk));
        let chunk = Bytes::copy_from_slice(&octets[begun.given..end]);
        let client = self.client.act();
        let given = match (chunk.is_empty(), self.fails_at) {
            (false, _) => client.body(chunk),
            (true, Some(_)) => client.fail_body(),
            (true, None) => client.end(),
        };
        begun.given = end;
        given.expect("content was wanted");
    }

    fn take(&mut self) {
        if self.deaf && self.said.is_empty() {
            return self.client.handle_write_closed();
        }
        let queue = self.client.transmit();
        let count = queue.chunk().len().min(self.write);
        self.sent.extend_from_slice(&queue.chunk()[..count]);
        queue.advance(count);
    }

    /// Lets the server say something, or time pass; `false` when there is nothing to wait for.
    fn speak(&mut self) -> bool {
        let deadline = self.client.poll_timeout();
        let is_glance = deadline == Some(self.now);
        match (self.said.is_empty(), deadline) {
            (_, Some(now)) if is_glance && !self.blurts => self.client.handle_timeout(now),
            (true, Some(now)) if is_glance => self.client.handle_timeout(now),
            (false, _) => {
                // A line, unless it is chosen otherwise: what comes too early ends the session.
                let length = match self.choices.below(64) {
                    0 => self.said.iter().position(|&octet| octet == b'\n').map_or(usize::MAX, |end| end + 1),
                    63 => usize::MAX,
                    length => length,
                };
                let input = self.client.input();
                let room = (input.capacity() - input.len()).min(self.said.len());
                let (piece, rest) = self.said.split_at(length.min(room));
                input.extend_from_slice(piece);
                self.said = rest;
            }
            (true, Some(deadline)) if self.silent => {
                self.now = deadline;
                self.client.handle_timeout(deadline);
            }
            (true, None) if self.silent => return false,
            (true, _) => self.client.handle_eof(),
        }
        true
    }

    fn check_memory(&mut self) {
        let limits = &self.setting.config.limits;
        let room = 2 * 2048;
        let kept = self.client.input().len();
        assert!(kept <= limits.reply_line + room, "{kept} octets of replies are kept");
        let (longest, commands) = (self.setting.message.octets.len(), limits.pipelined_octets + 1000);
        let queued = self.client.transmit().len();
        assert!(queued <= BLOCK + 2 * longest + commands, "{queued} octets are queued");
    }

    /// Every recipient has one outcome, and it can be true.
    fn check(&mut self, report: &Report) {
        let begun = &self.begun[self.reported];
        assert_eq!(report.transaction(), begun.id, "reports come in the order of the messages");
        self.reported += 1;
        // Of messages behind one another the end of one may be written when the next has begun.
        let is_alone = self.setting.config.depth == 1;
        let sent = if is_alone { &self.sent[begun.at..] } else { &self.sent[..] };
        let holds = |octets: &[u8]| sent.windows(octets.len()).any(|window| window == octets);
        let (ended, in_chunks) = (holds(b"\r\n.\r\n"), holds(b"BDAT "));
        assert_eq!(report.recipients().len(), self.setting.recipients);
        for (recipient, path) in report.recipients().zip(self.setting.paths()) {
            assert_eq!(*recipient.path(), path);
            let class = recipient.reply().map(|reply| reply.code().get() / 100);
            match recipient.outcome() {
                Outcome::Delivered => assert!(class == Some(2) && (ended || holds(b" LAST\r\n")), "{report:?}"),
                Outcome::Temporary => assert_eq!(class, Some(4)),
                Outcome::Permanent => assert_eq!(class, Some(5)),
                Outcome::Unsent => {
                    // Of chunks it counts whether the last one is whole.
                    assert!(class.is_none() && (in_chunks || !is_alone || !ended), "unsent, and ended: {report:?}");
                }
                Outcome::Uncertain => assert!(class.is_none()),
            }
        }
        let silent = report.recipients().any(|recipient| recipient.reply().is_none());
        assert_eq!(report.error().is_some(), silent, "an error explains silence, and nothing else");
        let answers: usize = report.recipients().filter_map(|recipient| Some(recipient.reply()?.octets().len())).sum();
        let limits = &self.setting.config.limits;
        // One answer may be everybody's.
        assert!(
            answers <= self.setting.recipients * (limits.reply_size + limits.answers),
            "{answers} octets of answers"
        );
    }
}
