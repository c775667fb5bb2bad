//! A message out of `--subject` and `--body`.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use lmtp_blocking::proto::value::LhloName;
use lmtp_blocking::{ForwardPath, ReversePath};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;

use crate::args::Send;

/// What a message is to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draft<'a> {
    pub(super) args: &'a Send,
    pub(super) body: &'a str,
    /// Where it was written.
    pub(super) host: &'a LhloName,
}

impl Draft<'_> {
    /// Composes the message: From, To, Subject, Message-ID, Date, and the text
    /// in whatever transfer encoding it needs (RFC 5322 section 3.6, RFC 2045).
    pub(super) fn compose(self, smtputf8: bool) -> Vec<u8> {
        let Self { args, body, host } = self;
        let mut message = MessageBuilder::new().from(sender(&args.from, host)).to(addressees(&args.to, smtputf8));
        if let Some(subject) = &args.subject {
            message = message.subject(subject.as_str());
        }
        let mut octets = Vec::new();
        message.message_id(message_id(host)).text_body(canonical(body)).serialize(&mut octets);
        octets
    }
}

/// A message has an author even when its envelope has no sender (RFC 5322
/// section 3.6.2).
fn sender<'a>(from: &ReversePath, host: &LhloName) -> Address<'a> {
    match from {
        ReversePath::Mailbox(mailbox) => mailbox.to_string().into(),
        ReversePath::Null => Address::new_address(Some("Mail Delivery System"), format!("MAILER-DAEMON@{host}")),
    }
}

/// Those who can be named: a bare `postmaster` is no address in a header, and
/// one in UTF-8 would keep the message from all the others where the server does
/// not take SMTPUTF8.
fn addressees<'a>(to: &[ForwardPath], smtputf8: bool) -> Address<'a> {
    let named = to.iter().filter(|path| smtputf8 || path.is_ascii()).filter_map(|path| match path {
        ForwardPath::Mailbox(mailbox) => Some(Address::from(mailbox.to_string())),
        ForwardPath::Postmaster | ForwardPath::Local(_) => None,
    });
    let named: Vec<_> = named.collect();
    if named.is_empty() { Address::new_group(Some("undisclosed-recipients"), named) } else { Address::new_list(named) }
}

/// Unique: time, and a number that the system draws at random for us.
fn message_id(host: &LhloName) -> String {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{time:x}.{:x}@{host}", RandomState::new().build_hasher().finish())
}

/// Text as it is before it is encoded: each line ends in CRLF (RFC 2049
/// section 4).
fn canonical(text: &str) -> String {
    let mut canonical = text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
    if !canonical.is_empty() && !canonical.ends_with("\r\n") {
        canonical.push_str("\r\n");
    }
    canonical
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(paths: &[&str], smtputf8: bool) -> String {
        let paths: Vec<ForwardPath> = paths.iter().map(|path| path.parse().unwrap()).collect();
        let message = MessageBuilder::new().to(addressees(&paths, smtputf8)).text_body("");
        message.write_to_string().unwrap().lines().next().unwrap().to_owned()
    }

    #[test]
    fn nobody_suffers_for_anothers_address() {
        assert_eq!(to(&["b@x", "jörg@x"], false), "To: <b@x>");
        assert_eq!(to(&["b@x", "jörg@x"], true), "To: <b@x>, <jörg@x>");
        assert_eq!(to(&["postmaster", "jörg@x"], false), "To: \"undisclosed-recipients\":;");
        assert_eq!(to(&["\"a b\"@x", "c@[192.0.2.1]"], false), "To: <\"a b\"@x>, <c@[192.0.2.1]>");
    }

    #[test]
    fn lines_end_in_crlf() {
        assert_eq!(canonical("a\nb\rc\r\nd"), "a\r\nb\r\nc\r\nd\r\n");
        assert_eq!(canonical("a\r\n"), "a\r\n");
        assert_eq!(canonical(""), "");
    }
}
