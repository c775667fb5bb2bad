//! What is asked for. Every field that is wrong is named.

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lmtp_tokio::{Envelope, ForwardPath, ReversePath, Security};
use serde_json::{Map, Value};

use crate::Shared;
use crate::live::Lines;
use crate::problem::{Field, Problem};

/// Where to, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Where {
    pub(crate) place: Place,
    pub(crate) security: Security,
    /// The name of a file with authorities.
    #[cfg_attr(not(feature = "rustls"), expect(dead_code, reason = "without TLS nobody is trusted"))]
    pub(crate) authority: Option<String>,
    pub(crate) patience: Duration,
    pub(crate) transcript: bool,
    /// Who hears each line as it is said.
    pub(crate) lines: Option<Lines>,
}

#[derive(Debug, Clone)]
pub(crate) enum Place {
    Tcp {
        host: String,
        port: u16,
    },
    /// By its name here.
    Unix(String),
}

/// A message to be sent.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) envelope: Envelope,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    Draft { subject: String, body: String },
    Raw(Vec<u8>),
}

/// The fields of a request, and what is wrong with them.
pub(crate) struct Fields {
    fields: Map<String, Value>,
    wrong: Vec<Field>,
}

impl Fields {
    /// The body of a request. It says that it is JSON: that is what a form of another site cannot send without being
    /// asked about.
    pub(crate) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, Problem> {
        if !is_json(headers) {
            let (status, message) = (StatusCode::UNSUPPORTED_MEDIA_TYPE, "write Content-Type: application/json");
            return Err(Problem::new(status, "media-type", message));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self { fields, wrong: Vec::new() }),
            Ok(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "json", "the body is no JSON object")),
            Err(error) => Err(Problem::new(StatusCode::BAD_REQUEST, "json", format!("the body is no JSON: {error}"))),
        }
    }

    /// The query of a request: numbers are written as text there.
    pub(crate) fn query(pairs: Vec<(String, String)>) -> Self {
        let value = |name: &str, text: String| match (name, text.as_str()) {
            ("port" | "timeout", digits) => digits.parse().map_or(Value::String(text), |number: u64| number.into()),
            ("transcript", "true") => Value::Bool(true),
            ("transcript", "false") => Value::Bool(false),
            _ => Value::String(text),
        };
        Self {
            fields: pairs
                .into_iter()
                .map(|(name, text)| {
                    let value = value(&name, text);
                    (name, value)
                })
                .collect(),
            wrong: Vec::new(),
        }
    }

    /// A form: the recipients are one text, with commas, semicolons or lines between them.
    pub(crate) fn form(pairs: Vec<(String, String)>) -> Self {
        let mut fields = Self::query(pairs);
        if let Some(Value::String(text)) = fields.fields.get("to") {
            let to = text.split([',', ';', '\n']).map(str::trim).filter(|to| !to.is_empty());
            let to = Value::Array(to.map(Value::from).collect());
            fields.fields.insert("to".into(), to);
        }
        fields
    }

    fn complain(&mut self, field: &'static str, message: impl Into<String>) {
        self.wrong.push(Field { field, message: message.into() });
    }

    /// A field that may be left out, or null.
    fn text(&mut self, name: &'static str) -> Option<String> {
        match self.fields.remove(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(_) => {
                self.complain(name, "is a string");
                None
            }
        }
    }

    fn number(&mut self, name: &'static str, default: u64, least: u64, most: u64) -> u64 {
        match self.fields.remove(name) {
            None | Some(Value::Null) => default,
            Some(value) => value.as_u64().filter(|number| (least..=most).contains(number)).unwrap_or_else(|| {
                self.complain(name, format!("is a whole number from {least} to {most}"));
                default
            }),
        }
    }

    /// Where to: `host` and `port`, or `unixName`.
    pub(crate) fn to(&mut self, shared: &Shared, default_patience: u64) -> Where {
        let [host, unix, authority] =
            ["host", "unixName", "caName"].map(|name| self.text(name).filter(|text| !text.is_empty()));
        let port = u16::try_from(self.number("port", 24, 1, 65535)).unwrap_or(24);
        let place = match (host, unix) {
            (Some(host), None) => {
                if let Err(refused) = shared.config.policy.host(&host, port) {
                    let field = if port == 25 { "port" } else { "host" };
                    self.complain(field, refused.to_string());
                }
                Place::Tcp { host, port }
            }
            (None, Some(name)) => {
                if !shared.config.unix.contains_key(&name) {
                    self.complain("unixName", "is no socket that this gateway knows");
                }
                Place::Unix(name)
            }
            (Some(_), Some(name)) => {
                self.complain("unixName", "goes without host");
                Place::Unix(name)
            }
            (None, None) => {
                self.complain("host", "is needed");
                Place::Unix(String::new())
            }
        };
        let security = match self.text("tls").as_deref() {
            None | Some("none") => Security::Plain,
            Some("starttls") => Security::StartTls,
            Some("tls") => Security::Tls,
            Some(_) => {
                self.complain("tls", "is none, starttls or tls");
                Security::Plain
            }
        };
        if authority.as_ref().is_some_and(|name| !shared.config.authorities.contains_key(name)) {
            self.complain("caName", "is no authority that this gateway knows");
        }
        if security != Security::Plain && matches!(place, Place::Unix(ref name) if !name.is_empty()) {
            self.complain("tls", "goes with host and port, not over a socket");
        }
        if authority.is_some() && security == Security::Plain {
            self.complain("caName", "goes with tls");
        }
        let longest = u64::try_from(shared.config.longest.as_millis()).unwrap_or(u64::MAX);
        let patience = Duration::from_millis(self.number("timeout", default_patience.min(longest), 1, longest));
        let transcript = match self.fields.remove("transcript") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(wanted)) => wanted,
            Some(_) => {
                self.complain("transcript", "is true or false");
                false
            }
        };
        Where { place, security, authority, patience, transcript, lines: None }
    }

    /// From whom, to whom, and what.
    pub(crate) fn mail(&mut self, shared: &Shared) -> Result<Option<Mail>, Problem> {
        let from = match self.text("from") {
            None => {
                self.complain("from", "is needed; \"\" is the null sender");
                None
            }
            Some(text) => match text.parse::<ReversePath>() {
                Ok(from) => Some(from),
                Err(error) => {
                    self.complain("from", format!("{text:?}: {error}"));
                    None
                }
            },
        };
        let to = self.recipients();
        if to.len() > shared.config.recipients {
            let most = shared.config.recipients;
            let message = format!("are {}, and at most {most} are taken", to.len());
            return Err(Problem::fields(StatusCode::UNPROCESSABLE_ENTITY, vec![Field { field: "to", message }]));
        }
        let content = self.content();
        let envelope = from.and_then(|from| Envelope::new(from, to).ok());
        Ok(envelope.zip(content).map(|(envelope, content)| Mail { envelope, content }))
    }

    /// A subject and a text, or a whole message in one of two forms.
    fn content(&mut self) -> Option<Content> {
        let (subject, body) = (self.text("subject"), self.text("body"));
        let (raw, in_base64) = (self.text("raw"), self.text("rawBase64"));
        match (raw, in_base64, subject, body) {
            (Some(raw), None, None, None) => Some(Content::Raw(raw.into_bytes())),
            (None, Some(text), None, None) => match STANDARD.decode(text) {
                Ok(octets) => Some(Content::Raw(octets)),
                Err(error) => {
                    self.complain("rawBase64", format!("is no base64: {error}"));
                    None
                }
            },
            (Some(_), ..) => {
                self.complain("raw", "goes without rawBase64, subject and body");
                None
            }
            (None, Some(_), ..) => {
                self.complain("rawBase64", "goes without subject and body");
                None
            }
            (None, None, subject, body) => {
                if subject.is_none() {
                    self.complain("subject", "is needed, or raw");
                }
                if body.is_none() {
                    self.complain("body", "is needed, or raw");
                }
                subject.zip(body).map(|(subject, body)| Content::Draft { subject, body })
            }
        }
    }

    fn recipients(&mut self) -> Vec<ForwardPath> {
        let texts = match self.fields.remove("to") {
            Some(Value::String(one)) => vec![Value::String(one)],
            Some(Value::Array(all)) if !all.is_empty() => all,
            Some(Value::Array(_) | Value::Null) | None => {
                self.complain("to", "at least one recipient is needed");
                return Vec::new();
            }
            Some(_) => {
                self.complain("to", "is a string or an array of strings");
                return Vec::new();
            }
        };
        let mut paths = Vec::new();
        for text in texts {
            match text.as_str().map(str::parse) {
                Some(Ok(path)) => paths.push(path),
                Some(Err(error)) => self.complain("to", format!("{text}: {error}")),
                None => self.complain("to", format!("{text} is no string")),
            }
        }
        paths
    }

    /// Whether all was well. What is not known is refused: it may have been meant.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        // Field names are static, for they are ours; a foreign one stands in the text.
        let unknown: Vec<String> = self.fields.keys().map(|name| format!("{name:?}")).collect();
        if !unknown.is_empty() {
            self.complain("(unknown)", format!("{} is not known", unknown.join(", ")));
        }
        if self.wrong.is_empty() { Ok(()) } else { Err(Problem::fields(StatusCode::BAD_REQUEST, self.wrong)) }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}
