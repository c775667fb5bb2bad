//! A message on its way in.

use lmtp_proto::value::MailParams;
use lmtp_proto::{Envelope, TransactionId};

use crate::Incoming;

/// A message on its way in: who it is from and for, and its content, which has only
/// begun to come.
#[derive(Debug)]
#[non_exhaustive]
pub struct Message {
    /// Its name on this connection.
    pub id: TransactionId,
    /// The sender and the recipients that were accepted, in the order of their
    /// [`RecipientId`](lmtp_proto::RecipientId)s. It can be sent on as it is.
    pub envelope: Envelope,
    /// All that MAIL said, SIZE, BODY and SMTPUTF8 included, which an envelope leaves
    /// out.
    pub params: MailParams,
    /// The content.
    pub body: Incoming,
}
