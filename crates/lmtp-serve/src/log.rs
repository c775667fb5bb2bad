//! What is told of a message: a line for each recipient.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use lmtp_tokio::proto::Escaped;
use serde::Serialize;

use crate::settings::Format;

/// A line of the log: what became of a message for one recipient, or of a connection.
#[derive(Debug, Serialize)]
pub(crate) struct Entry<'a> {
    /// Seconds since 1970.
    pub(crate) time: f64,
    pub(crate) event: &'static str,
    /// The message's name, which stands in the reply, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peer: Option<&'a str>,
    /// Who has spoken for it: a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proxy: Option<&'a str>,
    /// Whether the line was encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<bool>,
    /// Where it listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reply: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) octets: Option<u64>,
    /// From MAIL to the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) milliseconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Entry<'_> {
    /// What happened now, of which nothing else is known.
    pub(crate) fn now(event: &'static str) -> Self {
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let (from, to, reply, error) = (None, None, None, None);
        let (id, peer, proxy, place, file) = (None, None, None, None, None);
        Self {
            time,
            event,
            id,
            peer,
            proxy,
            tls: None,
            place,
            from,
            to,
            reply,
            octets: None,
            milliseconds: None,
            file,
            error,
        }
    }

    /// The line, its end included. What others have chosen is made safe to print.
    fn line(&self, format: Format) -> String {
        if format == Format::Json {
            return serde_json::to_string(self).map(|line| line + "\n").unwrap_or_default();
        }
        let mut line = format!("{:.3} {}", self.time, self.event);
        let mut tell = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                let value = Escaped(value.as_bytes()).to_string();
                let is_word = !value.contains([' ', '"']) && !value.is_empty();
                let quoted = if is_word { value } else { format!("\"{}\"", value.replace('"', "\\\"")) };
                line.extend([" ", name, "=", &quoted]);
            }
        };
        tell("id", self.id);
        tell("peer", self.peer);
        tell("proxy", self.proxy);
        tell("tls", self.tls.map(|_| "yes"));
        tell("place", self.place);
        tell("from", self.from.as_deref());
        tell("to", self.to.as_deref());
        tell("reply", self.reply.as_deref());
        tell("octets", self.octets.map(|octets| octets.to_string()).as_deref());
        tell("ms", self.milliseconds.map(|count| count.to_string()).as_deref());
        tell("file", self.file);
        tell("error", self.error.as_deref());
        line + "\n"
    }

    /// Writes it to standard error, in one piece. Nobody need read it.
    pub(crate) fn write(&self, format: Format) {
        if format == Format::None {
            return;
        }
        let _ = std::io::stderr().lock().write_all(self.line(format).as_bytes());
    }
}

/// Whole milliseconds.
pub(crate) fn milliseconds(time: Duration) -> Option<u64> {
    u64::try_from(time.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_whatever_is_in_it() {
        let entry = Entry {
            time: 1.5,
            id: Some("x-1"),
            from: Some("<>".into()),
            to: Some("<\"a\nb\"@x>".into()),
            reply: Some("250 2.0.0 Saved".into()),
            octets: Some(7),
            ..Entry::now("delivery")
        };
        let text = entry.line(Format::Text);
        assert_eq!(text.matches('\n').count(), 1);
        assert!(text.starts_with("1.500 delivery id=x-1 from=<> to=\""), "{text}");
        assert!(text.ends_with("reply=\"250 2.0.0 Saved\" octets=7\n"), "{text}");
        let json = entry.line(Format::Json);
        assert_eq!(json.matches('\n').count(), 1);
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((read["to"].as_str(), read["octets"].as_u64()), (Some("<\"a\nb\"@x>"), Some(7)));
        assert!(read.get("file").is_none());
    }
}
