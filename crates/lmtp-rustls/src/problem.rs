//! What rustls says, in the words of somebody who has to do something about it.

use std::fmt;

use lmtp_proto::trace::Date;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error};

/// What kind of thing went wrong in TLS, for a program that adds its own advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsProblem {
    /// The handshake took too long.
    TimedOut,
    /// The peer closed the connection in the handshake.
    Closed,
    /// The peer does not speak TLS.
    NotTls,
    /// The peer's certificate is for another name.
    WrongName,
    /// The peer's certificate was issued by somebody who is not trusted.
    UnknownIssuer,
    /// The peer's certificate has expired.
    Expired,
    /// The peer's certificate is not valid yet.
    NotYetValid,
    /// The peer's certificate was revoked.
    Revoked,
    /// The peer's certificate is an authority's own.
    Authority,
    /// The peer's certificate is of no use for another reason.
    BadCertificate,
    /// The peer has no certificate and needs one.
    NoCertificate,
    /// The peer wants a certificate, and we have shown none.
    CertificateWanted,
    /// The peer does not take our certificate.
    CertificateRefused,
    /// The peer gave up, for another reason.
    Refused,
    /// There is no version or cipher that both sides know.
    NothingInCommon,
    /// What came is not what was sent, or follows no rule.
    Broken,
}

impl TlsProblem {
    pub(crate) fn of(error: &Error) -> Self {
        use {AlertDescription as A, CertificateError as C};
        match error {
            Error::InvalidCertificate(error) => match error {
                C::NotValidForName | C::NotValidForNameContext { .. } => Self::WrongName,
                // An authority of that name is known, and its key does not fit: it is another one, or was made anew.
                C::UnknownIssuer | C::BadSignature => Self::UnknownIssuer,
                C::Expired | C::ExpiredContext { .. } => Self::Expired,
                C::NotValidYet | C::NotValidYetContext { .. } => Self::NotYetValid,
                C::Revoked => Self::Revoked,
                C::Other(other) if other.to_string() == "CaUsedAsEndEntity" => Self::Authority,
                _ => Self::BadCertificate,
            },
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::AlertReceived(alert) => match *alert {
                A::CertificateRequired => Self::CertificateWanted,
                A::BadCertificate
                | A::UnsupportedCertificate
                | A::CertificateRevoked
                | A::CertificateExpired
                | A::CertificateUnknown
                | A::UnknownCA
                | A::AccessDenied => Self::CertificateRefused,
                A::ProtocolVersion | A::InsufficientSecurity | A::NoApplicationProtocol => Self::NothingInCommon,
                _ => Self::Refused,
            },
            Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => Self::NotTls,
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Self::NothingInCommon,
            _ => Self::Broken,
        }
    }
}

