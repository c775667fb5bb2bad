//! `lmtp send`: one message, and an answer for every recipient.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anstyle::Style;
use lmtp_blocking::proto::Escaped;
use lmtp_blocking::{
    Capabilities, Envelope, Fault, FaultKind, Outcome, Phase, Pipelining, RecipientReport, Report, Timeouts,
};

use crate::args::Send;
use crate::console::{self, styled};
use crate::exit::Exit;
use crate::message::Message;
use crate::session::Session;
use crate::waiting::{Progress, Waiting};
use crate::{hint, json};

/// Sends the message that the command line describes.
pub(crate) fn run(args: &Send) -> Exit {
    let session = Session::new(&args.dial, patient());
    let envelope = match Envelope::new(args.from.clone(), args.to.iter().cloned()) {
        Ok(envelope) => envelope,
        Err(error) => {
            session.console.error(&error.to_string());
            return Exit::Usage;
        }
    };
    let report = match Message::of(args, &session) {
        Ok(message) => deliver(args, &session, &envelope, message),
        Err(fault) => Report::unsent(envelope, fault),
    };
    if args.dial.json {
        match report.error().filter(|fault| fault.kind() == FaultKind::Usage) {
            Some(fault) => json::print(&json::Failure::usage(fault.message())),
            None => json::print(&json::Sent::new(&session.endpoint, &report)),
        }
    } else {
        print(&session, &report);
    }
    Exit::of_report(&report)
}

/// A mail system has time, and a delivery may take some: RFC 5321
/// section 4.5.3.2, but where nobody answers at all it is sooner known.
fn patient() -> Timeouts {
    let mut timeouts = Timeouts::all(Duration::from_secs(60));
    timeouts.connect = Duration::from_secs(10);
    timeouts.body = Duration::from_secs(3 * 60);
    timeouts.final_reply = Duration::from_secs(10 * 60);
    timeouts
}

fn deliver(args: &Send, session: &Session<'_>, envelope: &Envelope, message: Message<'_>) -> Report {
    let progress = Arc::new(Progress::default());
    let _status_line = Waiting::on(session, &progress);
    let mut message = message.into_body(session, &progress);
    if let Err(fault) = message.look_through(args.line_endings.into()) {
        return Report::unsent(envelope.clone(), fault);
    }
    let connected = session.builder().and_then(|builder| {
        let pipelining = if args.no_pipelining { Pipelining::Off } else { Pipelining::Auto };
        let (endings, eight_bit) = (args.line_endings.into(), args.eight_bit.into());
        builder.line_endings(endings).eight_bit(eight_bit).pipelining(pipelining).connect()
    });
    let mut client = match connected {
        Ok(client) => client,
        Err(fault) => return Report::unsent(envelope.clone(), session.explain(fault)),
    };
    let smtputf8 = client.capabilities().is_some_and(Capabilities::smtputf8);
    let mut report = match client.deliver(envelope, message.for_server(smtputf8)) {
        Ok(report) => report,
        // Not on a session that has just opened.
        Err(misuse) => {
            let fault = Fault::new(FaultKind::Closed, Phase::Mail, misuse.to_string());
            return Report::unsent(envelope.clone(), fault.at(&session.endpoint));
        }
    };
    report.explain(|fault| session.explain(fault));
    if report.error().is_none() && args.body.is_none() && progress.octets.load(Ordering::Relaxed) == 0 {
        report.warn("the message was empty");
    }
    if let Err(fault) = client.quit() {
        report.warn(session.explain(fault).message());
    }
    report
}

fn print(session: &Session<'_>, report: &Report) {
    // Where nothing was tried there is nothing to tell of anybody.
    if report.error().is_none_or(|fault| fault.kind() != FaultKind::Usage) {
        for recipient in report.recipients() {
            console::result(&coloured(recipient));
        }
    }
    for warning in report.warnings() {
        session.console.warning(warning);
    }
    if report.recipients().any(|recipient| hint::eight_bit_refused_here(&recipient)) {
        session.console.hint("--eight-bit send sends it all the same; most servers take it");
    }
    if let Some(fault) = report.error() {
        session.tell(fault);
    }
}

/// The line of a recipient, its outcome in colour. The address is the user's
/// own, but may have been pasted from anywhere.
fn coloured(recipient: RecipientReport<'_>) -> String {
    let escaped = |text: String| Escaped(text.as_bytes()).to_string();
    let (line, address) = (escaped(recipient.to_string()), escaped(format!("{}: ", recipient.path())));
    let outcome = recipient.outcome();
    match line.strip_prefix(&address).and_then(|rest| rest.strip_prefix(outcome.name())) {
        Some(rest) => format!("{address}{}{rest}", styled(colour(outcome), outcome)),
        None => line,
    }
}

/// Green is done, red is lost, yellow is still to be served.
pub(crate) fn colour(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Delivered => console::GOOD,
        Outcome::Permanent => console::BAD,
        Outcome::Temporary | Outcome::Uncertain | Outcome::Unsent => console::OPEN,
    }
}
