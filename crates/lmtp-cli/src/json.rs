//! The JSON of `--json`: one object on one line of standard output.

use std::fmt::Write as _;
use std::io::Write;

use lmtp_blocking::proto::Escaped;
use lmtp_blocking::{Endpoint, Fault, FaultKind, Origin, RecipientReport, Reply, Report};
use serde::Serialize;

/// What became of a message.
#[derive(Debug, Serialize)]
pub(crate) struct Sent {
    endpoint: String,
    from: String,
    all_delivered: bool,
    recipients: Vec<ForRecipient>,
    warnings: Vec<String>,
    error: Option<Problem>,
}

/// What became of it for one recipient. The last three are null where the server
/// gave none.
#[derive(Debug, Serialize)]
pub(crate) struct ForRecipient {
    index: usize,
    recipient: String,
    outcome: &'static str,
    phase: &'static str,
    origin: Option<&'static str>,
    code: Option<u16>,
    enhanced: Option<String>,
    message: Option<String>,
}

/// What a probe found. What is not known is null.
#[derive(Debug, Serialize)]
pub(crate) struct Probed {
    pub(crate) endpoint: String,
    pub(crate) lmtp: bool,
    pub(crate) greeting: Option<String>,
    pub(crate) server: Option<String>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) error: Option<Problem>,
}

/// What is printed when the command line is wrong: nothing else is known.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    pub(crate) error: Problem,
}

impl Failure {
    pub(crate) fn usage(message: &str) -> Self {
        let kind = FaultKind::Usage.name();
        Self { error: Problem { kind, phase: None, message: message.to_owned() } }
    }
}

/// What went wrong. Without a phase it went wrong before there was one.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    pub(crate) kind: &'static str,
    pub(crate) phase: Option<&'static str>,
    pub(crate) message: String,
}

impl Sent {
    pub(crate) fn new(endpoint: &Endpoint, report: &Report) -> Self {
        Self {
            endpoint: endpoint.to_string(),
            from: report.from().to_string(),
            all_delivered: report.all_delivered(),
            recipients: report.recipients().map(ForRecipient::from).collect(),
            warnings: report.warnings().to_vec(),
            error: report.error().map(Problem::from),
        }
    }
}

/// `report` is what `lmtp-blocking` or `lmtp-delivery` has of a recipient, which are alike and not the same.
macro_rules! for_recipient {
    ($($report:ty),*) => {$(
        impl From<$report> for ForRecipient {
            fn from(report: $report) -> Self {
                let reply = report.reply();
                Self {
                    index: report.index(),
                    recipient: report.path().to_string(),
                    outcome: report.outcome().name(),
                    phase: report.phase().name(),
                    origin: report.origin().map(Origin::name),
                    code: reply.map(|reply| reply.code().get()),
                    enhanced: reply.and_then(Reply::enhanced).map(|code| code.to_string()),
                    message: reply.map(|reply| reply.text().into_owned()),
                }
            }
        }
    )*};
}

for_recipient!(RecipientReport<'_>, lmtp_delivery::RecipientReport<'_>);

impl From<&Fault> for Problem {
    fn from(fault: &Fault) -> Self {
        Self { kind: fault.kind().name(), phase: Some(fault.phase().name()), message: fault.message().into() }
    }
}

/// Prints an object on standard output.
pub(crate) fn print(object: &impl Serialize) {
    // Only strings and numbers are in it, so it can always be written down.
    let text = serde_json::to_string(object).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    // Nobody may be listening, which is no failure of ours.
    let _ = writeln!(std::io::stdout(), "{}", harmless(&text));
}

/// JSON escapes the control characters of ASCII. The others, and what reorders
/// or breaks a line without being seen, may stand in it raw, but not on a
/// terminal. They only occur within strings, where `\u` says the same.
fn harmless(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        let mut buffer = [0; 4];
        let text = c.encode_utf8(&mut buffer);
        if c < '\u{7f}' || Escaped(text.as_bytes()).to_string() == *text {
            safe.push_str(text);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_the_same_text_but_invisible() {
        let text = "é\u{1b}[2J\u{7f}\u{9b}2J\u{202e}\u{2028}\u{feff}日本\u{1f600}\"\\";
        let json = serde_json::to_string(text).unwrap();
        let safe = harmless(&json);
        assert!(!safe.chars().any(char::is_control));
        assert!(safe.contains("é") && safe.contains("日本") && safe.contains("\\u202e"));
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
    }
}