/// What went wrong and what to do. `server` is whether we are one.
pub(crate) fn explain(
    f: &mut fmt::Formatter<'_>,
    server: bool,
    problem: TlsProblem,
    error: Option<&Error>,
) -> fmt::Result {
    use CertificateError as C;
    let (peer, whose) = if server { ("client", "client's") } else { ("server", "server's") };
    let certificate = match error {
        Some(Error::InvalidCertificate(error)) => Some(error),
        _ => None,
    };
    match problem {
        TlsProblem::TimedOut => write!(f, "timed out in the TLS handshake"),
        TlsProblem::Closed => write!(f, "the connection was closed in the TLS handshake"),
        TlsProblem::NotTls if server => f.write_str("the client does not speak TLS here"),
        TlsProblem::NotTls => {
            f.write_str("the server does not speak TLS here: it may want STARTTLS, or have TLS on another port")
        }
        TlsProblem::WrongName => {
            if let Some(C::NotValidForNameContext { expected, presented }) = certificate {
                write!(f, "the {whose} certificate is not for {}", expected.to_str())?;
                match &presented[..] {
                    [] => f.write_str(", nor for any name")?,
                    names => write!(f, " but for {}", Names(names))?,
                }
            } else {
                write!(f, "the {whose} certificate is for another name")?;
            }
            f.write_str(": connect to a name that it is for, or set the server name to one")
        }
        TlsProblem::UnknownIssuer if certificate == Some(&C::BadSignature) => write!(
            f,
            "the {whose} certificate was not issued by an authority that is trusted here: one of the same name is, but \
             with another key; the CA file may be that of a namesake, or older than the authority's present key",
        ),
        TlsProblem::UnknownIssuer if server => f.write_str(
            "the client's certificate was not issued by an authority that this server trusts for clients: \
             add its issuer to the file of client authorities",
        ),
        TlsProblem::UnknownIssuer => f.write_str(
            "the server's certificate was not issued by an authority that is trusted here: if that is a private one, \
             name its CA file; the server may also have left out a certificate in between",
        ),
        TlsProblem::Expired => {
            write!(f, "the {whose} certificate has expired")?;
            if let Some(C::ExpiredContext { time, not_after }) = certificate {
                write!(f, " on {} (here it is {})", day(*not_after), day(*time))?;
            }
            write!(f, ": the {peer} has to renew it")
        }
        TlsProblem::NotYetValid => {
            write!(f, "the {whose} certificate is not valid yet")?;
            if let Some(C::NotValidYetContext { time, not_before }) = certificate {
                write!(f, " but from {} on (here it is {})", day(*not_before), day(*time))?;
            }
            f.write_str(": see whether the clocks are right")
        }
        TlsProblem::Revoked => write!(f, "the {whose} certificate was revoked: the {peer} has to get another"),
        TlsProblem::Authority => write!(
            f,
            "the {whose} certificate is an authority's own (CA:TRUE): the {peer} needs one that is issued for it"
        ),
        TlsProblem::BadCertificate => {
            write!(f, "the {whose} certificate cannot be used")?;
            certificate.map_or(Ok(()), |error| write!(f, ": {error}"))
        }
        TlsProblem::NoCertificate => write!(f, "the {peer} has shown no certificate, and needs one"),
        TlsProblem::CertificateWanted => {
            write!(f, "the {peer} wants a certificate, and none was shown: set a certificate and its key")
        }
        TlsProblem::CertificateRefused if server => {
            write!(f, "the client does not take this server's certificate{}", Alert(error))
        }
        TlsProblem::CertificateRefused => write!(f, "the server does not take our certificate{}", Alert(error)),
        TlsProblem::Refused => write!(f, "the {peer} has given up TLS{}", Alert(error)),
        TlsProblem::NothingInCommon => {
            write!(f, "the {peer} has no version or cipher of TLS in common with us")?;
            error.map_or(Ok(()), |error| write!(f, " ({error})"))
        }
        TlsProblem::Broken => {
            write!(f, "TLS with the {peer} failed")?;
            error.map_or(Ok(()), |error| write!(f, ": {error}"))
        }
    }
}

/// The first few of some names, as a certificate has them.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        for (place, name) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            // rustls says what kind of name it is: `DnsName("mx.example.org")`.
            let bare = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
            let bare = bare.unwrap_or(name).trim_matches('"');
            write!(f, "{comma}{}", lmtp_proto::Escaped(bare.as_bytes()))?;
        }
        if self.0.len() > SHOWN { f.write_str(", …") } else { Ok(()) }
    }
}

/// What an alert says, in brackets.
struct Alert<'a>(Option<&'a Error>);

impl fmt::Display for Alert<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(Error::AlertReceived(alert)) => write!(f, " (it says {alert:?})"),
            _ => Ok(()),
        }
    }
}

/// A moment for a human.
fn day(time: UnixTime) -> String {
    let date = i64::try_from(time.as_secs()).ok().and_then(|seconds| Date::new(seconds, 0).ok());
    date.map_or_else(|| format!("second {}", time.as_secs()), |date| date.to_string())
}
