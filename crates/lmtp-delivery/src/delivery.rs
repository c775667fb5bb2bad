//! The adapter: from an envelope to an answer for every recipient.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use lmtp_tokio::proto::Escaped;
use lmtp_tokio::{Envelope, FaultKind, ForwardPath, Outcome, Phase, RcptParams, Report as Answers};

use crate::cancel::Cancel;
use crate::message::Message;
use crate::metrics::{Counts, Metrics};
use crate::options::{Options, Problem};
use crate::pool::Pool;
use crate::report::{Report, Settled};
use crate::route::{Routes, Targets};

/// Delivers messages to the servers that keep them. It is shared by all tasks that
/// deliver, and cheap to clone.
#[derive(Debug, Clone)]
pub struct Delivery(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pools: Vec<Pool>,
    routes: Routes,
    counts: Counts,
}

impl Delivery {
    /// Looks at the options. Nobody is connected to yet.
    ///
    /// # Errors
    ///
    /// What of them cannot be.
    pub fn new(options: &Options) -> Result<Self, Problem> {
        let pools = options.targets.iter().map(|(name, options)| Pool::new(name, options));
        let pools = pools.collect::<Result<Vec<_>, _>>()?;
        let routes = Routes::new(options)?;
        Ok(Self(Arc::new(Inner { pools, routes, counts: Counts::default() })))
    }

    /// Delivers a message. Whatever happens, there is a report, with an outcome for each
    /// recipient.
    ///
    /// A target that could not be handed the message for a recipient is followed by the
    /// next one of that recipient's route. What may have arrived is never sent again.
    pub async fn deliver(&self, envelope: &Envelope, message: impl Into<Message>) -> Report {
        self.deliver_with(envelope, message, &[], &Cancel::new()).await
    }

    /// Delivers a message, for some recipients into folders, until it is cancelled.
    ///
    /// `folders` are by the place of the recipient, and may be fewer. A folder is put behind
    /// the local part with the target's `delimiter`: `bob+lists@example.org`. Where there is
    /// no delimiter, a folder is refused, for the mail would be somebody else's.
    pub async fn deliver_with(
        &self,
        envelope: &Envelope,
        message: impl Into<Message>,
        folders: &[Option<&str>],
        cancel: &Cancel,
    ) -> Report {
        let message = message.into();
        let job = Job { inner: &self.0, envelope, message: &message, folders, cancel };
        let recipients = Box::pin(job.run()).await;
        let report = Report { envelope: envelope.clone(), recipients };
        self.0.counts.message(report.recipients().map(|recipient| recipient.outcome()));
        for recipient in report.recipients() {
            let (outcome, target) = (recipient.outcome().name(), recipient.target().unwrap_or_default());
            let to = Escaped(recipient.path().to_string().as_bytes()).to_string();
            let reply = recipient.reply().map(|reply| Escaped(reply.to_string().as_bytes()).to_string());
            let error = recipient.error().map(|error| Escaped(error.as_bytes()).to_string());
            if recipient.outcome() == Outcome::Delivered {
                tracing::info!(to, outcome, target, reply, "delivered");
            } else {
                tracing::warn!(to, outcome, target, reply, error, "not delivered");
            }
        }
        report
    }

    /// Says QUIT on the connections that nobody uses, each within a few seconds. Those in use go on, and are kept
    /// afterwards as before.
    pub async fn close(&self) {
        join_all(self.0.pools.iter().map(Pool::close)).await;
    }

    /// What has been counted.
    pub fn metrics(&self) -> Metrics {
        self.0.counts.now()
    }
}

/// One message on its way.
struct Job<'a> {
    inner: &'a Inner,
    envelope: &'a Envelope,
    message: &'a Message,
    folders: &'a [Option<&'a str>],
    cancel: &'a Cancel,
}

