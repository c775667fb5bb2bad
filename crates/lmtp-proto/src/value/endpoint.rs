//! Where a server listens.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use crate::error::excerpt;

/// Where a server listens, as one string: `unix:PATH`, `lmtp://host:port`,
/// `lmtp+starttls://host:port` or `lmtps://host:port`.
///
/// The port defaults to 24. Port 25 is refused: it is SMTP's, and LMTP must not
/// be spoken there (RFC 2033 sections 1 and 5).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint(Inner);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Inner {
    Unix(String),
    Tcp(String, u16, Security),
}

/// What an [`Endpoint`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target<'a> {
    /// A Unix socket.
    Unix {
        /// The path of the socket.
        path: &'a str,
    },
    /// A TCP port.
    Tcp {
        /// A name or an address, an IPv6 address without brackets.
        host: &'a str,
        /// The port, never 25.
        port: u16,
        /// What protects it.
        security: Security,
    },
}

/// What protects a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Security {
    /// Nothing: `lmtp://`.
    Plain,
    /// TLS, begun by the STARTTLS command: `lmtp+starttls://`.
    StartTls,
    /// TLS from the first octet: `lmtps://`.
    Tls,
}

impl Endpoint {
    /// The port when none is given.
    pub const DEFAULT_PORT: u16 = 24;
    /// The longest path of a Unix socket, in octets: what Linux takes.
    pub const MAX_PATH: usize = 107;

    /// The Unix socket at a path.
    ///
    /// # Errors
    ///
    /// The path is empty or holds a control character.
    pub fn unix(path: &str) -> Result<Self, InvalidEndpoint> {
        alloc::format!("unix:{path}").parse()
    }

    /// What it names.
    pub fn target(&self) -> Target<'_> {
        match &self.0 {
            Inner::Unix(path) => Target::Unix { path },
            Inner::Tcp(host, port, security) => Target::Tcp { host, port: *port, security: *security },
        }
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |problem| Err(InvalidEndpoint { shown: excerpt(text.as_bytes()), problem });
        if text.chars().any(char::is_control) {
            return fail(EndpointProblem::ControlCharacter);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.len() {
                0 => fail(EndpointProblem::NoPath),
                1..=Self::MAX_PATH => Ok(Self(Inner::Unix(path.into()))),
                _ => fail(EndpointProblem::LongPath),
            };
        }
        let schemes =
            [("lmtp://", Security::Plain), ("lmtp+starttls://", Security::StartTls), ("lmtps://", Security::Tls)];
        let Some((authority, security)) =
            schemes.into_iter().find_map(|(scheme, security)| Some((text.strip_prefix(scheme)?, security)))
        else {
            return fail(if text.starts_with('/') { EndpointProblem::PathAlone } else { EndpointProblem::Scheme });
        };
        let Some((host, port)) = host_and_port(authority) else {
            return fail(EndpointProblem::Authority);
        };
        match port {
            0 => fail(EndpointProblem::Authority),
            25 => fail(EndpointProblem::Port25),
            port => Ok(Self(Inner::Tcp(host.to_string(), port, security))),
        }
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = InvalidEndpoint;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn host_and_port(authority: &str) -> Option<(&str, u16)> {
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let (host, rest) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']')?;
            host.parse::<core::net::Ipv6Addr>().ok()?;
            (host, rest)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => Endpoint::DEFAULT_PORT,
        Some(digits) if digits.bytes().all(|octet| octet.is_ascii_digit()) => digits.parse().ok()?,
        _ => return None,
    };
    let named = host.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_' | b':'));
    (named && !host.is_empty()).then_some((host, port))
}

/// The string it is parsed from.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.target() {
            Target::Unix { path } => write!(f, "unix:{path}"),
            Target::Tcp { host, port, security } => {
                let scheme = match security {
                    Security::Plain => "lmtp",
                    Security::StartTls => "lmtp+starttls",
                    Security::Tls => "lmtps",
                };
                match host.contains(':') {
                    true => write!(f, "{scheme}://[{host}]:{port}"),
                    false => write!(f, "{scheme}://{host}:{port}"),
                }
            }
        }
    }
}

/// Text that is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{shown}\" is not an endpoint: {problem}")]
pub struct InvalidEndpoint {
    shown: String,
    problem: EndpointProblem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum EndpointProblem {
    #[error("write unix:PATH, lmtp://host:port, lmtp+starttls://host:port or lmtps://host:port")]
    Scheme,
    #[error("a path needs \"unix:\" before it")]
    PathAlone,
    #[error("\"unix:\" needs a path behind it")]
    NoPath,
    #[error("the path of a socket has at most 107 octets")]
    LongPath,
    #[error("after \"://\" comes a host, and perhaps \":\" and a port; an IPv6 address stands in brackets")]
    Authority,
    #[error("port 25 is SMTP's, and LMTP must not be spoken there (RFC 2033 section 5)")]
    Port25,
    #[error("it holds a control character")]
    ControlCharacter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_parsed() {
        for text in [
            "unix:/run/dovecot/lmtp",
            "unix:lmtp.sock",
            "lmtp://localhost:24",
            "lmtp://127.0.0.1:2424",
            "lmtp://[::1]:24",
            "lmtp+starttls://mx.example.org:24",
            "lmtps://mx:2525",
        ] {
            assert_eq!(text.parse::<Endpoint>().expect(text).to_string(), text);
        }
        assert_eq!("lmtp://mx/".parse::<Endpoint>().unwrap().to_string(), "lmtp://mx:24");
        assert_eq!("lmtp://[::1]".parse::<Endpoint>().unwrap().to_string(), "lmtp://[::1]:24");
    }

    #[test]
    fn what_is_refused_and_why() {
        lmtp_testkit::proves!("R2033-1-a", "R2033-5-a");
        for (text, problem) in [
            ("lmtp://mx:25", EndpointProblem::Port25),
            ("lmtps://mx:025", EndpointProblem::Port25),
            ("127.0.0.1:24", EndpointProblem::Scheme),
            ("smtp://mx:24", EndpointProblem::Scheme),
            ("", EndpointProblem::Scheme),
            ("/run/lmtp", EndpointProblem::PathAlone),
            ("unix:", EndpointProblem::NoPath),
            ("lmtp://", EndpointProblem::Authority),
            ("lmtp://:24", EndpointProblem::Authority),
            ("lmtp://mx:", EndpointProblem::Authority),
            ("lmtp://mx:0", EndpointProblem::Authority),
            ("lmtp://mx:+24", EndpointProblem::Authority),
            ("lmtp://mx:65536", EndpointProblem::Authority),
            ("lmtp://::1:24", EndpointProblem::Authority),
            ("lmtp://[mx]:24", EndpointProblem::Authority),
            ("lmtp://user@mx:24", EndpointProblem::Authority),
            ("lmtp://mx:24/path", EndpointProblem::Authority),
            ("unix:/run\n", EndpointProblem::ControlCharacter),
            (&alloc::format!("unix:{}", "a".repeat(108)), EndpointProblem::LongPath),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap_err().problem, problem, "{text:?}");
        }
    }
}
