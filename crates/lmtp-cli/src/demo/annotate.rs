//! The conversation, each line beside the rule that it follows.

use std::collections::VecDeque;

use lmtp_blocking::Line;
use serde::Serialize;

/// A line of the conversation, the rule, and what it says here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Annotated {
    pub(super) line: String,
    pub(super) rule: &'static str,
    pub(super) meaning: String,
}

/// What a reply is due for. Replies carry no name: the next one answers what
/// was sent first and not yet answered (RFC 2920 section 3.1). To keep count is
/// all that a client has to do, and what so many get wrong.
#[derive(Debug)]
enum Due {
    Greeting,
    Lhlo,
    Mail,
    Rcpt(String),
    Data,
    Final(String),
    Quit,
}

/// Sets the rule beside each line.
pub(super) fn annotate(lines: &[Line]) -> Vec<Annotated> {
    let mut due = VecDeque::from([Due::Greeting]);
    let mut accepted = Vec::new();
    let mut annotated = Vec::new();
    for line in lines {
        let mut note = |rule, meaning: String| {
            for line in line.to_string().lines() {
                let meaning = if meaning.is_empty() { offer(line) } else { (rule, meaning.clone()) };
                annotated.push(Annotated { line: line.into(), rule: meaning.0, meaning: meaning.1 });
            }
        };
        match line {
            Line::Command(command) => {
                let (sent, rule, meaning) = command_note(command);
                note(rule, meaning);
                due.extend(sent);
            }
            Line::Content { .. } => note("RFC 5321 4.5.2", "the message, leading dots doubled".into()),
            Line::EndOfData => {
                note("RFC 5321 4.1.1.4", "the end of it".into());
                due.extend(accepted.drain(..).map(Due::Final));
            }
            Line::Reply(reply) => {
                let answered = due.pop_front();
                let (rule, meaning) = reply_note(answered.as_ref(), reply.code().is_success());
                note(rule, meaning);
                if let Some(Due::Rcpt(address)) = answered
                    && reply.code().is_success()
                {
                    accepted.push(address);
                }
            }
            _ => {}
        }
    }
    annotated
}

fn command_note(command: &str) -> (Option<Due>, &'static str, String) {
    let verb = command.split(' ').next().unwrap_or_default();
    match verb {
        "LHLO" => (Some(Due::Lhlo), "RFC 2033 4.1", "LHLO, not EHLO: no mix-up with SMTP".into()),
        "MAIL" => (Some(Due::Mail), "RFC 2920 3.1", "one group, one write, no waiting:".into()),
        "RCPT" => {
            let address = command.split(['<', '>']).nth(1).unwrap_or_default();
            (Some(Due::Rcpt(address.into())), "RFC 5321 4.1.1.3", "one RCPT for each recipient".into())
        }
        "DATA" => (Some(Due::Data), "RFC 2920 3.1", "it ends the group".into()),
        "QUIT" => (Some(Due::Quit), "RFC 5321 4.1.1.10", "the client takes its leave".into()),
        _ => (None, "RFC 5321 4.1.1", String::new()),
    }
}

/// An empty meaning leaves the word to each line of the reply.
fn reply_note(answered: Option<&Due>, yes: bool) -> (&'static str, String) {
    let verdict = if yes { "accepted" } else { "refused" };
    match answered {
        Some(Due::Greeting) => ("RFC 5321 3.1", "the server speaks first".into()),
        Some(Due::Lhlo) => ("", String::new()),
        Some(Due::Mail) => ("RFC 5321 4.1.1.2", format!("to MAIL: {verdict}")),
        Some(Due::Rcpt(address)) => {
            let so_far = if yes { ", so far" } else { "" };
            ("RFC 5321 4.1.1.3", format!("to RCPT, {}: {verdict}{so_far}", local_part(address)))
        }
        Some(Due::Data) => ("RFC 5321 4.1.1.4", "to DATA: let the message come".into()),
        Some(Due::Final(address)) => {
            let verdict = if yes { "delivered" } else { "not delivered" };
            ("RFC 2033 4.2", format!("{}'s own reply: {verdict}", local_part(address)))
        }
        Some(Due::Quit) => ("RFC 5321 4.1.1.10", "so does the server".into()),
        None => ("", "answers nothing".into()),
    }
}

/// What a line of the reply to LHLO says.
fn offer(line: &str) -> (&'static str, String) {
    let text = line.get("S: 250-".len()..).unwrap_or_default();
    match text.split(' ').next().unwrap_or_default() {
        "PIPELINING" => ("RFC 2033 5", "required: commands may run ahead".into()),
        "ENHANCEDSTATUSCODES" => ("RFC 2033 5", "required: codes such as 5.1.1".into()),
        "8BITMIME" => ("RFC 2033 5", "recommended: 8-bit content".into()),
        "CHUNKING" => ("RFC 3030 2.1", "content may come in chunks, by BDAT".into()),
        "SMTPUTF8" => ("RFC 6531 3.1", "addresses may hold UTF-8".into()),
        "LIMITS" => ("RFC 9422 4", "how many recipients it takes".into()),
        "SIZE" => ("RFC 1870 4", "the largest message it takes".into()),
        _ => ("RFC 5321 4.1.1.1", "who it is, and what it offers:".into()),
    }
}

fn local_part(address: &str) -> &str {
    address.split('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lmtp_blocking::Reply;

    #[test]
    fn final_replies_find_their_recipients() {
        let reply = |code| Line::Reply(Reply::new(code, None, "x").unwrap());
        let command = |text: &str| Line::Command(text.into());
        let lines = [
            reply(220),
            command("RCPT TO:<a@x>"),
            command("RCPT TO:<b@x>"),
            command("RCPT TO:<c@x>"),
            reply(250),
            reply(550),
            reply(250),
            Line::EndOfData,
            reply(250),
            reply(452),
        ];
        let meanings: Vec<_> = annotate(&lines).into_iter().map(|note| note.meaning).collect();
        assert_eq!(
            meanings[4..],
            [
                "to RCPT, a: accepted, so far",
                "to RCPT, b: refused",
                "to RCPT, c: accepted, so far",
                "the end of it",
                "a's own reply: delivered",
                "c's own reply: not delivered",
            ]
        );
    }
}
