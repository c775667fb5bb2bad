//! What a server takes of messages and recipients (RFC 9422).

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use crate::report::FaultKind;
use crate::value::{ForwardPath, LimitsOffered};
use crate::{Fault, Phase, Report};

/// What this session has used up.
#[derive(Debug, Default)]
pub(super) struct Used {
    /// Transactions begun.
    mails: u32,
    /// Domains of recipients, in lower case. Not kept for a server that does not
    /// count them.
    domains: BTreeSet<Box<str>>,
}

impl Used {
    /// Whether the server takes no other message in this session (RFC 9422
    /// section 4.1).
    pub(super) fn is_exhausted(&self, limits: &LimitsOffered) -> bool {
        limits.mail_max.is_some_and(|most| self.mails >= most)
    }

    /// A transaction begins.
    pub(super) fn begin(&mut self) {
        self.mails = self.mails.saturating_add(1);
    }

    /// Withholds the recipients that the server would not take in this
    /// transaction (RFC 9422 sections 4.2 and 4.3).
    pub(super) fn withhold(&mut self, report: &mut Report, limits: &LimitsOffered) {
        let most = limits.rcpt_max.unwrap_or(u32::MAX);
        let most_domains = limits.rcpt_domain_max.map(|most| most as usize);
        let mut asked: u32 = 0;
        for recipient in report.recipients.iter_mut().filter(|recipient| recipient.rcpt.is_none()) {
            let reason = match (asked < most, most_domains) {
                (false, _) => Some(format!("the server takes {most} recipients of a message")),
                (true, Some(most)) if !self.has_room_for(&recipient.path, most) => {
                    Some(format!("the server takes recipients of {most} domains in a session"))
                }
                (true, _) => None,
            };
            match reason {
                None => asked = asked.saturating_add(1),
                Some(reason) => {
                    recipient.withheld = true;
                    report.limit.get_or_insert_with(|| Fault::new(FaultKind::Limit, Phase::Rcpt, reason));
                }
            }
        }
    }

    /// Whether a recipient's domain is known or may be one more.
    fn has_room_for(&mut self, path: &ForwardPath, most: usize) -> bool {
        let ForwardPath::Mailbox(mailbox) = path else { return true };
        let domain: String = mailbox.domain().to_lowercase();
        if self.domains.contains(domain.as_str()) {
            return true;
        }
        let fits = self.domains.len() < most;
        if fits {
            self.domains.insert(domain.into());
        }
        fits
    }
}

/// Why a message behind the last one is not sent.
pub(super) fn exhausted() -> Fault {
    Fault::new(
        FaultKind::Limit,
        Phase::Mail,
        "the server takes no more messages in this session; another connection is needed",
    )
}
