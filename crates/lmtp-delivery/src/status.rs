//! What a bounce says to machines (RFC 3464).

use std::fmt::Write as _;

use lmtp_tokio::{ForwardPath, Origin, Outcome};

use crate::report::{RecipientReport, Report, Uncertain};

/// A line of a header is folded before it has so many octets (RFC 5322 section 2.1.1).
const LINE: usize = 76;

/// What is said of a recipient (RFC 3464 section 2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// Nothing is tried any more.
    Failed,
    /// It is still tried, and another notice may come.
    Delayed,
}

impl Action {
    /// Whether the sender wants to hear of it (RFC 3461 section 4.1). Who says nothing does.
    fn is_asked_for(self, recipient: &RecipientReport<'_>) -> bool {
        recipient.params().notify.is_none_or(|notify| match self {
            Self::Failed => notify.failure(),
            Self::Delayed => notify.delay(),
        })
    }
}

impl Report {
    /// The body of a `message/delivery-status` part (RFC 3464) about all who were refused for
    /// good; none if there is nobody. Lines end with CRLF. Addresses that are not in
    /// ASCII are written as RFC 6533 section 3 has them. Recipients with a NOTIFY that does
    /// not ask for it are left out.
    ///
    /// `reporting_mta` is the name of the system that reports.
    pub fn delivery_status(&self, reporting_mta: &str) -> Option<String> {
        self.part(reporting_mta, self.failures(), Action::Failed)
    }

    /// The same part when nothing is tried any more, about the
    /// [`failures_after_giving_up`](Self::failures_after_giving_up). Who has waited in vain is told of with the
    /// last server's code, or with 4.4.7, "delivery time expired".
    pub fn delivery_status_after_giving_up(&self, reporting_mta: &str, uncertain: Uncertain) -> Option<String> {
        self.part(reporting_mta, self.failures_after_giving_up(uncertain), Action::Failed)
    }

    /// The same part of a notice that it takes longer, about those who are [`waiting`](Self::waiting).
    pub fn delay_status(&self, reporting_mta: &str, uncertain: Uncertain) -> Option<String> {
        self.part(reporting_mta, self.waiting(uncertain), Action::Delayed)
    }

    fn part<'a>(
        &self,
        reporting_mta: &str,
        recipients: impl Iterator<Item = RecipientReport<'a>>,
        action: Action,
    ) -> Option<String> {
        let mut recipients = recipients.filter(|recipient| action.is_asked_for(recipient)).peekable();
        recipients.peek()?;
        let mut text = format!("Reporting-MTA: dns; {}\r\n", plain(reporting_mta));
        if let Some(id) = &self.params().envid {
            field(&mut text, "Original-Envelope-Id", &plain(&id.to_string()));
        }
        for recipient in recipients {
            text.push_str("\r\n");
            about(&mut text, &recipient, action);
        }
        Some(text)
    }
}

fn about(text: &mut String, recipient: &RecipientReport<'_>, action: Action) {
    if let Some(original) = &recipient.params().orcpt {
        field(text, "Original-Recipient", &plain(&original.to_string()));
    }
    field(text, "Final-Recipient", &address(recipient.path()));
    field(text, "Action", if action == Action::Failed { "failed" } else { "delayed" });
    let reply = recipient.reply();
    let status = reply.and_then(|reply| reply.enhanced().map(|enhanced| enhanced.to_string()));
    field(text, "Status", &status.unwrap_or_else(|| without_code(recipient.outcome(), action).into()));
    // Where there is no reply, the error is about us, and names places that are nobody's business.
    if let Some(reply) = reply {
        let words = reply.text().split_whitespace().collect::<Vec<_>>().join(" ");
        let enhanced = reply.enhanced().map(|enhanced| format!("{enhanced} ")).unwrap_or_default();
        let code = reply.code().get();
        // What was refused here was said by nobody.
        let by = if recipient.origin() == Some(Origin::Local) { "X-local" } else { "smtp" };
        field(text, "Diagnostic-Code", &plain(&format!("{by}; {code} {enhanced}{words}")));
    }
}

