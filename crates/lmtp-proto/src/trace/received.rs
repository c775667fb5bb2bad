//! `Received`: who gave the message to whom, how and when (RFC 5321
//! section 4.4).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use super::Date;
use crate::value::{Domain, ForwardPath, LhloName};

/// How the message came: `LMTP`, and what was on (RFC 3848 section 1, RFC 6531
/// section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Protocol {
    /// The line was encrypted.
    pub tls: bool,
    /// The client was authenticated.
    pub auth: bool,
    /// MAIL said SMTPUTF8.
    pub utf8: bool,
}

/// From `LMTP` to `UTF8LMTPSA`.
impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.utf8, self.tls, self.auth) {
            (false, false, false) => "LMTP",
            (false, false, true) => "LMTPA",
            (false, true, false) => "LMTPS",
            (false, true, true) => "LMTPSA",
            (true, false, false) => "UTF8LMTP",
            (true, false, true) => "UTF8LMTPA",
            (true, true, false) => "UTF8LMTPS",
            (true, true, true) => "UTF8LMTPSA",
        })
    }
}

/// By what the server's own log knows the message: an atom (RFC 5322
/// section 3.2.3) of at most 64 octets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TraceId(String);

impl TraceId {
    /// The longest one, in octets.
    pub const MAX: usize = 64;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TraceId {
    type Err = InvalidTraceId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet);
        let atom = (1..=Self::MAX).contains(&text.len()) && text.bytes().all(fits);
        if atom { Ok(Self(text.to_string())) } else { Err(InvalidTraceId) }
    }
}

/// Text that cannot name a message in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an ID in a trace is an atom of 1 to 64 octets")]
pub struct InvalidTraceId;

/// The field, made of its clauses. Its `Display` is the whole of it with the CRLF
/// at its end, folded so that no line has more than 78 columns, unless a single
/// word has.
///
/// ```abnf
/// Time-stamp-line = "Received:" FWS From-domain By-domain Opt-info [CFWS] ";" FWS date-time CRLF
/// From-domain     = "FROM" FWS Domain [ FWS "(" address-literal ")" ]
/// By-domain       = CFWS "BY" FWS Domain
/// Opt-info        = CFWS "WITH" FWS Protocol [CFWS "ID" FWS Atom] [CFWS "FOR" FWS Path]
/// ```
#[derive(Debug, Clone)]
pub struct Received<'a> {
    from: &'a LhloName,
    peer: Option<IpAddr>,
    by: &'a LhloName,
    by_utf8: Option<&'a Domain>,
    protocol: Protocol,
    id: Option<&'a TraceId>,
    recipient: Option<&'a ForwardPath>,
    date: Date,
}

impl<'a> Received<'a> {
    /// From whoever said `from` in LHLO, by us.
    pub fn new(from: &'a LhloName, by: &'a LhloName, protocol: Protocol, date: Date) -> Self {
        Self { from, peer: None, by, by_utf8: None, protocol, id: None, recipient: None, date }
    }

    /// With the address that the client has, whatever it calls itself. A client
    /// on a Unix socket has none.
    #[must_use]
    pub fn peer(self, address: IpAddr) -> Self {
        Self { peer: Some(address), ..self }
    }

    /// With our name in U-labels, said in place of the other one where UTF-8 may
    /// be said (RFC 6531 section 3.7.3).
    #[must_use]
    pub fn by_utf8(self, name: &'a Domain) -> Self {
        Self { by_utf8: Some(name), ..self }
    }

    /// With what our log calls the message.
    #[must_use]
    pub fn id(self, id: &'a TraceId) -> Self {
        Self { id: Some(id), ..self }
    }

    /// With the recipient of this copy, if it is the only one. Of several none is
    /// named (section 4.4; nor is any to know of the others, section 7.2), nor a
    /// `postmaster` without a domain, for which the grammar has no word.
    #[must_use]
    pub fn recipients(self, recipients: impl IntoIterator<Item = &'a ForwardPath>) -> Self {
        let mut recipients = recipients.into_iter();
        let recipient = match (recipients.next(), recipients.next()) {
            (only, None) => only,
            (_, Some(_)) => None,
        };
        Self { recipient, ..self }
    }

    /// The clauses in their order, each in words that must not be broken.
    fn clauses(&self) -> Vec<[String; 2]> {
        let mut clauses = Vec::new();
        let mut put = |keyword: &str, word: String| clauses.push([keyword.to_string(), word]);
        put("from", self.from.to_string());
        match self.peer.map(|peer| peer.to_canonical()) {
            Some(IpAddr::V4(address)) => put("", format!("([{address}])")),
            Some(IpAddr::V6(address)) => put("", format!("([IPv6:{address}])")),
            None => {}
        }
        let by = self.by_utf8.filter(|_| self.protocol.utf8).unwrap_or(self.by.domain());
        put("by", by.to_string());
        put("with", self.protocol.to_string());
        if let Some(id) = self.id {
            put("id", id.as_str().to_string());
        }
        if let Some(ForwardPath::Mailbox(mailbox)) = self.recipient
            && (self.protocol.utf8 || mailbox.is_ascii())
        {
            put("for", format!("<{mailbox}>"));
        }
        if let Some([_, last]) = clauses.last_mut() {
            last.push(';');
        }
        clauses.push([String::new(), self.date.to_string()]);
        clauses
    }
}

impl fmt::Display for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut folded = Folded { text: String::from("Received:"), column: 9 };
        for clause in self.clauses() {
            let words = || clause.iter().filter(|word| !word.is_empty());
            // Rather a clause in one line than a line that is full.
            let whole: usize = words().map(|word| Folded::width(word)).sum();
            if !folded.has_room(whole) && folded.column > 9 {
                folded.fold();
            }
            words().for_each(|word| folded.put(word));
        }
        f.write_str(&folded.text)?;
        f.write_str("\r\n")
    }
}

/// Words in lines of at most 78 columns (RFC 5322 section 2.1.1).
struct Folded {
    text: String,
    column: usize,
}

impl Folded {
    /// What a word takes, with the space before it.
    fn width(word: &str) -> usize {
        word.chars().count().saturating_add(1)
    }

    fn has_room(&self, width: usize) -> bool {
        self.column.saturating_add(width) <= 78
    }

    /// Ends the line; the space before the next word begins another.
    fn fold(&mut self) {
        self.text.push_str("\r\n");
        self.column = 0;
    }

    fn put(&mut self, word: &str) {
        if !self.has_room(Self::width(word)) && self.column > 0 {
            self.fold();
        }
        self.text.push(' ');
        self.text.push_str(word);
        self.column = self.column.saturating_add(Self::width(word));
    }
}
