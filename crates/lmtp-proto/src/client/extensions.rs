//! Which extensions are used.

use crate::value::Capabilities;

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

/// What is used of what a server offers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usable<'a> {
    pub(super) offered: &'a Capabilities,
    extensions: Extensions,
}

impl<'a> Usable<'a> {
    pub(super) fn new(offered: &'a Capabilities, extensions: Extensions) -> Self {
        Self { offered, extensions }
    }

    /// Whether a size is told, and the limit that the server has named.
    pub(super) fn size(self) -> Option<u64> {
        self.extensions.size.of(self.offered.size().is_some()).then(|| self.offered.size().unwrap_or(0))
    }

    pub(super) fn eight_bit_mime(self) -> bool {
        self.extensions.eight_bit_mime.of(self.offered.eight_bit_mime())
    }

    pub(super) fn smtputf8(self) -> bool {
        self.extensions.smtputf8.of(self.offered.smtputf8())
    }

    pub(super) fn dsn(self) -> bool {
        self.extensions.dsn.of(self.offered.dsn())
    }

    pub(super) fn auth(self) -> bool {
        self.extensions.auth.of(self.offered.auth().next().is_some())
    }

    pub(super) fn deliver_by(self) -> bool {
        self.extensions.deliver_by.of(self.offered.deliver_by().is_some())
    }

    pub(super) fn priority(self) -> bool {
        self.extensions.priority.of(self.offered.priority().is_some())
    }

    pub(super) fn require_tls(self) -> bool {
        self.extensions.require_tls.of(self.offered.require_tls())
    }

    pub(super) fn xrcptforward(self) -> bool {
        self.extensions.xrcptforward.of(self.offered.xrcptforward())
    }

    pub(super) fn ignore_quota(self) -> bool {
        self.extensions.ignore_quota.of(self.offered.ignore_quota())
    }

    pub(super) fn others(self) -> bool {
        self.extensions.others != Use::Forbid
    }
}
