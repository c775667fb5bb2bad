//! One message on its way in.

use super::chunk_text::ChunkText;
use super::{BareNewlines, Ending, Event, Server};
use crate::value::Reply;
use crate::{TransactionId, Unstuffer};

/// What is known of the transaction from its MAIL on.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) id: TransactionId,
    /// MAIL said BODY=BINARYMIME.
    pub(super) binary: bool,
    /// MAIL said SMTPUTF8: replies may hold UTF-8.
    pub(super) utf8: bool,
    /// RCPTs heard, for RCPTMAX (RFC 9422 section 4.2): whatever became of them.
    pub(super) rcpts: usize,
    pub(super) body: Body,
    /// The refusal that stands for every recipient: what is still read is
    /// dropped.
    pub(super) refused: Option<Reply>,
    /// Octets of content read, as they came.
    pub(super) read: u64,
}

impl Transaction {
    pub(super) fn new(id: TransactionId, binary: bool, utf8: bool) -> Self {
        Self { id, binary, utf8, rcpts: 0, body: Body::None, refused: None, read: 0 }
    }
}

/// How the content comes in.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one a session, and none between messages")]
pub(super) enum Body {
    /// Not yet.
    None,
    /// Behind DATA.
    Stuffed(Unstuffer),
    /// In chunks.
    Chunked(ChunkText),
}

impl Body {
    pub(super) fn stuffed(newlines: BareNewlines) -> Self {
        Self::Stuffed(Unstuffer::new(newlines))
    }

    pub(super) fn chunked(newlines: BareNewlines) -> Self {
        Self::Chunked(ChunkText::new(newlines))
    }
}

impl Server {
    /// Every recipient of the message will get this refusal, once the content
    /// has been read to its end. The application hears it now.
    pub(super) fn refuse_message(&mut self, reply: Reply) {
        let Some(transaction) = self.transaction.as_mut().filter(|transaction| transaction.refused.is_none()) else {
            return;
        };
        transaction.refused = Some(reply.clone());
        if let Body::Stuffed(unstuffer) = &mut transaction.body {
            unstuffer.discard();
        }
        self.events.push_back(Event::Over(transaction.id, Ending::Refused(reply)));
    }

    /// The transaction is over, whatever its state: nothing of it is left.
    pub(super) fn forget_transaction(&mut self, ending: Ending) {
        self.verdicts.clear();
        // Of a refusal the application has heard.
        if let Some(transaction) = self.transaction.take()
            && transaction.refused.is_none()
        {
            self.events.push_back(Event::Over(transaction.id, ending));
        }
    }
}
