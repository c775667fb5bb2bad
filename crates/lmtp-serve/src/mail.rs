//! The application: who is let in, who has a mailbox, where a message goes.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Instant, SystemTime};

use lmtp_maildir::{Origin, Recipient, Store, Verdict};
use lmtp_tokio::proto::auth::Identity;
use lmtp_tokio::proto::bytes::Bytes;
use lmtp_tokio::proto::trace::{Date, Protocol, TraceId};
use lmtp_tokio::{
    Envelope, ForwardPath, Handler, LhloName, MailParams, Message, Network, Peer, RcptParams, RecipientId, Reply,
    ReversePath, Session, Verdicts,
};
use tokio::task::spawn_blocking;

use crate::http::Counts;
use crate::log::{Entry, milliseconds};
use crate::settings::Format;

/// So much content is handed to the disk at once.
const BATCH: usize = 64 * 1024;

/// What may change while the server runs.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Where mail is kept; without it, it is thrown away.
    pub(crate) store: Option<Store>,
    pub(crate) uids: Vec<u32>,
    pub(crate) networks: Vec<Network>,
    pub(crate) format: Format,
}

/// The application, one for all connections.
#[derive(Debug, Clone)]
pub(crate) struct Mail(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rules: RwLock<Arc<Rules>>,
    /// When it began, which tells its messages from those of a run before.
    began: u64,
    messages: AtomicU64,
    counts: Arc<Counts>,
}

impl Mail {
    pub(crate) fn new(rules: Rules) -> Self {
        let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let began = u64::try_from(began).unwrap_or_default();
        Self(Arc::new(Inner {
            rules: RwLock::new(Arc::new(rules)),
            began,
            messages: AtomicU64::new(0),
            counts: Arc::default(),
        }))
    }

    /// Other rules, for connections that come and messages that begin.
    pub(crate) fn replace(&self, rules: Rules) {
        *self.0.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.0.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.0.counts)
    }

    /// A name that no other message of this machine has.
    fn name(&self) -> String {
        format!("{}-{}", in_base_36(self.0.began), in_base_36(self.0.messages.fetch_add(1, Ordering::Relaxed)))
    }
}

/// Short, for it stands in replies that people read.
fn in_base_36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.extend(u32::try_from(number % 36).ok().and_then(|digit| char::from_digit(digit, 36)));
        number /= 36;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

impl Handler for Mail {
    type Session = Conversation;

    async fn connect(&self, peer: &Peer) -> Result<Conversation, Reply> {
        let rules = self.rules();
        let known = match (peer.address, peer.credentials) {
            (Some(_), _) => rules.networks.is_empty() || rules.networks.iter().any(|network| network.contains(peer)),
            (None, Some(them)) => rules.uids.is_empty() || rules.uids.contains(&them.uid),
            (None, None) => rules.uids.is_empty(),
        };
        self.0.counts.connections.fetch_add(1, Ordering::Relaxed);
        if !known {
            self.0.counts.refused.fetch_add(1, Ordering::Relaxed);
            let (peer, reply) = (said(peer), Some(Reply::refused().to_string()));
            Entry { peer: Some(&peer), reply, ..Entry::now("refused") }.write(rules.format);
            return Err(Reply::refused());
        }
        Ok(Conversation {
            mail: self.clone(),
            peer: said(peer),
            address: peer.client().map(|address| address.ip()),
            protocol: Protocol { tls: peer.tls.is_some(), ..Protocol::default() },
            client: LhloName::default(),
            begun: None,
        })
    }

