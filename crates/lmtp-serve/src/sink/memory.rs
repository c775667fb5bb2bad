//! Into memory, for tests of other programs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lmtp_tokio::Reply;
use lmtp_tokio::proto::bytes::Bytes;

use super::{Verdict, Whole};

/// The messages that a server with `sink = "memory"` has taken, the latest of them; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<VecDeque<Kept>>>);

/// A message that is in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kept {
    /// The message's name, which stands in the replies, too.
    pub name: String,
    /// The sender, as in MAIL, without angle brackets.
    pub from: String,
    /// The recipients that were accepted, in their order.
    pub to: Vec<String>,
    /// The content as it came, with nothing above it, lines ended by CRLF.
    pub content: Bytes,
}

/// So many messages are kept; the oldest go.
const MOST: usize = 1000;

impl Memory {
    /// What was taken, the oldest first.
    pub fn messages(&self) -> Vec<Kept> {
        self.locked().iter().cloned().collect()
    }

    /// Forgets all messages.
    pub fn clear(&self) {
        self.locked().clear();
    }

    pub(super) async fn keep(&self, message: Whole<'_>) -> Vec<Verdict> {
        let recipients = message.envelope.recipients();
        let mut content = Vec::new();
        loop {
            match message.content.piece(content.len() as u64).await {
                Ok(piece) if piece.is_empty() => break,
                Ok(piece) => content.extend_from_slice(&piece),
                Err(error) => {
                    return vec![Verdict::because(Reply::try_again_later(), error.to_string()); recipients.len()];
                }
            }
        }
        let kept = Kept {
            name: message.name.to_owned(),
            from: message.envelope.from().to_string(),
            to: recipients.iter().map(|(path, _)| path.to_string()).collect(),
            content: content.into(),
        };
        let mut messages = self.locked();
        if messages.len() == MOST {
            messages.pop_front();
        }
        messages.push_back(kept);
        vec![Verdict::new(Reply::stored()); recipients.len()]
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
