//! What only the application can decide.

use crate::value::{
    AuthResponse, ClientAttributes, ForwardPath, LhloName, MailParams, MechanismName, RcptParams, ReversePath,
};
use crate::{RecipientId, TransactionId};

/// A question to the application. Nothing more is read from the client until it
/// is answered, by handing it back.
///
/// It cannot be copied: one question, one answer. Dropped, or answered too late,
/// it is answered 451 when the time of
/// [`Timeouts::handler`](crate::Timeouts::handler) is over.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the client waits for the answer"]
pub struct Question {
    pub(super) number: u64,
    ask: Ask,
}

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ask {
    /// Whether to serve this client; its answer is the greeting.
    Connect,
    /// Whether to go on with a client of that name.
    Lhlo(LhloName),
    /// Whether to take mail from that sender.
    Mail(TransactionId, ReversePath, MailParams),
    /// Whether to take mail for that recipient, who will have that number if so.
    Rcpt(TransactionId, RecipientId, ForwardPath, RcptParams),
    /// Whether to read the content. Everything about the envelope is known.
    Data(TransactionId),
    /// Whether this client is who it says it is: what AUTH says, with the
    /// initial response if there is one.
    Auth(MechanismName, Option<AuthResponse>),
    /// What the client says to the last challenge.
    AuthResponse(AuthResponse),
    /// Whether to believe what XCLIENT says of the client's client.
    Xclient(ClientAttributes),
    /// Whether to believe what XFORWARD says of the message's origin.
    Xforward(ClientAttributes),
}

impl Question {
    pub(super) fn new(number: u64, ask: Ask) -> Self {
        Self { number, ask }
    }

    /// What is asked.
    pub fn ask(&self) -> &Ask {
        &self.ask
    }

    /// What was asked, once it is answered.
    pub(super) fn into_ask(self) -> Ask {
        self.ask
    }
}

/// What the machine remembers of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) number: u64,
    pub(super) pending: Pending,
}

/// What goes on once a question is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pending {
    Connect,
    Lhlo(LhloName),
    Mail { binary: bool, utf8: bool },
    Rcpt,
    Data,
    Bdat { size: u64, last: bool },
    Auth,
    Xclient,
    Xforward,
}
