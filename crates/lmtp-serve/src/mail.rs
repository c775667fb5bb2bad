//! The application: who is let in, who has a mailbox, where a message goes.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Instant, SystemTime};

use lmtp_maildir::Origin;
use lmtp_tokio::proto::auth::Identity;
use lmtp_tokio::proto::trace::{Date, Protocol, TraceId};
use lmtp_tokio::proto::value::{AttributeValue, ClientAttribute, ClientAttributes};
use lmtp_tokio::{
    Envelope, ForwardPath, Handler, LhloName, MailParams, Message, Network, Peer, RcptParams, RecipientId, Reply,
    ReversePath, Session, Verdicts,
};

use crate::faults::{Faults, Step};
use crate::http::Counts;
use crate::inbox::{Answered, Journal};
use crate::log::{Entry, milliseconds};
use crate::settings::Format;
use crate::sink::{Accepted, Memory, Sink, Spool, Verdict, Whole};

/// What may change while the server runs.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) sink: Sink,
    /// The server's name.
    pub(crate) name: LhloName,
    pub(crate) faults: Arc<Faults>,
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
    /// What the inbox shows, if there is one.
    journal: Option<Journal>,
    /// What `sink = "memory"` keeps, whatever the settings become.
    memory: Memory,
}

impl Rules {
    /// Whether that peer may connect.
    fn admit(&self, peer: &Peer) -> bool {
        match (peer.address, peer.credentials) {
            (Some(_), _) => self.networks.is_empty() || self.networks.iter().any(|network| network.contains(peer)),
            (None, Some(them)) => self.uids.is_empty() || self.uids.contains(&them.uid),
            (None, None) => self.uids.is_empty(),
        }
    }
}

