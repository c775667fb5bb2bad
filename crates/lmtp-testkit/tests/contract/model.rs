//! An application that keeps mail in memory, said without a front end.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use lmtp_proto::{Envelope, ForwardPath, RecipientId, Reply};

/// Whom every test writes to. What becomes of them goes by their names.
pub(crate) const TO: [&str; 5] = ["ann@x", "nobody@x", "full@x", "later@x", "zoe@x"];

/// A message that was kept for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) to: String,
    pub(crate) content: String,
}

/// What is kept, for all connections of a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mailboxes(Arc<Mutex<Vec<Stored>>>);

impl Mailboxes {
    pub(crate) fn stored(&self) -> Vec<Stored> {
        self.0.lock().unwrap().clone()
    }

    /// Who has that message.
    pub(crate) fn who_has(&self, content: &str) -> Vec<String> {
        self.stored().into_iter().filter(|one| one.content == content).map(|one| one.to).collect()
    }

    /// Keeps a message; a verdict for each recipient, the last one first.
    pub(crate) fn deliver(&self, envelope: &Envelope, content: &[u8]) -> Vec<(RecipientId, Reply)> {
        let content = String::from_utf8(content.to_vec()).unwrap();
        let mut verdicts = Vec::new();
        for (id, (path, _)) in (0..).zip(envelope.recipients()) {
            let to = path.to_string();
            let verdict = match to.split('@').next().unwrap() {
                "full" => Reply::mailbox_full(),
                "later" => Reply::try_again_later(),
                _ => {
                    self.0.lock().unwrap().push(Stored { to, content: content.clone() });
                    Reply::stored()
                }
            };
            verdicts.push((RecipientId(id), verdict));
        }
        verdicts.reverse();
        verdicts
    }
}

/// The answer to RCPT.
pub(crate) fn rcpt(to: &ForwardPath) -> Result<(), Reply> {
    if to.to_string().starts_with("nobody") { Err(Reply::no_such_user()) } else { Ok(()) }
}

/// What must come out for [`TO`].
pub(crate) fn expected() -> Vec<String> {
    let mut lines = String::new();
    for to in TO {
        let outcome = match to {
            "nobody@x" => "permanent rcpt 550 5.1.1",
            "full@x" => "temporary final 452 4.2.2",
            "later@x" => "temporary final 451 4.3.0",
            _ => "delivered final 250 2.0.0",
        };
        writeln!(lines, "{to} {outcome}").unwrap();
    }
    lines.lines().map(str::to_owned).collect()
}

/// The envelope of every test.
pub(crate) fn envelope() -> Envelope {
    Envelope::new("sender@x".parse().unwrap(), TO.map(|to| to.parse().unwrap())).unwrap()
}
