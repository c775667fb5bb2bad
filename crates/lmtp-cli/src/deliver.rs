//! `lmtp deliver`: a message on standard input, as mail systems call a delivery agent.
//!
//! The caller has a queue, and this program has none: whatever goes wrong here, from a wrong option to a panic, is
//! "try again later". Only a server's own 5yz is for good.

use std::env;
use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use lmtp_blocking::proto::Escaped;
use lmtp_blocking::{Envelope, ForwardPath, Origin, Outcome, Reply, ReversePath};
use lmtp_delivery::{Cancel, Delivery, Message, Options, RecipientReport, Report};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::console::{self, Console};
use crate::exit::Exit;
use crate::json;

/// More of a message is kept in a file.
const MEMORY: u64 = 1024 * 1024;

/// Deliver a message from standard input, as mail systems call a delivery agent.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Deliver {
    /// Where mail goes: a TOML file with the options of a target, or with several targets and routes.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// The sender; '' or '<>' for none. Without it, what SENDER in the environment says.
    #[arg(long, short = 'f', value_name = "ADDRESS", allow_hyphen_values = true)]
    from: Option<String>,

    /// A folder of the recipient, if the target has a delimiter for it.
    #[arg(long, value_name = "NAME")]
    folder: Option<String>,

    /// Take more than one recipient, of whom one exit code tells.
    #[arg(
        long,
        long_help = "Take more than one recipient. There is one exit code for all of them: if one has to wait, the mail \
                     system sends to all again. Better let it call once for each: in Postfix by \
                     TRANSPORT_destination_recipient_limit = 1"
    )]
    many: bool,

    /// Print one JSON object instead of lines.
    #[arg(long)]
    json: bool,

    /// The recipient. Without it, what RECIPIENT in the environment says.
    #[arg(value_name = "ADDRESS")]
    to: Vec<String>,
}

/// Delivers, and says what became of it.
pub(crate) fn run(args: &Deliver) -> Exit {
    match deliver(args) {
        Ok(report) => {
            if args.json {
                json::print(&Told::from(&report));
            } else {
                tell(&report);
            }
            exit(&report)
        }
        Err(why) => refuse(&why, args.json),
    }
}

/// Something is wrong here. The mail system keeps the message, and its operator reads why.
pub(crate) fn refuse(why: &str, json: bool) -> Exit {
    if json {
        json::print(&json::Failure::usage(why));
    } else {
        console::result(&format!("4.3.5 {}", line(why)));
    }
    Exit::TryLater
}

fn deliver(args: &Deliver) -> Result<Report, String> {
    let envelope = envelope(args)?;
    let delivery = configured(&args.config)?;
    if io::stdin().is_terminal() {
        Console::new().note("reading the message from the terminal; end it with Ctrl-D");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let delivered = runtime.block_on(hand_over(args, &envelope, &delivery));
    // Standard input may still be read: nobody waits for that.
    runtime.shutdown_background();
    delivered
}

async fn hand_over(args: &Deliver, envelope: &Envelope, delivery: &Delivery) -> Result<Report, String> {
    let cancel = Cancel::new();
    let signals = || Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?));
    let (mut terminate, mut interrupt) = signals().map_err(|error: io::Error| error.to_string())?;
    let heard = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let mut heard = std::pin::pin!(heard);
    let read = tokio::task::spawn_blocking(|| message(io::stdin().lock()));
    let message = tokio::select! {
        read = read => read.map_err(io::Error::other).and_then(|read| read),
        () = &mut heard => return Err("stopped by a signal".into()),
    };
    let message = message.map_err(|error| format!("cannot read the message: {error}"))?;
    let folders = vec![args.folder.as_deref(); envelope.recipients().len()];
    let mut delivering = std::pin::pin!(delivery.deliver_with(envelope, message, &folders, &cancel));
    let report = tokio::select! {
        report = &mut delivering => report,
        () = &mut heard => {
            cancel.cancel();
            delivering.await
        }
    };
    delivery.close().await;
    Ok(report)
}