impl Job<'_> {
    async fn run(&self) -> Vec<Settled> {
        let recipients = self.envelope.recipients();
        let mut settled: Vec<Option<Settled>> = recipients.iter().map(|_| None).collect();
        // Those of one route go together.
        let mut groups: BTreeMap<&Targets, Vec<usize>> = BTreeMap::new();
        for (place, (path, _)) in recipients.iter().enumerate() {
            match self.inner.routes.of(path) {
                Some(targets) => groups.entry(targets).or_default().push(place),
                None => settled[place] = Some(Settled::unsent("no route leads to a target, and there is no default")),
            }
        }
        let going = groups.into_iter().map(|(targets, places)| self.along(targets, places));
        let told = join_all(going).await;
        for (place, found) in told.into_iter().flatten() {
            settled[place] = Some(found);
        }
        settled.into_iter().map(|settled| settled.unwrap_or_else(|| Settled::unsent("not tried"))).collect()
    }

    /// Sends to these recipients, asking one target after the other for those whom nothing
    /// was handed over for.
    async fn along(&self, targets: &Targets, mut places: Vec<usize>) -> Vec<(usize, Settled)> {
        let mut all = Vec::new();
        for (number, target) in targets.iter().enumerate() {
            let told = self.to(&self.inner.pools[*target], places).await;
            let is_last = number + 1 == targets.len() || self.cancel.is_cancelled();
            let (open, done): (Vec<_>, Vec<_>) =
                told.into_iter().partition(|(_, settled)| !is_last && settled.outcome == Outcome::Unsent);
            all.extend(done);
            places = open.into_iter().map(|(place, _)| place).collect();
            if places.is_empty() {
                break;
            }
        }
        all
    }

    /// Sends to these recipients of one target, in as many transactions as it takes: a
    /// server may take so many of them at once (RFC 9422, and 452 4.5.3).
    async fn to(&self, pool: &Pool, mut places: Vec<usize>) -> Vec<(usize, Settled)> {
        let mut all = Vec::new();
        places.retain(|&place| match self.address(pool, place) {
            Ok(_) => true,
            Err(why) => {
                all.push((place, Settled::unsent(why)));
                false
            }
        });
        // As many as it took of those before, so that each is asked for about once.
        let mut most = usize::MAX;
        while !places.is_empty() {
            let waiting = places.split_off(places.len().min(most));
            let to = places.iter().filter_map(|&place| self.address(pool, place).ok()).collect();
            let Ok(envelope) = Envelope::with_recipients(self.envelope.from().clone(), to) else { break };
            let envelope = envelope.with_params(self.envelope.params().clone());
            let report = pool.deliver(&envelope, self.message, self.cancel, &self.inner.counts).await;
            let told = told(&report, &pool.target.name, &places);
            let (mut surplus, done): (Vec<_>, Vec<_>) =
                told.into_iter().partition(|(_, settled)| is_surplus(&report, settled));
            // Where none was taken, fewer would not be either.
            if done.is_empty() || self.cancel.is_cancelled() {
                all.extend(done);
                all.append(&mut surplus);
                all.extend(
                    waiting.into_iter().map(|place| (place, Settled::unsent("the server takes nobody just now"))),
                );
                break;
            }
            if !surplus.is_empty() {
                most = done.len();
            }
            all.extend(done);
            places = surplus.into_iter().map(|(place, _)| place).chain(waiting).collect();
        }
        all
    }

    /// The recipient as that target is to get it.
    fn address(&self, pool: &Pool, place: usize) -> Result<(ForwardPath, RcptParams), String> {
        let (path, params) = &self.envelope.recipients()[place];
        let folder = self.folders.get(place).copied().flatten();
        let Some(folder) = folder else { return Ok((path.clone(), params.clone())) };
        let delimiter = pool.target.delimiter;
        let delimiter = delimiter.ok_or_else(|| format!("{}: folders need a delimiter", pool.target.name))?;
        let ForwardPath::Mailbox(mailbox) = path else { return Err("there are no folders without a domain".into()) };
        let local = format!("{}{delimiter}{folder}", mailbox.unquoted_local_part());
        let quoted = local.replace('\\', "\\\\").replace('"', "\\\"");
        let candidates = [format!("{local}@{}", mailbox.domain()), format!("\"{quoted}\"@{}", mailbox.domain())];
        let address = candidates.iter().find_map(|text| text.parse().ok());
        let address = address.ok_or_else(|| format!("{folder:?} is no folder that can stand in an address"))?;
        Ok((address, params.clone()))
    }
}

/// What a transaction told of those recipients.
fn told(report: &Answers, target: &str, places: &[usize]) -> Vec<(usize, Settled)> {
    let error = report.error().map(ToString::to_string);
    let of = |(recipient, &place): (lmtp_tokio::RecipientReport<'_>, &usize)| {
        let reply = recipient.reply().cloned();
        let settled = Settled {
            outcome: recipient.outcome(),
            phase: recipient.phase(),
            origin: recipient.origin(),
            error: if reply.is_none() { error.clone() } else { None },
            reply,
            target: Some(target.to_owned()),
        };
        (place, settled)
    };
    report.recipients().zip(places).map(of).collect()
}

/// Whether a recipient was one too many for this transaction, and is for the next.
fn is_surplus(report: &Answers, settled: &Settled) -> bool {
    let is_withheld = settled.outcome == Outcome::Unsent
        && settled.phase == Phase::Rcpt
        && report.error().is_some_and(|fault| fault.kind() == FaultKind::Limit);
    let too_many = settled.phase == Phase::Rcpt
        && settled.reply.as_ref().is_some_and(|reply| {
            reply.code().get() == 452 && reply.enhanced().is_some_and(|it| (it.subject(), it.detail()) == (5, 3))
        });
    is_withheld || too_many
}