/// The status where no server has given one (RFC 3463). One that begins with 4 may stand in a failure: sent at another
/// time, the message might arrive.
fn without_code(outcome: Outcome, action: Action) -> &'static str {
    match (outcome, action) {
        (Outcome::Permanent, _) => "5.0.0",
        // Delivery time expired.
        (_, Action::Failed) => "4.4.7",
        // No answer from host; bad connection.
        (Outcome::Unsent, Action::Delayed) => "4.4.1",
        (Outcome::Uncertain, Action::Delayed) => "4.4.2",
        (_, Action::Delayed) => "4.0.0",
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
    use lmtp_tokio::proto::value::Notify;
    use lmtp_tokio::{Envelope, Phase, RcptParams, Reply, ReversePath};

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
    fn what_was_refused_here_is_said_by_no_server() {
        let mut report = report(&[("bob@x", Outcome::Permanent, Some("554 5.6.3 No 8-bit there"))]);
        report.recipients[0].origin = Some(Origin::Local);
        let status = report.delivery_status("mx.example.org").unwrap();
        assert!(
            status.ends_with("Status: 5.6.3\r\nDiagnostic-Code: X-local; 554 5.6.3 No 8-bit there\r\n"),
            "{status}"
        );
    }

    /// One of each kind, with codes and without.
    fn one_of_each() -> Report {
        report(&[
            ("bob@x", Outcome::Delivered, Some("250 2.0.0 Ok")),
            ("gone@x", Outcome::Permanent, Some("550 5.1.1 No such user")),
            ("full@x", Outcome::Temporary, Some("452 4.2.2 Mailbox full")),
            ("busy@x", Outcome::Temporary, Some("451 - Come back")),
            ("down@x", Outcome::Unsent, None),
            ("cut@x", Outcome::Uncertain, None),
        ])
    }

    #[test]
    fn given_up_all_who_have_waited_are_told_of_too() {
        let (report, mx) = (one_of_each(), "mx.example.org");
        let sure = "Reporting-MTA: dns; mx.example.org\r\n\r\n\
             Final-Recipient: rfc822; gone@x\r\nAction: failed\r\nStatus: 5.1.1\r\n\
             Diagnostic-Code: smtp; 550 5.1.1 No such user\r\n\r\n\
             Final-Recipient: rfc822; full@x\r\nAction: failed\r\nStatus: 4.2.2\r\n\
             Diagnostic-Code: smtp; 452 4.2.2 Mailbox full\r\n\r\n\
             Final-Recipient: rfc822; busy@x\r\nAction: failed\r\nStatus: 4.4.7\r\n\
             Diagnostic-Code: smtp; 451 Come back\r\n\r\n\
             Final-Recipient: rfc822; down@x\r\nAction: failed\r\nStatus: 4.4.7\r\n";
        let cut = "\r\nFinal-Recipient: rfc822; cut@x\r\nAction: failed\r\nStatus: 4.4.7\r\n";
        let given_up = |uncertain| report.delivery_status_after_giving_up(mx, uncertain).unwrap();
        assert_eq!(given_up(Uncertain::Resend), format!("{sure}{cut}"));
        // Who may have got it, and is not sent it again, is not told that he has not.
        assert_eq!(given_up(Uncertain::Leave), sure);
    }

    #[test]
    fn a_delay_is_about_those_who_are_still_tried() {
        let (report, mx) = (one_of_each(), "mx.example.org");
        let sure = "Reporting-MTA: dns; mx.example.org\r\n\r\n\
             Final-Recipient: rfc822; full@x\r\nAction: delayed\r\nStatus: 4.2.2\r\n\
             Diagnostic-Code: smtp; 452 4.2.2 Mailbox full\r\n\r\n\
             Final-Recipient: rfc822; busy@x\r\nAction: delayed\r\nStatus: 4.0.0\r\n\
             Diagnostic-Code: smtp; 451 Come back\r\n\r\n\
             Final-Recipient: rfc822; down@x\r\nAction: delayed\r\nStatus: 4.4.1\r\n";
        let cut = "\r\nFinal-Recipient: rfc822; cut@x\r\nAction: delayed\r\nStatus: 4.4.2\r\n";
        assert_eq!(report.delay_status(mx, Uncertain::Resend).unwrap(), format!("{sure}{cut}"));
        assert_eq!(report.delay_status(mx, Uncertain::Leave).unwrap(), sure);
    }

    #[test]
    fn who_does_not_want_to_hear_of_it_does_not() {
        for (notify, failed, delayed) in [
            (None, true, true),
            (Some(Notify::NEVER), false, false),
            (Some(Notify::SUCCESS), false, false),
            (Some(Notify::FAILURE), true, false),
            (Some(Notify::SUCCESS.and(Notify::DELAY)), false, true),
        ] {
            let (mut params, mut report) = (RcptParams::default(), report(&[("a@x", Outcome::Unsent, None)]));
            params.notify = notify;
            let to = vec![("a@x".parse().unwrap(), params)];
            report.envelope = Envelope::with_recipients(ReversePath::Null, to).unwrap();
            let given_up = report.delivery_status_after_giving_up("mx", Uncertain::Leave);
            let late = report.delay_status("mx", Uncertain::Leave);
            report.recipients[0].outcome = Outcome::Permanent;
            let refused = report.delivery_status("mx");
            assert_eq!([given_up, refused, late].map(|part| part.is_some()), [failed, failed, delayed], "{notify:?}");
        }
    }

    /// What is retried, what is delayed and what is given up are the same people.
    #[test]
    fn who_waits_is_who_is_sent_to_again() {
        let report = one_of_each();
        for uncertain in [Uncertain::Resend, Uncertain::Leave] {
            let again = report.retry(uncertain).unwrap();
            let again: Vec<_> = again.recipients().iter().map(|(path, _)| path.to_string()).collect();
            let waiting: Vec<_> = report.waiting(uncertain).map(|recipient| recipient.path().to_string()).collect();
            assert_eq!(again, waiting);
            assert_eq!(report.failures_after_giving_up(uncertain).count(), report.failures().count() + waiting.len());
        }
    }

    #[test]
    fn without_a_failure_there_is_nothing_to_say() {
        let uncertain = report(&[("bob@x", Outcome::Uncertain, None)]);
        assert!(uncertain.delivery_status("x").is_none());
        assert!(uncertain.delivery_status_after_giving_up("x", Uncertain::Leave).is_none());
        assert!(uncertain.delay_status("x", Uncertain::Leave).is_none());
        let refused = report(&[("bob@x", Outcome::Permanent, None)]);
        assert!(refused.delay_status("x", Uncertain::Resend).is_none());
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
