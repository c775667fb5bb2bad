//! The client machine, its driver and its application.

use bytes::{Buf, Bytes};
use lmtp_proto::client::{Client, Event};
use lmtp_proto::{Error, Instant, Machine, Misuse, Output, Report, TransactionId};

use super::Clock;
use super::link::{Link, Read, Room};
use super::plan::{Letter, Plan, Quits};
use super::tags::Tag;
use crate::counted::Counted;

/// As much as may wait to be written, beside a piece of content: a block, and
/// commands.
const QUEUE: usize = 64 * 1024 + 32 * 1024;

/// The client machine, its driver and its application.
#[derive(Debug)]
pub(super) struct ClientSide {
    pub(super) client: Counted<Client>,
    /// The next letter to deliver.
    next: usize,
    /// How much of each was read.
    given: Vec<usize>,
    wanted: Option<TransactionId>,
    busy_until: Instant,
    /// The letter whose idle time has been waited for.
    idled: Option<usize>,
    quit: bool,
    pub(super) reports: Vec<Report>,
    pub(super) is_over: bool,
    /// How often the driver was told that there is nothing to read or write.
    told: (bool, bool),
    pub(super) error: Option<Error>,
}

impl ClientSide {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut config = plan.client.clone();
        config.transcript = true;
        Self {
            client: Counted::new(Client::new(config)),
            next: 0,
            given: vec![0; plan.letters.len()],
            wanted: None,
            busy_until: Instant::ORIGIN,
            idled: None,
            quit: false,
            reports: Vec::new(),
            is_over: false,
            told: (false, false),
            error: None,
        }
    }

    /// When it will next do something by itself.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        match () {
            () if self.is_over => None,
            () if self.busy_until > now => Some(self.busy_until),
            () => self.client.poll_timeout(),
        }
    }

    /// Takes one step; `false` if it waits.
    pub(super) fn step(&mut self, plan: &Plan, link: &mut Link, clock: &mut Clock<'_>) -> bool {
        if self.is_over || self.busy_until > clock.now {
            return false;
        }
        if self.ask(plan, clock) {
            return true;
        }
        if let Some(id) = self.wanted.take() {
            self.give(id, &plan.letters);
            return true;
        }
        let output = match self.client.poll_output(clock.now) {
            Ok(output) => output,
            Err(error) => {
                assert_eq!(self.client.poll_output(clock.now), Err(error.clone()), "an error is final and repeats");
                clock.trace(|| format!("client: over: {error}"));
                self.error = Some(error);
                self.finish(plan, link, clock);
                return true;
            }
        };
        match output {
            Output::Event(event) => self.hear(&event, plan, clock),
            Output::Transmit => return self.write(plan, link, clock),
            Output::Receive => return self.read(link, clock),
            Output::Closed => {
                clock.trace(|| "client: closed".into());
                self.finish(plan, link, clock);
            }
            Output::StartTls | Output::Wait => panic!("a client never says {output:?}"),
        }
        true
    }

    /// Lets the application ask for what it wants next; whether it has to wait.
    fn ask(&mut self, plan: &Plan, clock: &mut Clock<'_>) -> bool {
        if self.next < plan.letters.len() {
            let letter = &plan.letters[self.next];
            if self.client.has_room() && self.client.capabilities().is_some() && self.idled != Some(self.next) {
                self.idled = Some(self.next);
                // The connection lies in a pool meanwhile, if nothing is under way.
                if self.client.is_ready() && !letter.idle.is_zero() {
                    self.busy_until = clock.now.saturating_add(letter.idle);
                    return true;
                }
            }
            if self.client.has_room() {
                self.deliver(plan, clock);
            }
        } else if plan.quits == Quits::Early
            || plan.quits == Quits::AtTheEnd && self.reports.len() == plan.letters.len()
        {
            self.quit = self.quit || self.client.quit() != Err(Misuse::Busy);
        }
        false
    }

    fn deliver(&mut self, plan: &Plan, clock: &mut Clock<'_>) {
        let letter = &plan.letters[self.next];
        clock.trace(|| {
            let to: Vec<String> = letter.envelope.recipients().iter().map(|(to, _)| to.to_string()).collect();
            let Letter { content, fails_at, octets, .. } = letter;
            format!(
                "client: deliver {} to {to:?}, {} octets, {content:?}, fails at {fails_at:?}",
                self.next,
                octets.len()
            )
        });
        let id = self.client.act().deliver(letter.envelope.clone(), letter.content).expect("a client with room");
        assert_eq!(id, TransactionId(self.next as u64));
        self.next += 1;
    }

    /// Gives the next piece of the content.
    fn give(&mut self, id: TransactionId, letters: &[Letter]) {
        let place = usize::try_from(id.0).expect("few messages");
        let (letter, given) = (&letters[place], &mut self.given[place]);
        let until = letter.fails_at.unwrap_or(letter.octets.len());
        let end = until.min(given.saturating_add(letter.piece));
        let taken = match (*given < end, letter.fails_at) {
            (true, _) => self.client.act().body(Bytes::copy_from_slice(&letter.octets[*given..end])),
            (false, Some(_)) => self.client.act().fail_body(),
            (false, None) => self.client.act().end(),
        };
        *given = end;
        taken.expect("content was wanted");
    }

    fn hear(&mut self, event: &Event, plan: &Plan, clock: &mut Clock<'_>) {
        let letter = |id: TransactionId| {
            let place = usize::try_from(id.0).expect("few messages");
            (place, &plan.letters[place])
        };
        let (tag, reply) = match event {
            Event::BodyWanted(id) => {
                self.wanted = Some(*id);
                if !plan.thinks.is_zero() && clock.random.percent(30) {
                    self.busy_until = clock.now.saturating_add(plan.thinks);
                }
                return;
            }
            Event::Done(id) => {
                let report = self.client.take_report().expect("a report is there when it is done");
                assert_eq!(report.transaction(), *id);
                self.reports.push(report);
                return;
            }
            Event::Line(line) => return clock.trace(|| format!("client: {line}")),
            Event::Open => {
                let greeting = self.client.greeting().expect("a greeting").clone();
                (Tag::Greeting, greeting)
            }
            Event::Sender(id, reply) => (Tag::Mail(letter(*id).0), reply.clone()),
            Event::Recipient(id, whom, reply) => {
                let (place, letter) = letter(*id);
                (Tag::Rcpt(place, letter.number(whom.index())), reply.clone())
            }
            Event::Final(id, whom, reply) => {
                let (place, letter) = letter(*id);
                (Tag::Final(place, letter.number(whom.index())), reply.clone())
            }
            other => panic!("{other:?}"),
        };
        assert!(tag.fits(&reply), "{tag:?} is answered by {reply}");
    }

    fn write(&mut self, plan: &Plan, link: &mut Link, clock: &mut Clock<'_>) -> bool {
        match link.to_server.room() {
            Room::Broken => {
                assert!(!self.told.1, "asked to write where nothing can be written");
                self.told.1 = true;
                self.client.handle_write_closed();
            }
            Room::Octets(room) => {
                let queue = self.client.transmit();
                let piece = plan.letters.iter().map(|letter| letter.piece.min(letter.octets.len())).max();
                assert!(queue.len() <= QUEUE + 2 * piece.unwrap_or(0), "{} octets are queued", queue.len());
                let most = queue.chunk().len().min(room);
                assert!(most > 0, "asked to write nothing");
                let count = if clock.random.percent(70) { most } else { clock.random.up_to(most) };
                link.to_server.write(&queue.chunk()[..count], clock.now);
                queue.advance(count);
            }
            Room::Full => return self.time_out(clock),
        }
        true
    }

    fn read(&mut self, link: &mut Link, clock: &mut Clock<'_>) -> bool {
        match link.to_client.read(2048, clock.now, &mut clock.random) {
            Read::Octets(octets) => {
                let input = self.client.input();
                input.extend_from_slice(&octets);
                assert!(input.len() <= 4096 + 2048, "{} octets of replies are kept", input.len());
            }
            Read::Nothing => return self.time_out(clock),
            end => {
                assert!(!self.told.0, "asked to read where nothing can be read");
                self.told.0 = true;
                clock.trace(|| format!("client: reads {end:?}"));
                self.client.handle_eof();
                if end == Read::Broken {
                    self.told.1 = true;
                    self.client.handle_write_closed();
                }
            }
        }
        true
    }

    fn time_out(&mut self, clock: &Clock<'_>) -> bool {
        let due = self.client.poll_timeout().is_some_and(|at| at <= clock.now);
        if due {
            self.client.handle_timeout(clock.now);
        } else {
            self.client.in_vain();
        }
        due
    }

    /// The connection is over: what was not sent will not be.
    fn finish(&mut self, plan: &Plan, link: &mut Link, clock: &mut Clock<'_>) {
        self.take_reports();
        while self.next < plan.letters.len() {
            self.deliver(plan, clock);
            self.take_reports();
        }
        assert_eq!(self.reports.len(), plan.letters.len(), "every message has its report");
        self.close(link, clock);
    }

    fn take_reports(&mut self) {
        while let Some(report) = self.client.take_report() {
            self.reports.push(report);
        }
    }

    /// The application gives up.
    pub(super) fn abort(&mut self, clock: &Clock<'_>) {
        clock.trace(|| "client: aborts".into());
        self.wanted = None;
        self.client.act().abort();
    }

    /// The application forgets the machine, as when a future is dropped.
    pub(super) fn drop(&mut self, link: &mut Link, clock: &mut Clock<'_>) {
        clock.trace(|| "client: dropped".into());
        self.reports.extend(self.client.reports());
        self.close(link, clock);
    }

    /// Leaves without a word, when all is answered.
    pub(super) fn leave(&mut self, plan: &Plan, link: &mut Link, clock: &mut Clock<'_>) -> bool {
        let done = plan.quits == Quits::Never && self.reports.len() == plan.letters.len();
        if self.is_over || !done {
            return false;
        }
        clock.trace(|| "client: leaves".into());
        self.close(link, clock);
        true
    }

    /// Closes the stream. What was not read may cost what was not delivered.
    fn close(&mut self, link: &mut Link, clock: &mut Clock<'_>) {
        self.is_over = true;
        let unread = !link.to_client.is_empty();
        (link.to_server.ended, link.to_client.unread) = (true, true);
        if unread && clock.random.percent(50) {
            link.to_server.destroy();
        }
    }
}

impl Letter {
    /// How many recipients are asked for before the one at this place.
    pub(super) fn number(&self, place: usize) -> usize {
        self.asked.iter().position(|&asked| asked == place).expect("a recipient that is asked for")
    }
}
