//! Where messages go, and what is answered for them.

mod exec;
mod forward;
mod memory;
mod spool;
mod store;
mod webhook;

use lmtp_maildir::{Origin, Store};
use lmtp_tokio::proto::trace::Received;
use lmtp_tokio::{Envelope, ForwardPath, Incoming, LhloName, RcptParams, Reply};

pub(crate) use exec::Exec;
pub(crate) use forward::Forward;
pub use memory::{Kept, Memory};
pub(crate) use spool::Spool;
pub(crate) use webhook::Webhook;

/// Where messages go.
#[derive(Debug)]
pub(crate) enum Sink {
    /// Into Maildirs.
    Maildir(Store),
    /// Nowhere.
    Discard,
    /// Into memory, for tests.
    Memory(Memory),
    /// To a command, once for each recipient.
    Exec(Exec),
    /// To another server.
    Forward(Forward),
    /// To a web service.
    Webhook(Webhook),
}

/// A recipient that RCPT was answered with a yes for.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) path: ForwardPath,
    /// Where its mailbox is, if it has one here.
    pub(crate) mailbox: Option<lmtp_maildir::Recipient>,
}

/// What is answered for a recipient, and what the log says of it beside.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) reply: Reply,
    pub(crate) file: Option<String>,
    pub(crate) error: Option<String>,
}

/// A message that is whole, and not kept yet.
pub(crate) struct Whole<'a> {
    pub(crate) origin: &'a Origin,
    /// The server's name.
    pub(crate) by: &'a LhloName,
    /// The message's.
    pub(crate) name: &'a str,
    pub(crate) envelope: &'a Envelope,
    pub(crate) content: Spool,
}

impl Sink {
    /// Whether it takes mail for that recipient: the answer to RCPT.
    pub(crate) async fn recipient(
        &self,
        path: &ForwardPath,
        params: &RcptParams,
        size: Option<u64>,
    ) -> Result<Accepted, Verdict> {
        let path = path.clone();
        match self {
            Self::Maildir(store) => {
                let mailbox = store::find(store, &path, params, size).await?;
                Ok(Accepted { path, mailbox: Some(mailbox) })
            }
            Self::Exec(exec) => exec.recipient(&path).map(|()| Accepted { path, mailbox: None }),
            Self::Discard | Self::Memory(_) | Self::Forward(_) | Self::Webhook(_) => {
                Ok(Accepted { path, mailbox: None })
            }
        }
    }

    /// Whether it takes mail from that sender.
    pub(crate) fn sender(&self, from: &str) -> Result<(), Verdict> {
        match self {
            Self::Exec(_) => exec::sender(from),
            _ => Ok(()),
        }
    }

    /// Takes a message, and answers for each of its recipients, in their order; those without an answer are to try
    /// again. It gives the message's size, too. An error is a message without an end, and nothing of it is kept.
    pub(crate) async fn take(
        &self,
        recipients: Vec<Accepted>,
        message: Whole<'_>,
        body: &mut Incoming,
    ) -> Result<(Vec<Verdict>, u64), String> {
        if let Self::Maildir(store) = self {
            let mailboxes = recipients.into_iter().filter_map(|recipient| recipient.mailbox).collect();
            return store::keep(store, message.origin, mailboxes, body).await;
        }
        if matches!(self, Self::Discard) {
            let octets = drain(body).await?;
            return Ok((recipients.iter().map(|_| Verdict::new(Reply::stored())).collect(), octets));
        }
        let mut message = message;
        if matches!(self, Self::Forward(_)) {
            message.content.push(Forward::header(&message).into()).await;
        }
        let octets = message.content.fill(body).await?;
        if let Some(failed) = message.content.failed() {
            let verdict = Verdict::because(Reply::try_again_later(), failed.to_string());
            return Ok((vec![verdict; recipients.len()], octets));
        }
        let verdicts = match self {
            Self::Memory(memory) => memory.keep(message).await,
            Self::Exec(exec) => exec.deliver(&message).await,
            Self::Forward(forward) => forward.deliver(message).await,
            Self::Webhook(webhook) => webhook.deliver(message).await,
            Self::Maildir(_) | Self::Discard => Vec::new(),
        };
        Ok((verdicts, octets))
    }
}

impl Verdict {
    pub(crate) fn new(reply: Reply) -> Self {
        Self { reply, file: None, error: None }
    }

    /// With what the log says and the client does not hear.
    pub(crate) fn because(reply: Reply, error: impl Into<String>) -> Self {
        Self { error: Some(error.into()), ..Self::new(reply) }
    }
}

impl Whole<'_> {
    /// `Received`, ended by CRLF; it names its recipient if there is only one.
    pub(crate) fn received(&self, recipient: Option<&ForwardPath>) -> String {
        let origin = self.origin;
        let mut received = Received::new(&origin.client, self.by, origin.protocol, origin.date).recipients(recipient);
        if let Some(peer) = origin.peer {
            received = received.peer(peer);
        }
        if let Some(id) = &origin.id {
            received = received.id(id);
        }
        received.to_string()
    }
}

/// Takes the content, and keeps nothing of it.
async fn drain(body: &mut Incoming) -> Result<u64, String> {
    let mut octets = 0;
    while let Some(piece) = body.next().await.map_err(|error| error.to_string())? {
        octets += piece.len() as u64;
    }
    Ok(octets)
}

/// A reply with somebody else's words, as far as they can be said.
fn reply(code: u16, enhanced: (u16, u16), text: &str) -> Reply {
    use lmtp_tokio::proto::value::EnhancedCode;
    let class = u8::try_from(code / 100).unwrap_or(4);
    let enhanced = EnhancedCode::new(class, enhanced.0, enhanced.1).ok();
    let words: String = text.chars().map(|char| if (' '..='~').contains(&char) { char } else { '?' }).collect();
    let words = words.get(..words.len().min(200)).unwrap_or_default();
    Reply::new(code, enhanced, words).unwrap_or_else(|_| Reply::try_again_later())
}
