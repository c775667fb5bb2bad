//! One message on its way: the report as it grows, and the content.

use core::{iter, mem};

use bytes::Bytes;

use super::content::{Chunk, End, Writer};
use super::extensions::Usable;
use super::inflight::Expected;
use super::limits::Used;
use super::preflight;
use super::table::{More, Next, Tone};
use super::{Config, Event};
use crate::report::{Answer, RecipientFacts};
use crate::value::{Command, MailParams, RcptParams, Reply, ReplyCode, Verb};
use crate::{
    Content, ContentClass, ContentError, Envelope, Fault, ForwardPath, Limit, Limits, LineEndings, Phase, RecipientId,
    Report, SendQueue, TransactionId,
};

#[derive(Debug)]
pub(super) struct Transaction {
    report: Report,
    content: Content,
    /// The parameters of MAIL: what the envelope asks for, then what is said.
    params: MailParams,
    /// The place of the next recipient to look at for RCPT.
    next: usize,
    writer: Writer,
    /// The last chunk given. It is held back until it is known whether another
    /// follows, so that the end of the data leaves in one write with it.
    held: Bytes,
    /// Where in the stream the content begins, once it has begun.
    content_from: Option<u64>,
    /// Where in the stream the end stands, once it is queued: what is behind
    /// this place only leaves when it may have left.
    end_at: Option<u64>,
    /// Whether recipients may still be added.
    open: bool,
    /// Whether content was asked for and not given since.
    asked: bool,
    /// Octets of all answers in the report.
    answers: usize,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing has been said of it.
    Waiting,
    UnderWay,
    Over,
    /// Over, and the application was told.
    Told,
}

impl Transaction {
    pub(super) fn new(id: TransactionId, envelope: Envelope, content: Content) -> Self {
        let params = envelope.params().clone();
        Self {
            report: Report::new(id, envelope),
            content,
            params,
            next: 0,
            writer: Writer::new(false, LineEndings::Reject, ContentClass::SevenBit),
            held: Bytes::new(),
            content_from: None,
            end_at: None,
            open: false,
            asked: false,
            answers: 0,
            stage: Stage::Waiting,
        }
    }

    /// The same, to be gone through step by step.
    pub(super) fn open(self) -> Self {
        Self { open: true, ..self }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// No more recipients will be added.
    pub(super) fn close(&mut self) {
        self.open = false;
    }

    /// Adds a recipient; `None` if there are too many.
    pub(super) fn add(&mut self, path: ForwardPath, params: RcptParams) -> Option<RecipientId> {
        let id = RecipientId(u32::try_from(self.report.recipients.len()).ok()?);
        self.report.recipients.push(RecipientFacts::new(path, params));
        Some(id)
    }

    /// What is known of a recipient that was added, without asking the server; where
    /// the transaction has not begun, that is found out then.
    pub(super) fn check(&mut self, id: RecipientId, usable: &Usable) -> Option<Reply> {
        if self.is_under_way() {
            preflight::plan_recipient(&mut self.report, id, &self.params, usable);
            self.next = self.place_from(self.next);
        }
        Some(self.report.recipients.get(id.index())?.rcpt.as_ref()?.reply.clone())
    }

    /// What is to be said when everything said has its answer.
    pub(super) fn next_step(&self) -> Option<Verb> {
        match () {
            () if self.next < self.report.recipients.len() => Some(Verb::Rcpt),
            () if self.open => None,
            () if self.writer.is_chunked() => Some(Verb::Bdat),
            () => Some(Verb::Data),
        }
    }

    pub(super) fn id(&self) -> TransactionId {
        self.report.transaction
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.stage == Stage::Waiting
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.stage == Stage::UnderWay
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over | Stage::Told)
    }

    /// Whether the end of its data is queued: the next message may follow.
    pub(super) fn has_ended(&self) -> bool {
        self.end_at.is_some()
    }

    /// Its name, if it is over and the application was not told.
    pub(super) fn tell(&mut self) -> Option<TransactionId> {
        if self.stage != Stage::Over {
            return None;
        }
        self.stage = Stage::Told;
        Some(self.id())
    }

    /// Decides what is to be asked of a server of which this is used; `false` when
    /// nobody is left to ask for.
    pub(super) fn prepare(&mut self, usable: &Usable, config: &Config, secured: bool, used: &mut Used) -> bool {
        let plan = preflight::plan(&mut self.report, &self.params, self.content, usable, config, secured);
        if self.report.mail.is_none() {
            used.withhold(&mut self.report, &usable.limits);
        }
        self.params = plan.params;
        self.writer = Writer::new(plan.chunked, config.line_endings, plan.allowed);
        self.stage = Stage::UnderWay;
        self.next = self.place_from(0);
        self.report.mail.is_none() && (self.open || self.next < self.report.recipients.len())
    }

    /// The place of the first recipient from `place` on that the server is to be
    /// asked for.
    fn place_from(&self, place: usize) -> usize {
        let rest = self.report.recipients.iter().skip(place);
        place.saturating_add(rest.take_while(|recipient| recipient.withheld || recipient.rcpt.is_some()).count())
    }

    pub(super) fn mail(&self) -> Command {
        Command::Mail(self.report.from.clone(), self.params.clone())
    }

    pub(super) fn next_rcpt(&mut self) -> Option<(Command, RecipientId, Next)> {
        let recipient = self.report.recipients.get(self.next)?;
        let params = recipient.params.as_deref().cloned().unwrap_or_default();
        let (path, id) = (recipient.path.clone(), recipient_id(self.next));
        self.next = self.place_from(self.next.saturating_add(1));
        let next = match self.open || self.next < self.report.recipients.len() {
            true => Next::Rcpt,
            false if self.writer.is_chunked() => Next::Bdat,
            false => Next::Data,
        };
        Some((Command::Rcpt(path, params), id, next))
    }

