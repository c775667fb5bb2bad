//! What can be set, as it is written in TOML.

use std::path::PathBuf;

use serde::Deserialize;

/// All settings with their defaults, as text: what `--print-default` prints.
pub const DEFAULT: &str = include_str!("default.toml");

/// What can be set. A key that is not known is an error, with its line and column.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Settings {
    /// Where to listen.
    pub listen: Vec<String>,
    /// What becomes of mail.
    pub sink: Sink,
    /// The server's name.
    pub name: String,
    /// Where metrics and health are to be had over HTTP; nowhere if empty.
    pub http: String,
    /// Whether the Maildirs are to be seen there.
    pub inbox: bool,
    /// The names that it is called by, beside localhost and addresses.
    pub http_hosts: Vec<String>,
    /// The file with the token that the inbox asks for.
    pub http_token_file: PathBuf,
    /// Where mail is kept.
    pub maildir: Maildir,
    /// What delivers it.
    pub exec: Exec,
    /// Where it is passed on to.
    pub forward: Forward,
    /// The web service that it is passed on to.
    pub webhook: Webhook,
    /// How much at once.
    pub limits: Limits,
    /// How long.
    pub timeouts: Timeouts,
    /// Who may.
    pub access: Access,
    /// How lines are encrypted.
    pub tls: Tls,
    /// What is told of it.
    pub log: Log,
    /// What goes wrong on purpose.
    pub faults: Faults,
}

/// What becomes of mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sink {
    /// It is kept in Maildirs.
    Maildir,
    /// A command delivers it.
    Exec,
    /// Another server gets it.
    Lmtp,
    /// A web service gets it.
    Http,
    /// It is thrown away.
    Discard,
    /// It is kept in memory, for tests of programs in the same process.
    Memory,
}

/// Where mail is kept.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is explained in default.toml")]
pub struct Maildir {
    pub root: PathBuf,
    pub template: String,
    pub domains: Vec<String>,
    pub table: PathBuf,
    pub aliases: PathBuf,
    pub create: bool,
    pub postmaster: String,
    pub delimiter: String,
    pub folders: Folders,
    pub quota_octets: u64,
    pub quota_messages: u64,
    pub when_full: WhenFull,
    pub link_copies: bool,
}

/// What a detail is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each is explained in default.toml")]
pub enum Folders {
    Ignore,
    Existing,
    Create,
}

/// What is said of a full mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each is explained in default.toml")]
pub enum WhenFull {
    Temporary,
    Permanent,
}

/// A command that delivers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is explained in default.toml")]
pub struct Exec {
    pub command: Vec<String>,
    pub delimiter: String,
    pub timeout: u64,
    pub processes: usize,
}

/// Another server.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is explained in default.toml")]
pub struct Forward {
    pub to: String,
    pub timeout: u64,
    pub ca_file: PathBuf,
}

/// A web service.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is explained in default.toml")]
pub struct Webhook {
    pub url: String,
    pub token_file: PathBuf,
    pub timeout: u64,
}

/// What goes wrong on purpose.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is explained in default.toml")]
pub struct Faults {
    pub fail: Vec<String>,
    pub delay: Vec<String>,
    pub drop_at: Vec<String>,
    pub wrong_count: Vec<String>,
    pub garble: String,
    pub seed: u64,
}

/// How much at once.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is explained in default.toml")]
pub struct Limits {
    pub message_size: u64,
    pub recipients: usize,
    pub connections: usize,
    pub connections_per_address: usize,
    pub messages: usize,
    pub errors: usize,
    pub command_line: usize,
    pub backlog: usize,
    pub drained: u64,
    pub data_rate: u64,
}

/// How long, in seconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is explained in default.toml")]
pub struct Timeouts {
    pub connect: u64,
    pub command: u64,
    pub body: u64,
    pub between_messages: u64,
    pub handler: u64,
    pub verdict: u64,
}