fn configured(file: &Path) -> Result<Delivery, String> {
    let said = |why: String| format!("{}: {why}", file.display());
    let text = fs::read_to_string(file).map_err(|error| said(error.to_string()))?;
    let options = Options::parse(&text).map_err(|error| said(error.to_string()))?;
    Delivery::new(&options).map_err(|problem| said(problem.to_string()))
}

/// From the arguments, else from the environment as mail systems set it.
fn envelope(args: &Deliver) -> Result<Envelope, String> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let from = match args.from.clone().or_else(|| set("SENDER")) {
        None => ReversePath::Null,
        // Postfix has MAILER-DAEMON for the sender of a bounce, unless null_sender is empty.
        Some(from) if from == "MAILER-DAEMON" => ReversePath::Null,
        Some(from) => from.parse().map_err(|error| format!("the sender {from:?}: {error}"))?,
    };
    let to = if args.to.is_empty() { set("RECIPIENT").into_iter().collect() } else { args.to.clone() };
    let to = to.iter().map(|to| to.parse::<ForwardPath>().map_err(|error| format!("the recipient {to:?}: {error}")));
    let to = to.collect::<Result<Vec<_>, _>>()?;
    match to.len() {
        0 => return Err("there is no recipient, neither as an argument nor as RECIPIENT in the environment".into()),
        1 => {}
        count if !args.many => {
            return Err(format!("{count} recipients, and one exit code: call it for each of them, or with --many"));
        }
        _ => {}
    }
    Envelope::new(from, to).map_err(|error| error.to_string())
}

/// All of the message, before anybody is connected to: a mail system that dies amid it has sent nothing. The
/// line that begins a message in an mbox is no part of it.
fn message(mut from: impl io::Read) -> io::Result<Message> {
    let mut beginning = Vec::new();
    from.by_ref().take(MEMORY).read_to_end(&mut beginning)?;
    if beginning.starts_with(b"From ") {
        let end = beginning.iter().position(|octet| *octet == b'\n').map_or(beginning.len(), |end| end + 1);
        beginning.drain(..end);
    }
    let mut next = [0];
    if from.read(&mut next)? == 0 {
        return Ok(beginning.into());
    }
    let mut file = tempfile::tempfile()?;
    file.write_all(&beginning)?;
    file.write_all(&next)?;
    io::copy(&mut from, &mut file)?;
    file.rewind()?;
    Ok(Message::file(file))
}

/// A line for each recipient, those first that decide the exit code: mail systems read the beginning.
fn tell(report: &Report) {
    let mut recipients: Vec<RecipientReport<'_>> = report.recipients().collect();
    recipients.sort_by_key(|recipient| match recipient.outcome() {
        Outcome::Delivered => 2,
        Outcome::Permanent if is_for_good(recipient) => 1,
        _ => 0,
    });
    let several = recipients.len() > 1;
    for recipient in recipients {
        let said = said(&recipient);
        if several {
            console::result(&format!("{said} ({})", line(&recipient.path().to_string())));
        } else {
            console::result(&said);
        }
    }
}

/// An enhanced code, and words.
fn said(recipient: &RecipientReport<'_>) -> String {
    let reply = recipient.reply();
    let code = match (reply.and_then(Reply::enhanced), recipient.outcome()) {
        // What was refused here for good is kept all the same.
        (Some(code), Outcome::Permanent) if !is_for_good(recipient) => {
            format!("4.{}.{}", code.subject(), code.detail())
        }
        (Some(code), _) => code.to_string(),
        (None, Outcome::Delivered) => "2.0.0".into(),
        (None, Outcome::Permanent) if is_for_good(recipient) => "5.0.0".into(),
        (None, Outcome::Temporary | Outcome::Permanent) => "4.0.0".into(),
        (None, Outcome::Uncertain) => "4.4.2".into(),
        (None, Outcome::Unsent) => "4.4.1".into(),
    };
    let words = match (reply, recipient.error()) {
        (Some(reply), _) => reply.text().into_owned(),
        (None, Some(error)) => error.to_owned(),
        (None, None) => format!("stopped at {}", recipient.phase()),
    };
    format!("{code} {}", line(&words))
}

