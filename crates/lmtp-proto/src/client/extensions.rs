//! Which extensions are used.

use crate::value::{Capabilities, LimitsOffered};

/// Whether an extension is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Use {
    /// When the server offers it and the message needs it.
    #[default]
    Auto,
    /// Never, as if the server did not offer it.
    Forbid,
    /// When the message needs it, as if the server offered it.
    Force,
}

impl Use {
    fn of(self, offered: bool) -> bool {
        match self {
            Self::Auto => offered,
            Self::Forbid => false,
            Self::Force => true,
        }
    }
}

/// Whether each extension is used: what a server offers is not always what it
/// does. PIPELINING, CHUNKING, STARTTLS and the rest of the opening have
/// switches of their own in [`Config`](super::Config).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Extensions {
    /// SIZE (RFC 1870).
    pub size: Use,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: Use,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: Use,
    /// DSN (RFC 3461): RET, ENVID, NOTIFY, ORCPT.
    pub dsn: Use,
    /// AUTH= in MAIL (RFC 4954 section 5).
    pub auth: Use,
    /// DELIVERBY (RFC 2852).
    pub deliver_by: Use,
    /// MT-PRIORITY (RFC 6710).
    pub priority: Use,
    /// REQUIRETLS (RFC 8689).
    pub require_tls: Use,
    /// XRCPTFORWARD (Dovecot).
    pub xrcptforward: Use,
    /// IGNOREQUOTA (Cyrus).
    pub ignore_quota: Use,
    /// LIMITS (RFC 9422). `Force` is the same as `Auto`.
    pub limits: Use,
    /// Parameters that this library does not know. There is no telling who offers
    /// them, so `Auto` is the same as `Force`.
    pub others: Use,
}

/// What is used of what a server offers: read once a session, asked for with
/// every message.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "a set")]
pub(super) struct Usable {
    /// Whether a size is told, and the limit that the server has named.
    pub(super) size: Option<u64>,
    pub(super) eight_bit_mime: bool,
    pub(super) smtputf8: bool,
    pub(super) chunking: bool,
    pub(super) binary_mime: bool,
    pub(super) dsn: bool,
    pub(super) auth: bool,
    pub(super) deliver_by: bool,
    /// The shortest time that DELIVERBY takes, in seconds.
    pub(super) shortest_time: Option<u32>,
    pub(super) priority: bool,
    pub(super) require_tls: bool,
    pub(super) xrcptforward: bool,
    pub(super) ignore_quota: bool,
    pub(super) others: bool,
    pub(super) limits: LimitsOffered,
}

impl Usable {
    pub(super) fn of(offered: &Capabilities, extensions: &Extensions) -> Self {
        let (size, by) = (offered.size(), offered.deliver_by());
        Self {
            size: extensions.size.of(size.is_some()).then_some(size.unwrap_or(0)),
            eight_bit_mime: extensions.eight_bit_mime.of(offered.eight_bit_mime()),
            smtputf8: extensions.smtputf8.of(offered.smtputf8()),
            chunking: offered.chunking(),
            binary_mime: offered.binary_mime(),
            dsn: extensions.dsn.of(offered.dsn()),
            auth: extensions.auth.of(offered.auth().next().is_some()),
            deliver_by: extensions.deliver_by.of(by.is_some()),
            shortest_time: by.and_then(|by| by.minimum),
            priority: extensions.priority.of(offered.priority().is_some()),
            require_tls: extensions.require_tls.of(offered.require_tls()),
            xrcptforward: extensions.xrcptforward.of(offered.xrcptforward()),
            ignore_quota: extensions.ignore_quota.of(offered.ignore_quota()),
            others: extensions.others != Use::Forbid,
            limits: if extensions.limits == Use::Forbid { LimitsOffered::default() } else { offered.limits() },
        }
    }
}