/// Who may connect.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is explained in default.toml")]
pub struct Access {
    pub unix_mode: String,
    pub unix_owner: String,
    pub unix_group: String,
    pub uids: Vec<u32>,
    pub networks: Vec<String>,
    pub proxies: Vec<String>,
    pub trusted: Vec<String>,
}

/// How lines are encrypted.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is explained in default.toml")]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub client_ca: PathBuf,
}

/// What is told of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Log {
    /// How.
    pub format: Format,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each is explained in default.toml")]
pub enum Format {
    Text,
    Json,
    None,
}

impl Settings {
    /// Reads settings; what is not set has its default.
    ///
    /// # Errors
    ///
    /// It is no TOML, or says something that is not known: with line and column.
    pub fn parse(text: &str) -> Result<Self, InvalidSettings> {
        toml::from_str(text).map_err(|error| InvalidSettings(Box::new(error)))
    }
}

/// What is wrong with settings, and where.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSettings(Box<toml::de::Error>);

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            sink: Sink::Maildir,
            name: "localhost".into(),
            http: String::new(),
            inbox: false,
            http_hosts: Vec::new(),
            http_token_file: PathBuf::new(),
            maildir: Maildir::default(),
            exec: Exec::default(),
            forward: Forward::default(),
            webhook: Webhook::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            access: Access::default(),
            tls: Tls::default(),
            log: Log::default(),
            faults: Faults::default(),
        }
    }
}

impl Default for Maildir {
    fn default() -> Self {
        Self {
            root: PathBuf::new(),
            template: "{domain}/{user}".into(),
            domains: Vec::new(),
            table: PathBuf::new(),
            aliases: PathBuf::new(),
            create: false,
            postmaster: String::new(),
            delimiter: String::new(),
            folders: Folders::Ignore,
            quota_octets: 0,
            quota_messages: 0,
            when_full: WhenFull::Temporary,
            link_copies: false,
        }
    }
}

/// Less than the time that clients wait for an answer.
const PATIENCE: u64 = 240;

impl Default for Exec {
    fn default() -> Self {
        Self { command: Vec::new(), delimiter: "+".into(), timeout: PATIENCE, processes: 16 }
    }
}

impl Default for Forward {
    fn default() -> Self {
        Self { to: String::new(), timeout: PATIENCE, ca_file: PathBuf::new() }
    }
}

impl Default for Webhook {
    fn default() -> Self {
        Self { url: String::new(), token_file: PathBuf::new(), timeout: PATIENCE }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: 64 * 1024 * 1024,
            recipients: 1000,
            connections: 1000,
            connections_per_address: 1000,
            messages: 0,
            errors: 20,
            command_line: 4096,
            backlog: 64 * 1024,
            drained: 128 * 1024 * 1024,
            data_rate: 100,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: 300, command: 300, body: 180, between_messages: 1800, handler: 90, verdict: 540 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: Format::Text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_what_is_meant() {
        assert_eq!(Settings::parse(DEFAULT).unwrap(), Settings::default());
        assert_eq!(Settings::parse("").unwrap(), Settings::default());
    }

    /// No setting is without its line in what is printed.
    #[test]
    fn every_setting_is_printed() {
        let printed: toml::Table = toml::from_str(DEFAULT).unwrap();
        let keys: usize = printed.values().map(|value| value.as_table().map_or(1, toml::Table::len)).sum();
        assert_eq!(keys, 7 + 13 + 4 + 3 + 3 + 10 + 6 + 7 + 3 + 1 + 6);
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_place() {
        for (text, place, what) in [
            ("sink = \"maildir\"\n[limits]\nmesage_size = 1\n", "line 3, column 1", "mesage_size"),
            ("lisen = []\n", "line 1, column 1", "lisen"),
            ("[maildir]\nfolders = \"all\"\n", "line 2, column 11", "all"),
            ("[limits]\nrecipients = -1\n", "line 2, column 14", "-1"),
            ("listen = [\n", "line 1", ""),
        ] {
            let error = Settings::parse(text).unwrap_err().to_string();
            assert!(error.contains(place) && error.contains(what), "{text}: {error}");
        }
    }
}