    fn ended(&self, peer: &Peer, error: Option<&(dyn Error + 'static)>) {
        if let Some(error) = error {
            let (peer, error) = (said(peer), Some(error.to_string()));
            Entry { peer: Some(&peer), error, ..Entry::now("ended") }.write(self.rules().format);
        }
    }
}

/// A peer, as logs name it.
fn said(peer: &Peer) -> String {
    match (peer.client(), peer.credentials) {
        (Some(address), _) => address.to_string(),
        (None, Some(them)) => format!("unix:uid={}", them.uid),
        (None, None) => "unix".into(),
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Conversation {
    mail: Mail,
    peer: String,
    address: Option<std::net::IpAddr>,
    protocol: Protocol,
    client: LhloName,
    begun: Option<Begun>,
}

/// A message, from MAIL on.
#[derive(Debug)]
struct Begun {
    rules: Arc<Rules>,
    since: Instant,
    size: Option<u64>,
    recipients: Vec<Recipient>,
}

impl Session for Conversation {
    async fn lhlo(&mut self, name: &LhloName) -> Result<(), Reply> {
        self.client = name.clone();
        Ok(())
    }

    fn secured(&mut self, _: &Peer) {
        self.protocol.tls = true;
    }

    fn authenticated(&mut self, _: &Identity) {
        self.protocol.auth = true;
    }

    async fn mail(&mut self, _: &ReversePath, params: &MailParams) -> Result<(), Reply> {
        let (rules, since) = (self.mail.rules(), Instant::now());
        self.begun = Some(Begun { rules, since, size: params.size, recipients: Vec::new() });
        Ok(())
    }

    async fn rcpt(&mut self, to: &ForwardPath, params: &RcptParams) -> Result<(), Reply> {
        let Some(begun) = &mut self.begun else { return Err(Reply::try_again_later()) };
        let Some(store) = begun.rules.store.clone() else { return Ok(()) };
        let (path, params, size) = (to.clone(), params.clone(), begun.size);
        let found = spawn_blocking(move || store.recipient(&path, &params, size)).await;
        match found.map_err(|_| Reply::try_again_later())? {
            Ok(recipient) => {
                begun.recipients.push(recipient);
                Ok(())
            }
            Err(verdict) => {
                self.mail.0.counts.answered(verdict.reply().code().class());
                let (to, reply) = (Some(format!("<{to}>")), Some(verdict.reply().to_string()));
                let error = verdict.trouble().map(ToString::to_string);
                Entry { peer: Some(&self.peer), to, reply, error, ..Entry::now("rejected") }.write(begun.rules.format);
                Err(verdict.reply().clone())
            }
        }
    }

    async fn deliver(&mut self, message: Message, verdicts: Verdicts) {
        // In a box: connections that have no message are many, and have no room for one.
        Box::pin(self.take(message, verdicts)).await;
    }

    fn over(&mut self, _: &lmtp_tokio::Ending) {
        self.begun = None;
    }
}

impl Conversation {
    /// Takes a message and answers for each of its recipients.
    async fn take(&mut self, message: Message, verdicts: Verdicts) {
        let Some(begun) = self.begun.take() else { return };
        let name = self.mail.name();
        let Message { envelope, params, mut body, .. } = message;
        let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let (Ok(date), Ok(id)) = (Date::new(i64::try_from(seconds).unwrap_or_default(), 0), name.parse::<TraceId>())
        else {
            return;
        };
        let origin = Origin {
            sender: envelope.from().clone(),
            client: self.client.clone(),
            peer: self.address,
            protocol: Protocol { utf8: params.smtputf8, ..self.protocol },
            id: Some(id),
            date,
        };
        let format = begun.rules.format;
        let entry = Entry { id: Some(&name), peer: Some(&self.peer), ..Entry::now("delivery") };
        let from = format!("<{}>", envelope.from());
        let store = begun.rules.store.as_ref();
        let Some(recipients) = accepted(begun.recipients, &envelope).or(store.is_none().then(Vec::new)) else {
            return;
        };
        let (kept, octets) = match keep(store, origin, recipients, &mut body).await {
            Ok(kept) => kept,
            Err(error) => {
                self.mail.0.counts.abandoned.fetch_add(1, Ordering::Relaxed);
                let (from, error) = (Some(from), Some(error));
                return Entry { from, error, event: "abandoned", ..entry }.write(format);
            }
        };
        let counts = &self.mail.0.counts;
        counts.messages.fetch_add(1, Ordering::Relaxed);
        counts.octets.fetch_add(octets, Ordering::Relaxed);
        let count = u32::try_from(verdicts.len()).unwrap_or(u32::MAX);
        for (place, recipient) in (0..count).zip(envelope.recipients()) {
            let verdict = kept.get(place as usize);
            let reply = match verdict {
                Some(verdict) => named(verdict.reply(), &name),
                None if begun.rules.store.is_none() => named(&Reply::stored(), &name),
                // It went wrong before anybody's verdict was known.
                None => Reply::try_again_later(),
            };
            counts.answered(reply.code().class());
            let told = verdicts.give(RecipientId(place), reply.clone());
            let error = verdict.and_then(Verdict::trouble).map(ToString::to_string);
            let error = error.or(told.is_err().then(|| "too late: the client was told to try again".into()));
            let file = verdict.and_then(Verdict::file);
            let milliseconds = milliseconds(begun.since.elapsed());
            let (to, reply) = (Some(format!("<{}>", recipient.0)), Some(reply.to_string()));
            let (from, octets) = (Some(from.clone()), Some(octets));
            Entry { from, to, reply, octets, milliseconds, file, error, ..entry_of(&entry) }.write(format);
        }
    }
}

/// Those that were accepted, in their order. One whose answer came too late was found, and refused all the same.
fn accepted(found: Vec<Recipient>, envelope: &Envelope) -> Option<Vec<Recipient>> {
    let mut found = found.into_iter();
    envelope.recipients().iter().map(|(path, _)| found.find(|recipient| recipient.path() == path)).collect()
}

/// The same time, event and names.
fn entry_of<'a>(entry: &Entry<'a>) -> Entry<'a> {
    Entry { id: entry.id, peer: entry.peer, ..Entry::now(entry.event) }
}

/// A verdict with the message's name behind it, by which its sender may ask for it.
fn named(reply: &Reply, name: &str) -> Reply {
    let text = format!("{} ({name})", reply.text());
    Reply::new(reply.code().get(), reply.enhanced(), &text).unwrap_or_else(|_| reply.clone())
}

/// Takes the content to where it is kept, and gives the verdicts and its size; an error if it has no
/// end. All that may wait for the disk is done on threads that may wait.
async fn keep(
    store: Option<&Store>,
    origin: Origin,
    recipients: Vec<Recipient>,
    body: &mut lmtp_tokio::Incoming,
) -> Result<(Vec<Verdict>, u64), String> {
    let mut delivery = store.map(|store| store.deliver(&origin, recipients));
    let (mut pieces, mut held, mut octets): (Vec<Bytes>, usize, u64) = (Vec::new(), 0, 0);
    loop {
        match body.next().await {
            Ok(Some(piece)) => {
                octets += piece.len() as u64;
                held += piece.len();
                pieces.push(piece);
            }
            Ok(None) => break,
            Err(error) => {
                // What was made for it is taken away, and that is the disk's time, too.
                let _ = spawn_blocking(move || drop(delivery)).await;
                return Err(error.to_string());
            }
        }
        if held < BATCH {
            continue;
        }
        held = 0;
        let batch = std::mem::take(&mut pieces);
        if let Some(mut begun) = delivery.take() {
            let written = spawn_blocking(move || {
                for piece in &batch {
                    begun.write(piece);
                }
                begun
            });
            delivery = Some(written.await.map_err(|error| error.to_string())?);
        }
    }
    let Some(mut delivery) = delivery else { return Ok((Vec::new(), octets)) };
    let finished = spawn_blocking(move || {
        for piece in &pieces {
            delivery.write(piece);
        }
        delivery.finish()
    });
    Ok((finished.await.unwrap_or_default(), octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who was refused in the end gets nothing, and nobody has another's verdict.
    #[test]
    fn whoever_was_found_too_late_is_not_among_the_accepted() {
        let root = tempfile::tempdir().unwrap();
        let mut config = lmtp_maildir::Config::default();
        config.create = true;
        let store = Store::open(root.path(), config).unwrap();
        let find = |name: &str| store.recipient(&format!("{name}@x").parse().unwrap(), &RcptParams::default(), None);
        let found: Vec<Recipient> = ["a", "late", "b", "b", "late", "c"].map(|name| find(name).unwrap()).into();
        let envelope = |names: &[&str]| {
            let to = names.iter().map(|name| format!("{name}@x").parse::<ForwardPath>().unwrap());
            Envelope::new(ReversePath::Null, to).unwrap()
        };
        let named = |accepted: Vec<Recipient>| -> Vec<String> {
            accepted.iter().map(|recipient| recipient.path().to_string()).collect()
        };
        let these = accepted(found.clone(), &envelope(&["a", "b", "b", "c"])).unwrap();
        assert_eq!(named(these), ["a@x", "b@x", "b@x", "c@x"]);
        assert!(accepted(found, &envelope(&["c", "a"])).is_none(), "in another order they are somebody else's");
    }

    #[test]
    fn numbers_are_short() {
        for (number, text) in [(0, "0"), (35, "z"), (36, "10"), (1_795_717_475_000, "mwy3f92w")] {
            let read = u64::from_str_radix(&in_base_36(number), 36).unwrap();
            assert_eq!((read, in_base_36(number).len()), (number, text.len()));
        }
    }
}