    /// Enters a reply into the report.
    pub(super) fn record(
        &mut self,
        expected: Expected,
        reply: &Reply,
        limits: &Limits,
    ) -> Result<Option<Event>, Limit> {
        let budget = limits.reply_size.saturating_add(limits.answers.saturating_mul(self.report.recipients.len()));
        self.answers = self.answers.saturating_add(reply.octets().len());
        if self.answers > budget {
            return Err(Limit::Answers);
        }
        Ok(self.enter(expected, reply))
    }

    fn enter(&mut self, expected: Expected, reply: &Reply) -> Option<Event> {
        let id = self.id();
        let answer = Some(Answer::peer(reply.clone()));
        match expected {
            Expected::Reply(Verb::Mail) => {
                self.report.mail = answer;
                Some(Event::Sender(id, reply.clone()))
            }
            Expected::Reply(Verb::Data) => {
                self.report.data = answer;
                None
            }
            // What comes of a message that was given up is decided.
            Expected::Chunk if self.report.fault.is_none() && !reply.code().is_success() => {
                self.report.data = answer;
                None
            }
            Expected::Recipient(recipient, _) => {
                self.report.recipients.get_mut(recipient.index())?.rcpt = answer;
                Some(Event::Recipient(id, recipient, reply.clone()))
            }
            Expected::Final(recipient, _) => {
                self.report.recipients.get_mut(recipient.index())?.final_reply = answer;
                Some(Event::Final(id, recipient, reply.clone()))
            }
            Expected::Greeting | Expected::Reply(_) | Expected::Chunk => None,
        }
    }

    /// Whether content is to be asked for; not twice for the same.
    pub(super) fn asks(&mut self) -> bool {
        !mem::replace(&mut self.asked, true)
    }

    /// Queues the piece before, keeps this one.
    pub(super) fn content(&mut self, piece: Bytes, queue: &mut SendQueue) -> Result<Option<Chunk>, ContentError> {
        self.asked = false;
        self.content_from.get_or_insert(queue.mark());
        if piece.is_empty() {
            return Ok(None);
        }
        let before = mem::replace(&mut self.held, piece);
        self.writer.push(&before, queue)
    }

    /// Queues the last piece and the end of the data; gives that end, and the
    /// octets between DATA's reply and it.
    pub(super) fn end(&mut self, queue: &mut SendQueue) -> Result<(End, u64), ContentError> {
        self.content(Bytes::new(), queue)?;
        let end = self.writer.end(&mem::take(&mut self.held), self.content.size, queue)?;
        self.end_at = Some(end.place);
        let octets = end.place.saturating_sub(self.content_from.unwrap_or(end.place));
        Ok((end, octets))
    }

    /// The content will not be complete, and the session goes on.
    pub(super) fn give_up(&mut self, fault: Fault) {
        self.held = Bytes::new();
        self.report.stop(fault);
    }

    /// The recipients that a final reply is due for.
    pub(super) fn accepted(&self) -> impl Iterator<Item = (RecipientId, More)> {
        let accepted = self.report.recipients.iter().enumerate().filter(|(_, facts)| Report::is_accepted(facts));
        let mut places = accepted.map(|(place, _)| recipient_id(place)).peekable();
        iter::from_fn(move || {
            let place = places.next()?;
            Some((place, if places.peek().is_some() { More::Follow } else { More::Last }))
        })
    }

    /// The only final reply that came is a refusal: it is taken for everybody's
    /// (see [`SingleFinal::RefusesAll`](super::SingleFinal)).
    pub(super) fn spread_refusal(&mut self) {
        let mut finals = self.report.recipients.iter().filter_map(|recipient| recipient.final_reply.as_ref());
        let (Some(only), None) = (finals.next().cloned(), finals.next()) else { return };
        let refuses = Tone::from(only.reply.code().class()) == Tone::No && only.reply.code() != ReplyCode::CLOSING;
        if refuses {
            for recipient in self.report.recipients.iter_mut().filter(|recipient| Report::is_accepted(recipient)) {
                recipient.final_reply = Some(only.clone());
            }
        }
    }

    /// What is known when this much has been written, the session standing in
    /// `phase`.
    pub(super) fn report(&self, sent: u64, phase: Phase) -> Report {
        let mut report = self.report.clone();
        if !self.is_over() {
            report.end_may_have_left = self.end_may_have_left(sent);
            report.reached = phase;
        }
        report
    }

    fn end_may_have_left(&self, sent: u64) -> bool {
        self.end_at.is_some_and(|end| sent > end)
    }

    pub(super) fn finish(&mut self) {
        self.report.end_may_have_left = self.end_at.is_some();
        self.stage = Stage::Over;
    }

    /// No more will be learnt, this much having been written.
    pub(super) fn stop(&mut self, fault: Fault, sent: u64) {
        self.report.end_may_have_left = self.end_may_have_left(sent);
        self.report.stop(fault);
        self.stage = Stage::Over;
    }

    /// It came no further than to this phase, wherever the session stopped.
    pub(super) fn stopped_at(&mut self, phase: Phase) {
        self.report.reached = phase;
    }

    pub(super) fn warn(&mut self, warning: &str) {
        self.report.warn(warning);
    }

    pub(super) fn into_report(self) -> Report {
        self.report
    }
}

/// An envelope holds no more recipients than there are names for.
fn recipient_id(place: usize) -> RecipientId {
    RecipientId(u32::try_from(place).unwrap_or(u32::MAX))
}
