//! What usually lies behind a fault, for whoever has to mend it.

use std::error::Error as _;
use std::io::{self, ErrorKind};

use lmtp_blocking::proto::value::{Security, Target};
use lmtp_blocking::proto::{ContentProblem, Error};
use lmtp_blocking::tls::{TlsError, TlsProblem};
use lmtp_blocking::{Endpoint, Fault, FaultKind, Origin, Phase, RecipientReport, Reply};

/// What may help, if it is one of the usual mistakes.
pub(crate) fn for_fault(endpoint: &Endpoint, fault: &Fault, greeting: Option<&Reply>) -> Option<String> {
    if refuses_lhlo(fault) || fault.phase() == Phase::Lhlo && greeting.is_some_and(greets_as_smtp) {
        return Some("this looks like an SMTP server, not an LMTP one: look for its LMTP socket or port".into());
    }
    match fault.protocol_error() {
        Some(Error::Content(error)) => return for_content(error.problem).map(Into::into),
        Some(Error::Syntax { phase: Phase::Greeting, .. }) => {
            return Some("another protocol is spoken there: look for the server's LMTP socket or port".into());
        }
        Some(Error::TimedOut { phase: Phase::Greeting }) => {
            return Some("something took the connection and said nothing: is it LMTP, and without TLS?".into());
        }
        Some(Error::NoMechanism) if matches!(endpoint.target(), Target::Tcp { security: Security::Plain, .. }) => {
            return Some(
                "a password is said over TLS only: use lmtps:// or lmtp+starttls://, or --auth-in-clear".into(),
            );
        }
        _ => {}
    }
    if let Some(error) = fault.source().and_then(|source| source.downcast_ref::<TlsError>()) {
        return for_tls(error.problem()).map(Into::into);
    }
    if fault.phase() != Phase::Connect {
        return None;
    }
    for_connection(endpoint, fault)
}

/// Whether we refused 8-bit content in the server's stead.
pub(crate) fn eight_bit_refused_here(recipient: &RecipientReport<'_>) -> bool {
    let enhanced = recipient.reply().and_then(Reply::enhanced).map(|code| (code.subject(), code.detail()));
    recipient.origin() == Some(Origin::Local) && matches!(enhanced, Some((6, 3 | 9)))
}

/// Whether LHLO was refused the way a server does that does not know it
/// (RFC 5321 section 4.2.4, RFC 2033 section 4.1).
pub(crate) fn refuses_lhlo(fault: &Fault) -> bool {
    match fault.protocol_error() {
        Some(Error::Refused { phase: Phase::Lhlo, reply }) => matches!(reply.code().get(), 500 | 501 | 502 | 504),
        _ => false,
    }
}

/// SMTP servers say so in their greeting; a word that LMTP servers have no use
/// for.
fn greets_as_smtp(greeting: &Reply) -> bool {
    greeting.text().split(' ').any(|word| matches!(word, "ESMTP" | "SMTP"))
}

fn for_content(problem: ContentProblem) -> Option<&'static str> {
    match problem {
        ContentProblem::BareLf | ContentProblem::BareCr => Some("--line-endings convert sends such line ends as CRLF"),
        ContentProblem::EightBit | ContentProblem::EightBitHeader => {
            Some("--eight-bit send sends it all the same; most servers take it")
        }
        _ => None,
    }
}

fn for_tls(problem: TlsProblem) -> Option<&'static str> {
    match problem {
        TlsProblem::WrongName => Some("--server-name says which name the certificate must have, if that one is right"),
        TlsProblem::UnknownIssuer => Some("--ca-file names the authority's certificate, where it is a private one"),
        TlsProblem::NotTls => {
            Some("no TLS is spoken there at once: lmtp+starttls:// begins it by STARTTLS, lmtp:// does without")
        }
        TlsProblem::CertificateWanted => Some("--client-cert and --client-key show one"),
        _ => None,
    }
}

fn for_connection(endpoint: &Endpoint, fault: &Fault) -> Option<String> {
    let cause = fault.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
    let hint = match (endpoint.target(), cause, fault.kind()) {
        (Target::Unix { path }, Some(ErrorKind::NotFound), _) if !path.starts_with('/') => {
            "the path counts from the current directory; sockets are usually named from the root, \
             as in unix:/run/dovecot/lmtp"
        }
        (Target::Unix { .. }, Some(ErrorKind::NotFound), _) => {
            "the server makes the socket when it starts; its configuration names the path"
        }
        (Target::Unix { .. }, Some(ErrorKind::PermissionDenied), _) => {
            "run this as a user who may write to the socket and enter its directory, \
             or change their owner or mode in the server's configuration"
        }
        (Target::Unix { .. }, Some(ErrorKind::ConnectionRefused), _) => {
            "the file is no socket, or was left behind by a server that has stopped: start the server"
        }
        (Target::Tcp { .. }, Some(ErrorKind::ConnectionRefused), _) => {
            "nothing listens there: is the server running, and is it LMTP's port (often 24)?"
        }
        (_, _, FaultKind::Resolve) => "check the name for typing errors, or give an address",
        _ => return None,
    };
    Some(hint.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(phase: Phase, code: u16) -> Fault {
        Error::Refused { phase, reply: Reply::new(code, None, "no").unwrap() }.into()
    }

    #[test]
    fn an_smtp_server_is_recognised() {
        let endpoint = "lmtp://mx".parse().unwrap();
        let esmtp = Reply::new(220, None, "mx ESMTP Postfix").unwrap();
        let lmtp = Reply::new(220, None, "mx LMTP").unwrap();
        for (fault, greeting, smtp) in [
            (refused(Phase::Lhlo, 500), None, true),
            (refused(Phase::Lhlo, 502), Some(&lmtp), true),
            (refused(Phase::Lhlo, 550), Some(&esmtp), true),
            (refused(Phase::Lhlo, 550), Some(&lmtp), false),
            (refused(Phase::Greeting, 500), None, false),
        ] {
            assert_eq!(for_fault(&endpoint, &fault, greeting).is_some(), smtp, "{fault}");
        }
    }
}
