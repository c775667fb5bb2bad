//! The exit codes, those of sysexits.h, chosen for the mail systems that read
//! them.

use std::process::ExitCode;

use lmtp_blocking::proto::value::ReplyClass;
use lmtp_blocking::proto::{ContentProblem, Error};
use lmtp_blocking::{Fault, FaultKind, Outcome, Phase, Report};

use crate::hint;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All went as asked.
    Done = 0,
    /// The demonstration did not go as scripted, or a MUST is not kept in a check of conformance.
    NotAsScripted = 1,
    /// A SHOULD is not kept, and every MUST is.
    NotAsAdvised = 2,
    /// What peers expect is not so, and every MUST and SHOULD is kept.
    NotAsExpected = 3,
    /// The command line is wrong; nothing was dialled (`EX_USAGE`).
    Usage = 64,
    /// The message holds what must not be sent (`EX_DATAERR`).
    BadContent = 65,
    /// The message could not be read (`EX_NOINPUT`).
    Unreadable = 66,
    /// The server refused for good (`EX_UNAVAILABLE`).
    Refused = 69,
    /// Another try may succeed (`EX_TEMPFAIL`).
    TryLater = 75,
    /// Something answered, but not in LMTP (`EX_PROTOCOL`).
    NotLmtp = 76,
    /// TLS or AUTH cannot be done as was asked; nothing was dialled (`EX_CONFIG`).
    Configuration = 78,
}

impl Exit {
    /// What a caller is told about a message.
    ///
    /// A fault of the message goes before "try again", which would not mend it.
    /// Then, as long as one recipient may be tried again, the message is to be
    /// kept; the report tells for whom.
    pub(crate) fn of_report(report: &Report) -> Self {
        match report.error() {
            Some(fault) if fault.kind() == FaultKind::Usage => return Self::Usage,
            Some(fault) if is_set_up_wrongly(fault) => return Self::Configuration,
            Some(fault) if fault.kind() == FaultKind::Body => {
                return match fault.protocol_error() {
                    Some(Error::Content(error)) if error.problem == ContentProblem::WrongSize => Self::Unreadable,
                    Some(Error::Content(_)) => Self::BadContent,
                    _ => Self::Unreadable,
                };
            }
            _ => {}
        }
        if report.recipients().any(|recipient| recipient.outcome().may_be_retried()) {
            Self::TryLater
        } else if report.recipients().any(|recipient| recipient.outcome() == Outcome::Permanent) {
            Self::Refused
        } else {
            Self::Done
        }
    }

    /// What a caller is told about a server whose session did not open.
    pub(crate) fn of_probe(fault: &Fault) -> Self {
        if hint::refuses_lhlo(fault) {
            return Self::NotLmtp;
        }
        if is_set_up_wrongly(fault) {
            return Self::Configuration;
        }
        match fault.protocol_error() {
            Some(Error::Refused { reply, .. }) if reply.code().class() == ReplyClass::PermanentNegative => {
                Self::Refused
            }
            _ => match fault.kind() {
                FaultKind::Protocol | FaultKind::Limit | FaultKind::Tls => Self::NotLmtp,
                _ => Self::TryLater,
            },
        }
    }
}

/// Whether TLS or AUTH was found wanting before anybody was dialled.
fn is_set_up_wrongly(fault: &Fault) -> bool {
    matches!(fault.kind(), FaultKind::Tls | FaultKind::Auth) && fault.phase() == Phase::Connect
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lmtp_blocking::proto::ContentProblem;
    use lmtp_blocking::proto::value::{Reply, ReversePath};
    use lmtp_blocking::{ContentError, Envelope, Phase};

    fn unsent(fault: Fault) -> Report {
        let to = "b@x".parse().expect("an address");
        Report::unsent(Envelope::new(ReversePath::Null, [to]).expect("an envelope"), fault)
    }

    #[test]
    fn a_message_at_fault_goes_before_another_try() {
        let nul = ContentError { problem: ContentProblem::Nul, offset: 0, line: 1 };
        for (fault, exit) in [
            (Error::Content(nul).into(), Exit::BadContent),
            (Error::BodyFailed.into(), Exit::Unreadable),
            (Fault::new(FaultKind::Body, Phase::Body, "no such file"), Exit::Unreadable),
            (Fault::new(FaultKind::Usage, Phase::Connect, "no message"), Exit::Usage),
            (Fault::new(FaultKind::Tls, Phase::Connect, "no such file"), Exit::Configuration),
            (Fault::new(FaultKind::Auth, Phase::Connect, "no such file"), Exit::Configuration),
            (Fault::new(FaultKind::Tls, Phase::Tls, "no TLS"), Exit::TryLater),
            (Error::Closed { phase: Phase::Greeting }.into(), Exit::TryLater),
        ] {
            assert_eq!(Exit::of_report(&unsent(fault)), exit);
        }
    }

    #[test]
    fn what_a_probe_finds() {
        let refused = |phase, code| {
            let reply = Reply::new(code, None, "no").expect("a reply");
            Fault::from(Error::Refused { phase, reply })
        };
        for (fault, exit) in [
            (refused(Phase::Greeting, 554), Exit::Refused),
            (refused(Phase::Greeting, 500), Exit::Refused),
            (refused(Phase::Greeting, 421), Exit::TryLater),
            (refused(Phase::Lhlo, 550), Exit::Refused),
            (refused(Phase::Lhlo, 451), Exit::TryLater),
            (refused(Phase::Lhlo, 500), Exit::NotLmtp),
            (refused(Phase::Lhlo, 501), Exit::NotLmtp),
            (refused(Phase::Lhlo, 502), Exit::NotLmtp),
            (refused(Phase::Lhlo, 504), Exit::NotLmtp),
            (Error::StrayOctets { phase: Phase::Lhlo }.into(), Exit::NotLmtp),
            (Error::TimedOut { phase: Phase::Greeting }.into(), Exit::TryLater),
            (Error::Closed { phase: Phase::Greeting }.into(), Exit::TryLater),
            (Fault::new(FaultKind::Resolve, Phase::Connect, "no such host"), Exit::TryLater),
            (Fault::new(FaultKind::Tls, Phase::Tls, "expired"), Exit::NotLmtp),
            (Fault::new(FaultKind::Tls, Phase::Connect, "no such file"), Exit::Configuration),
        ] {
            assert_eq!(Exit::of_probe(&fault), exit, "{fault}");
        }
    }
}
