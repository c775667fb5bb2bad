//! What a bounce says to machines (RFC 3464).

use std::fmt::Write as _;

use lmtp_tokio::ForwardPath;

use crate::report::{RecipientReport, Report};

/// A line of a header is folded before it has so many octets (RFC 5322 section 2.1.1).
const LINE: usize = 76;

impl Report {
    /// The body of a `message/delivery-status` part (RFC 3464) about all who will not get
    /// the message; none if there is nobody. Lines end with CRLF. Addresses that are not in
    /// ASCII are written as RFC 6533 section 3 has them.
    ///
    /// `reporting_mta` is the name of the system that reports.
    pub fn delivery_status(&self, reporting_mta: &str) -> Option<String> {
        let mut failures = self.failures().peekable();
        failures.peek()?;
        let mut text = format!("Reporting-MTA: dns; {}\r\n", plain(reporting_mta));
        if let Some(id) = &self.params().envid {
            field(&mut text, "Original-Envelope-Id", &plain(&id.to_string()));
        }
        for failure in failures {
            text.push_str("\r\n");
            about(&mut text, &failure);
        }
        Some(text)
    }
}

fn about(text: &mut String, failure: &RecipientReport<'_>) {
    if let Some(original) = &failure.params().orcpt {
        field(text, "Original-Recipient", &plain(&original.to_string()));
    }
    field(text, "Final-Recipient", &address(failure.path()));
    field(text, "Action", "failed");
    let reply = failure.reply();
    let status = reply.and_then(|reply| reply.enhanced().map(|enhanced| enhanced.to_string()));
    field(text, "Status", &status.unwrap_or_else(|| "5.0.0".into()));
    if let Some(reply) = reply {
        let words = reply.text().split_whitespace().collect::<Vec<_>>().join(" ");
        let enhanced = reply.enhanced().map(|enhanced| format!("{enhanced} ")).unwrap_or_default();
        let code = reply.code().get();
        field(text, "Diagnostic-Code", &plain(&format!("smtp; {code} {enhanced}{words}")));
    }
}

/// An address with its type.
fn address(path: &ForwardPath) -> String {
    let address = path.to_string();
    if address.is_ascii() {
        return format!("rfc822; {}", plain(&address));
    }
    // utf-8-addr-unitext may be used only where the whole part is UTF-8; this form is ASCII.
    let mut encoded = String::new();
    for char in address.chars() {
        match char {
            '!'..='~' if !matches!(char, '\\' | '+' | '=') => encoded.push(char),
            // Writing to a String cannot fail.
            char => _ = write!(encoded, "\\x{{{:X}}}", u32::from(char)),
        }
    }
    format!("utf-8; {encoded}")
}

/// A field, folded where there is a space.
fn field(text: &mut String, name: &str, value: &str) {
    let mut line = format!("{name}:");
    for word in value.split(' ') {
        if line.len() + 1 + word.len() > LINE && line.len() > name.len() + 1 {
            text.push_str(&line);
            text.push_str("\r\n");
            line.clear();
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push_str("\r\n");
}

/// Text as it may stand in a field: what is not printable ASCII becomes a question mark.
fn plain(text: &str) -> String {
    text.chars().map(|char| if (' '..='~').contains(&char) { char } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Settled;
    use lmtp_tokio::{Envelope, Outcome, Phase, Reply, ReversePath};

    fn report(answers: &[(&str, Outcome, Option<&str>)]) -> Report {
        let to = answers.iter().map(|(to, ..)| to.parse().unwrap());
        let recipients = answers.iter().map(|(_, outcome, reply)| {
            let reply = reply.map(|text| {
                let (code, rest) = text.split_at(3);
                let (enhanced, words) = rest.trim().split_once(' ').unwrap();
                Reply::new(code.parse().unwrap(), enhanced.parse().ok(), words).unwrap()
            });
            Settled { outcome: *outcome, phase: Phase::Rcpt, origin: None, reply, target: None, error: None }
        });
        let recipients = recipients.collect();
        Report { envelope: Envelope::new(ReversePath::Null, to).unwrap(), recipients }
    }

    #[test]
    fn only_those_who_will_not_get_it_are_told_of() {
        let report = report(&[
            ("bob@x", Outcome::Delivered, Some("250 2.0.0 Ok")),
            ("gone@x", Outcome::Permanent, Some("550 5.1.1 No such user")),
            ("later@x", Outcome::Temporary, Some("450 4.2.1 Busy")),
            ("r\u{e4}tsel@x", Outcome::Permanent, Some("554 - what")),
        ]);
        let status = report.delivery_status("mx.example.org").unwrap();
        assert_eq!(
            status,
            "Reporting-MTA: dns; mx.example.org\r\n\r\n\
             Final-Recipient: rfc822; gone@x\r\nAction: failed\r\nStatus: 5.1.1\r\n\
             Diagnostic-Code: smtp; 550 5.1.1 No such user\r\n\r\n\
             Final-Recipient: utf-8; r\\x{E4}tsel@x\r\nAction: failed\r\nStatus: 5.0.0\r\n\
             Diagnostic-Code: smtp; 554 what\r\n"
        );
    }

    #[test]
    fn without_a_failure_there_is_nothing_to_say() {
        assert!(report(&[("bob@x", Outcome::Uncertain, None)]).delivery_status("x").is_none());
    }

    /// Whatever a server says, and whoever is named, it stays within its field.
    #[test]
    fn no_field_is_broken_out_of() {
        let long = format!("550 5.1.1 {}", "word ".repeat(60));
        let report = report(&[("a@x", Outcome::Permanent, Some(&long)), ("\"a b\"@x", Outcome::Permanent, None)]);
        let status = report.delivery_status("evil\r\nInjected: yes").unwrap();
        assert!(!status.contains("\nInjected"), "{status}");
        let known = ["Reporting-MTA:", "Final-Recipient:", "Action:", "Status:", "Diagnostic-Code:", " "];
        for line in status.split("\r\n").filter(|line| !line.is_empty()) {
            assert!(line.len() <= LINE + 20 && known.iter().any(|known| line.starts_with(known)), "{line:?}");
        }
    }
}
