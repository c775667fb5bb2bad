//! What a server writes above a message: where it came from and where it went
//! (RFC 5321 section 4.4, RFC 9228).
//!
//! Pure functions from values to header fields, CRLF at the end of each line. No
//! value can break out of its field: there is none that holds CR, LF or NUL. The
//! newest field stands on top, and those that are there are neither changed nor
//! moved:
//!
//! ```
//! use lmtp_proto::trace::{Date, Protocol, Received, delivered_to, return_path};
//! use lmtp_proto::{ForwardPath, ReversePath};
//!
//! let sender: ReversePath = "ann@example.org".parse()?;
//! let recipient: ForwardPath = "bob@example.net".parse()?;
//! let (client, server) = ("mx.example.org".parse()?, "mda.example.net".parse()?);
//! let received = Received::new(&client, &server, Protocol::default(), Date::new(1_611_621_564, 0)?)
//!     .peer("192.0.2.1".parse()?)
//!     .recipients([&recipient]);
//!
//! let ForwardPath::Mailbox(mailbox) = &recipient else { panic!() };
//! let above = format!("{}{}{received}", return_path(&sender), delivered_to(mailbox));
//! assert_eq!(above, "Return-Path: <ann@example.org>\r\n\
//!     Delivered-To: bob@example.net\r\n\
//!     Received: from mx.example.org ([192.0.2.1]) by mda.example.net with LMTP\r\n \
//!     for <bob@example.net>; Tue, 26 Jan 2021 00:39:24 +0000\r\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # UTF-8
//!
//! It is written only into a message of an SMTPUTF8 transaction (RFC 6531
//! section 3.7.3). There alone can a path hold some, so that [`return_path`] and
//! [`delivered_to`] write what they are given. [`Received`] is told by its
//! [`Protocol`]: without [`Protocol::utf8`] it is ASCII, whatever it was given. A
//! recipient that cannot be said in ASCII is then left out, as it may be (FOR is
//! optional); nothing is encoded, for there is no encoding of a local part that
//! others would understand.

mod date;
mod received;

use alloc::format;
use alloc::string::String;

use crate::value::{Mailbox, OriginalRecipient, ReversePath};

pub use date::{Date, InvalidDate};
pub use received::{InvalidTraceId, Protocol, Received, TraceId};

/// `Return-Path: <ann@example.org>`: one, on top, at final delivery. For a bounce
/// it is `<>` (RFC 5321 section 4.4).
///
/// It is one line, as long as the address makes it, which is never too long
/// (RFC 5322 section 2.1.1): an address may not be folded.
pub fn return_path(path: &ReversePath) -> String {
    format!("Return-Path: <{path}>\r\n")
}

/// `Delivered-To: bob@example.net`: the address by which the message was
/// delivered, that of RCPT (RFC 9228 section 4). Not that of ORCPT, by which it
/// was once sent.
///
/// One recipient sees one: a copy for several has none, so as not to tell them of
/// each other. A message that already has the same one is going round in
/// circles.
pub fn delivered_to(mailbox: &Mailbox) -> String {
    format!("Delivered-To: {mailbox}\r\n")
}

/// `X-Original-To: bob@example.org`: the address that the sender wrote, as ORCPT
/// tells it (RFC 3461 section 4.2). No RFC knows the field; delivery agents write it
/// and mail programs sort by it.
///
/// `None` for what is not an address of mail, and for one in UTF-8 where the
/// transaction has not said SMTPUTF8 (`utf8`).
pub fn original_to(recipient: &OriginalRecipient, utf8: bool) -> Option<String> {
    let address = recipient.address();
    let is_mail = ["rfc822", "utf-8"].into_iter().any(|kind| recipient.kind().eq_ignore_ascii_case(kind));
    let fits = is_mail && (utf8 || address.is_ascii()) && !address.chars().any(char::is_control);
    fits.then(|| format!("X-Original-To: {address}\r\n"))
}

#[cfg(test)]
mod tests;
