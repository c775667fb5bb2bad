//! What MAIL and RCPT say beside the address.

use alloc::vec::Vec;
use core::fmt;

use super::{
    AuthSender, BodyType, DeliverBy, EnvelopeId, Notify, OriginalRecipient, Param, Priority, RecipientForward, Ret,
};

/// The parameters of MAIL (RFC 5321 section 4.1.1.2). Each is sent only to a
/// server that announced its extension.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct MailParams {
    /// SIZE: octets of the message, line ends as CRLF, dots not doubled
    /// (RFC 1870 section 5). A number too large for 64 bits is read as the
    /// largest that is not.
    pub size: Option<u64>,
    /// BODY: what the content may hold (RFC 6152).
    pub body: Option<BodyType>,
    /// SMTPUTF8: the envelope or the header holds UTF-8 (RFC 6531).
    pub smtputf8: bool,
    /// RET: what a notice of failure gives back (RFC 3461 section 4.3).
    pub ret: Option<Ret>,
    /// ENVID: the sender's name for the message (RFC 3461 section 4.4).
    pub envid: Option<EnvelopeId>,
    /// AUTH: who handed the message in (RFC 4954 section 5).
    pub auth: Option<AuthSender>,
    /// BY: when it must have been delivered (RFC 2852 section 4).
    pub by: Option<DeliverBy>,
    /// MT-PRIORITY: how urgent it is (RFC 6710 section 3).
    pub priority: Option<Priority>,
    /// REQUIRETLS: only over TLS, all the way (RFC 8689 section 2).
    pub require_tls: bool,
    /// Parameters that this library does not know, in order.
    pub others: Vec<Param>,
}

/// The parameters of RCPT (RFC 5321 section 4.1.1.3). Each is sent only to a
/// server that announced its extension.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct RcptParams {
    /// NOTIFY: of what the sender wants to hear (RFC 3461 section 4.1).
    pub notify: Option<Notify>,
    /// ORCPT: the recipient as the sender named it (RFC 3461 section 4.2).
    pub orcpt: Option<OriginalRecipient>,
    /// XRCPTFORWARD: what a proxy tells about the recipient (Dovecot).
    pub forward: Option<RecipientForward>,
    /// IGNOREQUOTA: deliver also to a full mailbox (Cyrus).
    pub ignore_quota: bool,
    /// Parameters that this library does not know, in order.
    pub others: Vec<Param>,
}

/// As on the wire, a space before each.
impl fmt::Display for MailParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        pair(f, "SIZE", self.size.as_ref())?;
        pair(f, "BODY", self.body.as_ref())?;
        flag(f, "SMTPUTF8", self.smtputf8)?;
        pair(f, "RET", self.ret.as_ref())?;
        pair(f, "ENVID", self.envid.as_ref())?;
        pair(f, "AUTH", self.auth.as_ref())?;
        pair(f, "BY", self.by.as_ref())?;
        pair(f, "MT-PRIORITY", self.priority.as_ref())?;
        flag(f, "REQUIRETLS", self.require_tls)?;
        self.others.iter().try_for_each(|param| write!(f, " {param}"))
    }
}

/// As on the wire, a space before each.
impl fmt::Display for RcptParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        pair(f, "NOTIFY", self.notify.as_ref())?;
        pair(f, "ORCPT", self.orcpt.as_ref())?;
        pair(f, "XRCPTFORWARD", self.forward.as_ref())?;
        flag(f, "IGNOREQUOTA", self.ignore_quota)?;
        self.others.iter().try_for_each(|param| write!(f, " {param}"))
    }
}

fn pair(f: &mut fmt::Formatter<'_>, keyword: &str, value: Option<&impl fmt::Display>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {keyword}={value}"))
}

fn flag(f: &mut fmt::Formatter<'_>, keyword: &str, set: bool) -> fmt::Result {
    if set { write!(f, " {keyword}") } else { Ok(()) }
}