/// One line, safe to print.
fn line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    Escaped(words.join(" ").as_bytes()).to_string()
}

/// Whether a server has refused it for good.
fn is_for_good(recipient: &RecipientReport<'_>) -> bool {
    recipient.outcome() == Outcome::Permanent && recipient.origin() == Some(Origin::Peer)
}

fn exit(report: &Report) -> Exit {
    if report.all_delivered() {
        Exit::Done
    } else if report.recipients().all(|recipient| recipient.outcome() == Outcome::Delivered || is_for_good(&recipient))
    {
        Exit::Refused
    } else {
        Exit::TryLater
    }
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Told {
    from: String,
    all_delivered: bool,
    recipients: Vec<ToldRecipient>,
}

/// As `lmtp send` has it, and who was asked last.
#[derive(Debug, Serialize)]
struct ToldRecipient {
    #[serde(flatten)]
    answer: json::ForRecipient,
    target: Option<String>,
    error: Option<String>,
}

impl From<&Report> for Told {
    fn from(report: &Report) -> Self {
        let recipients = report.recipients().map(|told| ToldRecipient {
            answer: told.into(),
            target: told.target().map(str::to_owned),
            error: told.error().map(str::to_owned),
        });
        Self {
            from: report.from().to_string(),
            all_delivered: report.all_delivered(),
            recipients: recipients.collect(),
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  lmtp deliver --config /etc/lmtp-deliver.toml --from ann@example.org bob@example.org < message.eml

  /etc/lmtp-deliver.toml:
    socket_path = \"/run/dovecot/lmtp\"

  Postfix, master.cf, with mail_destination_recipient_limit = 1 in main.cf:
    mail unix - n n - 10 pipe
      user=nobody null_sender= argv=lmtp deliver --config /etc/lmtp-deliver.toml --from ${sender} -- ${recipient}
  OpenSMTPD:
    action \"mail\" mda \"lmtp deliver --config /etc/lmtp-deliver.toml\" virtual <everybody>

Standard output begins with an enhanced status code and the server's words, which mail systems read.

Exit codes:
   0  delivered
  69  a server has refused it for good
  75  try again later: it is refused for now, no server has answered, or anything is wrong here, from the command \
line to the configuration";

#[cfg(test)]
mod tests {
    use super::*;

    fn args(to: &[&str], many: bool) -> Deliver {
        let to = to.iter().map(|to| (*to).to_owned()).collect();
        Deliver { config: PathBuf::new(), from: Some("<>".into()), folder: None, many, json: false, to }
    }

    #[test]
    fn more_than_one_recipient_has_to_be_asked_for() {
        assert_eq!(envelope(&args(&["a@x"], false)).unwrap().recipients().len(), 1);
        assert!(envelope(&args(&["a@x", "b@x"], false)).unwrap_err().contains("--many"));
        assert_eq!(envelope(&args(&["a@x", "b@x"], true)).unwrap().recipients().len(), 2);
        assert!(envelope(&args(&["a b@x"], false)).unwrap_err().contains("the recipient \"a b@x\""));
    }

    #[test]
    fn the_line_of_an_mbox_is_no_part_of_the_message() {
        for (input, kept) in
            [("From ann Mon\nSubject: x\n", "Subject: x\n"), ("From: ann\n", "From: ann\n"), ("", ""), ("From x", "")]
        {
            let message = message(input.as_bytes()).unwrap();
            assert_eq!(format!("{message:?}"), format!("{:?}", Message::from(kept)));
        }
    }
}
