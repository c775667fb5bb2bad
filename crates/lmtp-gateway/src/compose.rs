//! A message out of a subject and a text.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use lmtp_tokio::{Envelope, ForwardPath, ReversePath};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;

/// The message, and its Message-ID. Whatever is in the subject stays there, and whatever is in the text is encoded
/// as it needs.
pub(crate) fn compose(envelope: &Envelope, subject: &str, body: &str) -> (Vec<u8>, String) {
    let from = match envelope.from() {
        ReversePath::Mailbox(mailbox) => mailbox.to_string().into(),
        ReversePath::Null => Address::new_address(Some("Mail Delivery System"), "MAILER-DAEMON@localhost"),
    };
    // A bare postmaster is no address in a header.
    let named: Vec<Address<'_>> = envelope
        .recipients()
        .iter()
        .filter_map(|(path, _)| match path {
            ForwardPath::Mailbox(mailbox) if path.is_ascii() => Some(Address::from(mailbox.to_string())),
            _ => None,
        })
        .collect();
    let to = if named.is_empty() {
        Address::new_group(Some("undisclosed-recipients"), named)
    } else {
        Address::new_list(named)
    };
    let id = message_id();
    let subject: String = subject.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    // Ends of lines as they are on the wire; a lone CR is none.
    let body = body.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
    let mut octets = Vec::new();
    MessageBuilder::new()
        .from(from)
        .to(to)
        .subject(subject)
        .message_id(id.as_str())
        .text_body(body)
        .serialize(&mut octets);
    (octets, format!("<{id}>"))
}

/// Unique: time, and a number that the system draws at random.
fn message_id() -> String {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{time:x}.{:x}@lmtp-gateway.localhost", RandomState::new().build_hasher().finish())
}
