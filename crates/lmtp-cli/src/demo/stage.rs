//! The demonstration as it is shown: the conversation, then the outcomes.

use lmtp_blocking::RecipientReport;

use super::annotate::Annotated;
use super::{ROLES, Role, Scene};
use crate::console::{self, FAINT, HEAD, styled};
use crate::send::colour;

pub(super) fn show(scene: &Scene) {
    say(&styled(HEAD, "LMTP: one message, three recipients, and an answer for each of them."));
    say("");
    say("C: is the client, S: the server. Beside each line stands the rule that it follows.");
    show_conversation(&scene.conversation());
    say("");
    say(&styled(HEAD, "What became of it, and what a mail system has to do now:"));
    for (recipient, role) in scene.report.recipients().zip(ROLES) {
        say("");
        show_outcome(recipient, role);
    }
    if let Ok(kept) = &scene.kept {
        say("");
        say(&styled(HEAD, "What is on disk now, with what the server has written above the message:"));
        say("");
        say(&format!("  {}", kept.file));
        for line in kept.text.lines().take_while(|line| !line.starts_with("From: ")) {
            say(&format!("  {}", styled(FAINT, line)));
        }
    }
    say("");
    say("SMTP has a single reply after the message, so its server has to keep a queue for the others.");
    say("LMTP answers for every recipient, so the queue stays where it was: with the client (RFC 2033 3).");
    say("");
    say(&styled(HEAD, "Now with a server of yours:"));
    say("  lmtp probe unix:/run/dovecot/lmtp");
    say("  lmtp send unix:/run/dovecot/lmtp --from ann@example.org --to bob@example.org message.eml");
    say("");
    say(&styled(HEAD, "Or with this one:"));
    say("  lmtp serve --listen unix:/tmp/lmtp --maildir /tmp/mail --create");
}

/// In columns, with a space before each round trip: the client speaks until it
/// has to wait.
fn show_conversation(conversation: &[Annotated]) {
    let width = |text: fn(&Annotated) -> usize| conversation.iter().map(text).max().unwrap_or_default();
    let (lines, rules) = (width(|note| note.line.len()), width(|note| note.rule.len()));
    let mut waited = true;
    for Annotated { line, rule, meaning } in conversation {
        let client = line.starts_with("C:");
        if waited && (client || line == &conversation[0].line) {
            say("");
        }
        waited = !client;
        say(&format!("  {line:lines$}  {}", styled(FAINT, format!("{rule:rules$}  {meaning}"))));
    }
}

fn show_outcome(recipient: RecipientReport<'_>, role: Role) {
    let outcome = recipient.outcome();
    let reply = recipient.reply().map(ToString::to_string).unwrap_or_default();
    // Padded before it is coloured: what colours is no wider for being there.
    let shown = styled(colour(outcome), format!("{:<9}", outcome.name()));
    say(&format!("  {:<18}  {shown}  {reply}", role.address));
    say(&format!("  {:<18}  {}", "", role.duty));
}

fn say(line: &str) {
    console::result(&line);
}
