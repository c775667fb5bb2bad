//! How a server behaves, and what it offers.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::auth::needs_tls;
use crate::value::{ClientAttribute, LhloName, MechanismName};
use crate::{Limits, Timeouts};

/// How a server behaves.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// Who the server is: the first word of its greeting and of its reply to
    /// LHLO; `localhost` by default.
    pub name: LhloName,
    /// What it offers in its reply to LHLO.
    pub offer: Offer,
    /// What a client must do before MAIL.
    pub require: Require,
    /// How much a peer may ask of us.
    pub limits: Limits,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// Whether the stream is encrypted from the start.
    pub secured: bool,
    /// What to do with a lone CR, LF or NUL in content that is not BINARYMIME.
    pub bare_newlines: BareNewlines,
    /// Whether to report each line of the conversation as
    /// [`Event::Line`](super::Event::Line).
    pub transcript: bool,
}

pub use crate::data::BareNewlines;

/// What a client must do before MAIL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Require {
    /// Nothing but LHLO.
    #[default]
    Nothing,
    /// STARTTLS: 530 5.7.0 until then (RFC 3207 section 4).
    Tls,
    /// AUTH: 530 5.7.0 until then (RFC 4954 section 6).
    Auth,
}

/// The extensions that a server offers beyond PIPELINING, ENHANCEDSTATUSCODES
/// (RFC 2033 section 5), 8BITMIME, SIZE and LIMITS, which it always does.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "an extension is offered or not")]
pub struct Offer {
    /// CHUNKING (RFC 3030); on by default.
    pub chunking: bool,
    /// BINARYMIME (RFC 3030), where CHUNKING is offered; off by default, for the
    /// application must be able to keep any octets.
    pub binary_mime: bool,
    /// SMTPUTF8 (RFC 6531); on by default.
    pub smtputf8: bool,
    /// DSN (RFC 3461): the application acts on RET, ENVID, NOTIFY and ORCPT.
    pub dsn: bool,
    /// STARTTLS (RFC 3207): the driver can encrypt the stream.
    pub starttls: bool,
    /// AUTH (RFC 4954) by these mechanisms.
    pub auth: Vec<MechanismName>,
    /// Whether mechanisms that reveal the secret are offered on a clear line,
    /// such as a Unix socket. OAUTHBEARER is not even then (RFC 7628 section 3).
    pub auth_in_clear: bool,
    /// DELIVERBY (RFC 2852), with the least time in seconds; 0 for none.
    pub deliver_by: Option<u32>,
    /// MT-PRIORITY (RFC 6710), with the name of its policy: 1 to 20 letters,
    /// digits, `-`, `_` and `.` (section 7). Another name is not announced.
    pub priority: Option<String>,
    /// REQUIRETLS (RFC 8689), offered only once the stream is encrypted.
    pub require_tls: bool,
    /// XCLIENT with these attributes; only for clients that are trusted.
    pub xclient: Vec<ClientAttribute>,
    /// XFORWARD with these attributes; only for clients that are trusted.
    pub xforward: Vec<ClientAttribute>,
    /// XRCPTFORWARD (Dovecot); only for clients that are trusted.
    pub xrcptforward: bool,
    /// IGNOREQUOTA (Cyrus); only for clients that are trusted.
    pub ignore_quota: bool,
    /// TRACE (Cyrus).
    pub trace: bool,
    /// Whether parameters of MAIL and RCPT that nobody knows are handed to the
    /// application; 555 otherwise.
    pub unknown_parameters: bool,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            chunking: true,
            binary_mime: false,
            smtputf8: true,
            dsn: false,
            starttls: false,
            auth: Vec::new(),
            auth_in_clear: false,
            deliver_by: None,
            priority: None,
            require_tls: false,
            xclient: Vec::new(),
            xforward: Vec::new(),
            xrcptforward: false,
            ignore_quota: false,
            trace: false,
            unknown_parameters: false,
        }
    }
}

impl Offer {
    /// The same, without what is for trusted clients only: XCLIENT, XFORWARD,
    /// XRCPTFORWARD and IGNOREQUOTA.
    #[must_use]
    pub fn to_strangers(self) -> Self {
        let (xclient, xforward) = (Vec::new(), Vec::new());
        Self { xclient, xforward, xrcptforward: false, ignore_quota: false, ..self }
    }
}

impl Offer {
    /// Whether BINARYMIME is offered: only with CHUNKING (RFC 3030 section 3).
    pub(super) fn binary(&self) -> bool {
        self.chunking && self.binary_mime
    }

    /// The mechanisms that may be used on this line.
    pub(super) fn mechanisms(&self, secured: bool) -> impl Iterator<Item = &MechanismName> {
        self.auth.iter().filter(move |mechanism| {
            let name = mechanism.as_str();
            secured || (!needs_tls(name) && (self.auth_in_clear || !reveals_secret(name)))
        })
    }

    /// The extension lines of the reply to LHLO, in the order that students of
    /// the protocol expect.
    pub(super) fn lines(&self, limits: &Limits, secured: bool) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = |offered: bool, text: String| {
            if offered {
                lines.push(text);
            }
        };
        let attributes = |all: &[ClientAttribute]| all.iter().map(|one| format!(" {one}")).collect::<Vec<_>>().concat();
        line(true, "PIPELINING".into());
        line(true, "ENHANCEDSTATUSCODES".into());
        line(true, "8BITMIME".into());
        line(true, format!("SIZE {}", limits.message_size));
        line(self.chunking, "CHUNKING".into());
        line(self.binary(), "BINARYMIME".into());
        line(self.smtputf8, "SMTPUTF8".into());
        line(self.dsn, "DSN".into());
        line(self.starttls && !secured, "STARTTLS".into());
        line(self.require_tls && secured, "REQUIRETLS".into());
        let mechanisms: Vec<String> = self.mechanisms(secured).map(|mechanism| format!(" {mechanism}")).collect();
        line(!mechanisms.is_empty(), format!("AUTH{}", mechanisms.concat()));
        line(true, limits_line(limits));
        if let Some(minimum) = self.deliver_by {
            line(true, if minimum > 0 { format!("DELIVERBY {minimum}") } else { "DELIVERBY".into() });
        }
        if let Some(policy) = &self.priority {
            line(true, if is_policy(policy) { format!("MT-PRIORITY {policy}") } else { "MT-PRIORITY".into() });
        }
        line(!self.xclient.is_empty(), format!("XCLIENT{}", attributes(&self.xclient)));
        line(!self.xforward.is_empty(), format!("XFORWARD{}", attributes(&self.xforward)));
        line(self.xrcptforward, "XRCPTFORWARD".into());
        line(self.ignore_quota, "IGNOREQUOTA".into());
        line(self.trace, "TRACE".into());
        lines
    }
}

/// LIMITS (RFC 9422): what is enforced, and nothing else.
fn limits_line(limits: &Limits) -> String {
    let transactions = limits.mail_max().map(|most| format!(" MAILMAX={most}")).unwrap_or_default();
    format!("LIMITS RCPTMAX={}{transactions}", limits.rcpt_max())
}

/// `priority-profile = 1*20(ALPHA / DIGIT / "-" / "_" / ".")` (RFC 6710
/// section 7).
fn is_policy(name: &str) -> bool {
    let good = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
    (1..=20).contains(&name.len()) && name.bytes().all(good)
}

/// Whether somebody who reads the exchange can log in afterwards.
fn reveals_secret(mechanism: &str) -> bool {
    matches!(mechanism, "PLAIN" | "LOGIN" | "OAUTHBEARER" | "XOAUTH2")
}
