//! What can be set, in code or in TOML.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// What can be set: one target, or several with routes. A key that is not known is an
/// error.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Options {
    /// The targets by name; one alone has the name `target`.
    pub targets: BTreeMap<String, TargetOptions>,
    /// The targets of an address or a domain, in the order in which to ask them.
    pub routes: BTreeMap<String, Vec<String>>,
    /// The targets of everybody else.
    pub default: Vec<String>,
}

/// A server, and how to speak with it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TargetOptions {
    /// A Unix socket. It goes before host and port, and takes no TLS.
    pub socket_path: Option<PathBuf>,
    /// A name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether TLS is spoken from the first octet.
    pub ssl: bool,
    /// The authorities to trust: PEM. Without it, those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Whether the server's certificate is looked at.
    pub verify: Verify,
    /// The name in the server's certificate, if it is not the host.
    pub server_name: Option<String>,
    /// Who we are, to a server that asks: PEM, with the key.
    pub client_certificate: Option<PathBuf>,
    /// The key of that certificate: PEM.
    pub client_key: Option<PathBuf>,
    /// Who we say we are in LHLO.
    pub lhlo_name: String,
    /// Seconds to connect, all addresses together. As all times: a day at most.
    pub connect_timeout: u64,
    /// Seconds for each reply.
    pub timeout: u64,
    /// Seconds for each recipient's final reply.
    pub final_timeout: u64,
    /// Connections at once.
    pub connections: usize,
    /// Seconds after which a connection that nobody uses is not used again; with 0 none is.
    pub idle: u64,
    /// Seconds after which a connection is not used again; with 0 none is.
    pub age: u64,
    /// Messages after which a connection is not used again.
    pub messages: u64,
    /// What stands before a folder in an address; without it there are no folders.
    pub delimiter: Option<char>,
}

/// Whether a server's certificate is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// Its issuer, its dates and its name.
    #[default]
    Full,
    /// Not at all: anybody can be in between.
    None,
}

impl Default for TargetOptions {
    fn default() -> Self {
        Self {
            socket_path: None,
            host: "127.0.0.1".into(),
            port: 2424,
            ssl: false,
            ca_file: None,
            verify: Verify::Full,
            server_name: None,
            client_certificate: None,
            client_key: None,
            lhlo_name: "localhost".into(),
            connect_timeout: 10,
            timeout: 60,
            final_timeout: 600,
            connections: 10,
            idle: 30,
            age: 600,
            messages: 1000,
            delimiter: None,
        }
    }
}

/// The form with several targets.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Several {
    targets: BTreeMap<String, TargetOptions>,
    #[serde(default)]
    routes: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    default: Vec<String>,
}

impl From<TargetOptions> for Options {
    /// One target for everybody.
    fn from(target: TargetOptions) -> Self {
        let name = "target".to_owned();
        Self { targets: [(name.clone(), target)].into(), routes: BTreeMap::new(), default: vec![name] }
    }
}

impl Options {
    /// Reads options: one target's, or tables `targets` and `routes`.
    ///
    /// # Errors
    ///
    /// It is no TOML, or says something that is not known: with line and column.
    pub fn parse(text: &str) -> Result<Self, InvalidOptions> {
        let invalid = |error| InvalidOptions(Box::new(error));
        let table: toml::Table = toml::from_str(text).map_err(invalid)?;
        if ["targets", "routes", "default"].iter().any(|key| table.contains_key(*key)) {
            let Several { targets, routes, default } = toml::from_str(text).map_err(invalid)?;
            return Ok(Self { targets, routes, default });
        }
        toml::from_str::<TargetOptions>(text).map(Self::from).map_err(invalid)
    }
}

/// What is wrong with options, and where.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidOptions(Box<toml::de::Error>);

/// An option that cannot be: where, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {why}")]
pub struct Problem {
    pub(crate) place: String,
    pub(crate) why: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_target_or_several() {
        assert_eq!(Options::parse("").unwrap(), TargetOptions::default().into());
        let one = Options::parse("socket_path = \"/run/lmtp\"\ndelimiter = \"+\"\nverify = \"none\"\n").unwrap();
        let target = &one.targets["target"];
        assert_eq!((target.delimiter, target.verify, target.port), (Some('+'), Verify::None, 2424));
        // RFC 5321 section 4.5.3.2.6: a server may take its time with a message.
        assert_eq!((target.connect_timeout, target.timeout, target.final_timeout), (10, 60, 600));
        let text = "default = [\"a\"]\n[routes]\n\"x.org\" = [\"b\", \"a\"]\n[targets.a]\n[targets.b]\nport = 24\n";
        let several = Options::parse(text).unwrap();
        assert_eq!((several.targets.len(), several.targets["b"].port), (2, 24));
        assert_eq!(several.routes["x.org"], ["b", "a"]);
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_place() {
        for (text, place, what) in [
            ("port = 24\nsocket = \"/run/lmtp\"\n", "line 2, column 1", "socket"),
            ("ssl_opts = []\n", "line 1, column 1", "ssl_opts"),
            ("verify = \"peer\"\n", "line 1, column 10", "peer"),
            ("port = 65536\n", "line 1, column 8", "65536"),
            ("[targets.a]\nhots = \"x\"\n", "line 2, column 1", "hots"),
            ("[targets.a]\n[route]\n", "line 2", "route"),
            ("port = \n", "line 1", ""),
        ] {
            let error = Options::parse(text).unwrap_err().to_string();
            assert!(error.contains(place) && error.contains(what), "{text}: {error}");
        }
    }
}