impl Mail {
    pub(crate) fn new(rules: Rules, memory: Memory, journal: Option<Journal>) -> Self {
        let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let began = u64::try_from(began).unwrap_or_default();
        Self(Arc::new(Inner {
            rules: RwLock::new(Arc::new(rules)),
            began,
            messages: AtomicU64::new(0),
            counts: Arc::default(),
            journal,
            memory,
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

    pub(crate) fn memory(&self) -> &Memory {
        &self.0.memory
    }

    /// Tells the inbox what a recipient was answered.
    fn note(&self, id: Option<&str>, from: Option<&str>, to: Option<&str>, reply: Option<&str>, file: Option<&str>) {
        let Some(journal) = &self.0.journal else { return };
        let text = |text: Option<&str>| text.map(str::to_owned);
        let (to, reply) = (text(to).unwrap_or_default(), text(reply).unwrap_or_default());
        journal.note(Answered { time: SystemTime::now(), id: text(id), from: text(from), to, reply, file: text(file) });
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
        self.0.counts.connections.fetch_add(1, Ordering::Relaxed);
        if !rules.admit(peer) {
            self.0.counts.refused.fetch_add(1, Ordering::Relaxed);
            let (peer, reply) = (said(peer), Some(Reply::refused().to_string()));
            Entry { peer: Some(&peer), reply, ..Entry::now("refused") }.write(rules.format);
            return Err(Reply::refused());
        }
        rules.faults.wait(Step::Connect).await;
        rules.faults.refusal(Step::Connect, None).map_or(Ok(()), Err)?;
        Ok(Conversation {
            mail: self.clone(),
            peer: said(peer),
            proxy: peer.proxy.as_ref().and(peer.address).map(|address| address.to_string()),
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
    /// Who speaks for it.
    proxy: Option<String>,
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
    recipients: Vec<Accepted>,
}

impl Session for Conversation {
    async fn lhlo(&mut self, name: &LhloName) -> Result<(), Reply> {
        self.client = name.clone();
        self.meddle(Step::Lhlo, None).await
    }

    fn secured(&mut self, _: &Peer) {
        self.protocol.tls = true;
    }

    fn authenticated(&mut self, _: &Identity) {
        self.protocol.auth = true;
    }

    async fn mail(&mut self, from: &ReversePath, params: &MailParams) -> Result<(), Reply> {
        let (rules, since, text) = (self.mail.rules(), Instant::now(), from.to_string());
        self.meddle(Step::Mail, Some(&text)).await?;
        rules.sink.sender(&text).map_err(|verdict| verdict.reply)?;
        self.begun = Some(Begun { rules, since, size: params.size, recipients: Vec::new() });
        Ok(())
    }

    async fn rcpt(&mut self, to: &ForwardPath, params: &RcptParams) -> Result<(), Reply> {
        let text = to.to_string();
        let meddled = self.meddle(Step::Rcpt, Some(&text)).await;
        let Some(begun) = &mut self.begun else { return Err(Reply::try_again_later()) };
        let found = match meddled {
            Ok(()) => begun.rules.sink.recipient(to, params, begun.size).await,
            Err(reply) => Err(Verdict::new(reply)),
        };
        match found {
            Ok(recipient) => {
                begun.recipients.push(recipient);
                Ok(())
            }
            Err(Verdict { reply, error, .. }) => {
                self.mail.0.counts.answered(reply.code().class());
                let (to, said) = (Some(format!("<{to}>")), Some(reply.to_string()));
                self.mail.note(None, None, to.as_deref(), said.as_deref(), None);
                let entry = Entry { peer: Some(&self.peer), proxy: self.proxy.as_deref(), ..Entry::now("rejected") };
                Entry { to, reply: said, error, ..entry }.write(begun.rules.format);
                Err(reply)
            }
        }
    }

    async fn data(&mut self) -> Result<(), Reply> {
        self.meddle(Step::Data, None).await
    }

    /// It is offered to whom [`trust`](lmtp_tokio::Server::trust) lets only.
    async fn xclient(&mut self, attributes: &ClientAttributes) -> Result<(), Reply> {
        let value = |attribute| attributes.value(attribute).and_then(AttributeValue::as_str);
        if let Some(address) = attributes.value(&ClientAttribute::Addr).and_then(AttributeValue::address) {
            let port = value(&ClientAttribute::Port).and_then(|port| port.parse().ok()).unwrap_or(0);
            let by = std::mem::replace(&mut self.peer, SocketAddr::new(address, port).to_string());
            self.proxy.get_or_insert(by);
            self.address = Some(address);
        }
        if let Some(name) = value(&ClientAttribute::Helo).and_then(|name| name.parse().ok()) {
            self.client = name;
        }
        Ok(())
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
    /// What goes wrong here on purpose.
    async fn meddle(&self, at: Step, address: Option<&str>) -> Result<(), Reply> {
        let rules = self.mail.rules();
        rules.faults.wait(at).await;
        rules.faults.refusal(at, address).map_or(Ok(()), Err)
    }

    /// Takes a message and answers for each of its recipients.
    async fn take(&mut self, message: Message, verdicts: Verdicts) {
        let Some(begun) = self.begun.take() else { return };
        let name = self.mail.name();
        let Message { envelope, params, mut body, .. } = message;
        let Some(origin) = self.origin(&envelope, &params, &name) else { return };
        let Begun { rules, since, recipients, .. } = begun;
        let Some(recipients) = accepted(recipients, &envelope) else { return };
        // Who is to be failed on purpose has nothing stored.
        let mut refused: Vec<Option<Reply>> = recipients
            .iter()
            .map(|recipient| rules.faults.refusal(Step::Final, Some(&recipient.path.to_string())))
            .collect();
        let (recipients, part) = without(recipients, &envelope, &refused);
        let entry = Entry { id: Some(&name), peer: Some(&self.peer), ..Entry::now("delivery") };
        let entry = Entry { proxy: self.proxy.as_deref(), tls: self.protocol.tls.then_some(true), ..entry };
        let from = format!("<{}>", envelope.from());
        let whole = Whole { origin: &origin, by: &rules.name, name: &name, envelope: &part, content: Spool::default() };
        let (kept, octets) = match rules.sink.take(recipients, whole, &mut body).await {
            Ok(kept) => kept,
            Err(error) => {
                self.mail.0.counts.abandoned.fetch_add(1, Ordering::Relaxed);
                let (from, error) = (Some(from), Some(error));
                return Entry { from, error, event: "abandoned", ..entry }.write(rules.format);
            }
        };
        let counts = &self.mail.0.counts;
        counts.messages.fetch_add(1, Ordering::Relaxed);
        counts.octets.fetch_add(octets, Ordering::Relaxed);
        let mut kept = kept.into_iter();
        for ((place, recipient), refused) in (0..).zip(envelope.recipients()).zip(refused.drain(..)) {
            rules.faults.wait(Step::Final).await;
            // What has no verdict went wrong before anybody's was known.
            let verdict = match refused {
                Some(reply) => Verdict::new(reply),
                None => kept.next().unwrap_or_else(|| Verdict::new(Reply::try_again_later())),
            };
            let reply = named(&verdict.reply, &name);
            counts.answered(reply.code().class());
            let told = verdicts.give(RecipientId(place), reply.clone());
            let error = verdict.error.or(told.is_err().then(|| "too late: the client was told to try again".into()));
            let (file, milliseconds) = (verdict.file.as_deref(), milliseconds(since.elapsed()));
            let (to, reply) = (Some(format!("<{}>", recipient.0)), Some(reply.to_string()));
            self.mail.note(Some(&name), Some(&from), to.as_deref(), reply.as_deref(), file);
            let (from, octets) = (Some(from.clone()), Some(octets));
            Entry { from, to, reply, octets, milliseconds, file, error, ..entry_of(&entry) }.write(rules.format);
        }
    }

    /// Where a message comes from, and how.
    fn origin(&self, envelope: &Envelope, params: &MailParams, name: &str) -> Option<Origin> {
        let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        Some(Origin {
            sender: envelope.from().clone(),
            client: self.client.clone(),
            peer: self.address,
            protocol: Protocol { utf8: params.smtputf8, ..self.protocol },
            id: Some(name.parse::<TraceId>().ok()?),
            date: Date::new(i64::try_from(seconds).unwrap_or_default(), 0).ok()?,
        })
    }
}

/// Those who are not refused, and the envelope for them.
fn without(recipients: Vec<Accepted>, envelope: &Envelope, refused: &[Option<Reply>]) -> (Vec<Accepted>, Envelope) {
    if refused.iter().all(Option::is_none) {
        return (recipients, envelope.clone());
    }
    let mut answers = refused.iter();
    let stays = |_: &Accepted| answers.next().is_some_and(Option::is_none);
    let recipients: Vec<Accepted> = recipients.into_iter().filter(stays).collect();
    let mut answers = refused.iter();
    let stays = |_: &&(ForwardPath, RcptParams)| answers.next().is_some_and(Option::is_none);
    let to = envelope.recipients().iter().filter(stays).cloned().collect();
    let part = Envelope::with_recipients(envelope.from().clone(), to);
    let part = part.map(|part| part.with_params(envelope.params().clone()));
    // An envelope for nobody is none; nobody looks at it.
    (recipients, part.unwrap_or_else(|_| envelope.clone()))
}

/// Those that were accepted, in their order. One whose answer came too late was found, and refused all the same.
fn accepted(found: Vec<Accepted>, envelope: &Envelope) -> Option<Vec<Accepted>> {
    let mut found = found.into_iter();
    envelope.recipients().iter().map(|(path, _)| found.find(|recipient| recipient.path == *path)).collect()
}

/// The same time, event and names.
fn entry_of<'a>(entry: &Entry<'a>) -> Entry<'a> {
    Entry { id: entry.id, peer: entry.peer, proxy: entry.proxy, tls: entry.tls, ..Entry::now(entry.event) }
}

/// A verdict with the message's name behind it, by which its sender may ask for it.
fn named(reply: &Reply, name: &str) -> Reply {
    let text = format!("{} ({name})", reply.text());
    Reply::new(reply.code().get(), reply.enhanced(), &text).unwrap_or_else(|_| reply.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who was refused in the end gets nothing, and nobody has another's verdict.
    #[test]
    fn whoever_was_found_too_late_is_not_among_the_accepted() {
        let find = |name: &str| Accepted { path: format!("{name}@x").parse().unwrap(), mailbox: None };
        let found: Vec<Accepted> = ["a", "late", "b", "b", "late", "c"].map(find).into();
        let envelope = |names: &[&str]| {
            let to = names.iter().map(|name| format!("{name}@x").parse::<ForwardPath>().unwrap());
            Envelope::new(ReversePath::Null, to).unwrap()
        };
        let named = |accepted: Vec<Accepted>| -> Vec<String> {
            accepted.iter().map(|recipient| recipient.path.to_string()).collect()
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
