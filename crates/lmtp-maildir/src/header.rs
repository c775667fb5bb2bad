//! What is written above a message.

use std::net::IpAddr;

use lmtp_proto::trace::{self, Date, Protocol, Received, TraceId};
use lmtp_proto::value::{Domain, LhloName};
use lmtp_proto::{ForwardPath, ReversePath};

use crate::store::Recipient;

/// Where a message comes from: what stands in its `Return-Path` and `Received`.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The sender, from MAIL.
    pub sender: ReversePath,
    /// What the client calls itself, from LHLO.
    pub client: LhloName,
    /// The client's address, if it has one.
    pub peer: Option<IpAddr>,
    /// How the message came.
    pub protocol: Protocol,
    /// What the server's log calls the message.
    pub id: Option<TraceId>,
    /// When it came.
    pub date: Date,
}

/// Who writes: the names of the server.
#[derive(Debug, Clone, Default)]
pub(crate) struct By {
    pub(crate) name: LhloName,
    pub(crate) utf8: Option<Domain>,
}

/// `Return-Path`, for a single recipient `Delivered-To` and `X-Original-To`, and
/// `Received`, lines ended by CRLF.
///
/// What is for several names none of them. A postmaster without a domain has no
/// `Delivered-To`, for there is no address to write.
pub(crate) fn above(origin: &Origin, by: &By, recipient: Option<&Recipient>) -> String {
    let mut header = trace::return_path(&origin.sender);
    if let Some(ForwardPath::Mailbox(mailbox)) = recipient.map(Recipient::path) {
        header.push_str(&trace::delivered_to(mailbox));
    }
    if let Some(original) = recipient.and_then(Recipient::original) {
        header.push_str(&trace::original_to(original, origin.protocol.utf8).unwrap_or_default());
    }
    let mut received = Received::new(&origin.client, &by.name, origin.protocol, origin.date)
        .recipients(recipient.map(Recipient::path));
    if let Some(peer) = origin.peer {
        received = received.peer(peer);
    }
    if let Some(name) = &by.utf8 {
        received = received.by_utf8(name);
    }
    if let Some(id) = &origin.id {
        received = received.id(id);
    }
    header.push_str(&received.to_string());
    header
}
