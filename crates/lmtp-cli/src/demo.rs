//! `lmtp demo`: one message, three recipients, three outcomes, and why.
//!
//! All of it is real: the server of `lmtp serve` on Maildirs in a temporary
//! directory, a Unix socket, and the client that `lmtp send` uses.

mod annotate;
mod place;
mod server;
mod stage;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lmtp_blocking::proto::client::Use;
use lmtp_blocking::{Client, Config, Endpoint, Envelope, Fault, FaultKind, Line, Outcome, Phase, Report, Timeouts};
use serde::Serialize;

use crate::args::Demo;
use crate::console::Console;
use crate::exit::Exit;
use crate::json;
use annotate::{Annotated, annotate};
use place::Place;
use server::{Kept, Server};

/// A recipient of the play.
#[derive(Debug, Clone, Copy)]
struct Role {
    address: &'static str,
    outcome: Outcome,
    /// What a mail system has to do, and the rule that says so.
    duty: &'static str,
}

const FROM: &str = "ann@example.org";

/// The three recipients of the example in RFC 2033 section 4.2.
const ROLES: [Role; 3] = [
    Role {
        address: "bob@example.org",
        outcome: Outcome::Delivered,
        duty: "Done. The server has taken responsibility for this recipient (RFC 2033 4.2).",
    },
    Role {
        address: "nobody@example.org",
        outcome: Outcome::Permanent,
        duty: "Send the bounce now. The same request would fail again (RFC 5321 4.2.1).",
    },
    Role {
        address: "full@example.org",
        outcome: Outcome::Temporary,
        duty: "Keep the message for this recipient alone, and try later (RFC 5321 4.5.4.1).",
    },
];

/// Dots at the start of a line are doubled on the way, and nobody notices.
const MESSAGE: &str = "\
From: Ann <ann@example.org>\r\n\
To: Bob <bob@example.org>, nobody@example.org, full@example.org\r\n\
Subject: Lunch?\r\n\
Date: Tue, 01 Oct 1996 11:45:00 +0000\r\n\
Message-ID: <lunch@example.org>\r\n\
\r\n\
At noon, as always.\r\n\
...unless it rains.\r\n";

/// Plays the demonstration.
pub(crate) fn run(args: &Demo) -> Exit {
    let (scene, differs) = match play() {
        Ok(scene) => {
            let differs = scene.differs();
            (Some(scene), differs)
        }
        Err(why) => (None, Some(why)),
    };
    match (&scene, args.json) {
        (Some(scene), true) => json::print(&scene.in_json()),
        (Some(scene), false) => stage::show(scene),
        (None, true) => json::print(&json::Failure { error: no_stage(differs.as_deref()) }),
        (None, false) => {}
    }
    match differs {
        None => Exit::Done,
        Some(why) => {
            Console::new().error(&format!("this did not go as scripted: {why}"));
            Exit::NotAsScripted
        }
    }
}

fn no_stage(why: Option<&str>) -> json::Problem {
    let message = why.unwrap_or_default().to_owned();
    json::Problem { kind: FaultKind::Connect.name(), phase: Some(Phase::Connect.name()), message }
}

/// What happened.
#[derive(Debug)]
struct Scene {
    endpoint: Endpoint,
    lines: Vec<Line>,
    report: Report,
    /// What the server has kept, or why it stopped.
    kept: Result<Kept, String>,
}

#[derive(Debug, Serialize)]
struct SceneInJson {
    as_scripted: bool,
    conversation: Vec<Annotated>,
    result: json::Sent,
    /// The files that were written, beneath the directory with the mailboxes.
    files: Vec<String>,
    /// What a mail system has to do for each recipient.
    duties: Vec<&'static str>,
}

/// Sends the message to a server of our own.
fn play() -> Result<Scene, String> {
    let place = Place::new().map_err(|error| format!("no temporary directory: {error}"))?;
    let endpoint = place.endpoint().map_err(|error| format!("no temporary socket: {error}"))?;
    let server = Server::start(&place)?;
    wait_for(&place);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let report = send(&endpoint, &lines).map_err(|fault| fault.message().to_owned());
    let kept = server.end();
    let lines = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Scene { endpoint, lines, report: report?, kept })
}

/// The server makes its socket when it listens. Who cannot wait any longer finds out why by connecting.
fn wait_for(place: &Place) {
    let patience = Instant::now() + Duration::from_secs(5);
    while !place.join("lmtp").exists() && Instant::now() < patience {
        thread::sleep(Duration::from_millis(1));
    }
}

fn send(endpoint: &Endpoint, lines: &Arc<Mutex<Vec<Line>>>) -> Result<Report, Fault> {
    let broken = |error: &dyn std::fmt::Display| Fault::new(FaultKind::Usage, Phase::Connect, error.to_string());
    let to = ROLES.iter().map(|role| role.address.parse()).collect::<Result<Vec<_>, _>>();
    let from: lmtp_blocking::ReversePath = FROM.parse().map_err(|error| broken(&error))?;
    let envelope = Envelope::new(from, to.map_err(|error| broken(&error))?).map_err(|error| broken(&error))?;
    let lines = Arc::clone(lines);
    // Told the size, the server would refuse the full mailbox at RCPT already.
    let mut config = Config::default();
    config.extensions.size = Use::Forbid;
    let mut client = Client::builder(endpoint.clone())
        .map_err(|error| broken(&error))?
        .config(config)
        .timeouts(Timeouts::interactive())
        .on_line(move |line| lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone()))
        .connect()?;
    let mut report = client.deliver(&envelope, MESSAGE).map_err(|error| broken(&error))?;
    if let Err(fault) = client.quit() {
        report.warn(fault.message());
    }
    Ok(report)
}

impl Scene {
    fn conversation(&self) -> Vec<Annotated> {
        annotate(&self.lines)
    }

    /// What is not as scripted, if anything is.
    fn differs(&self) -> Option<String> {
        for (recipient, role) in self.report.recipients().zip(ROLES) {
            if recipient.outcome() != role.outcome {
                return Some(format!("{recipient}, but {} was to be expected", role.outcome));
            }
        }
        match &self.kept {
            Err(why) => Some(format!("the server stopped: {why}")),
            Ok(kept) if !kept.text.ends_with(&MESSAGE.replace("\r\n", "\n")) => {
                Some("the server has kept another message".into())
            }
            Ok(_) => self.report.warnings().first().cloned(),
        }
    }

    fn in_json(&self) -> SceneInJson {
        SceneInJson {
            as_scripted: self.differs().is_none(),
            conversation: self.conversation(),
            result: json::Sent::new(&self.endpoint, &self.report),
            files: self.kept.iter().map(|kept| kept.file.clone()).collect(),
            duties: ROLES.map(|role| role.duty).into(),
        }
    }
}
