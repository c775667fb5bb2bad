//! `lmtp probe`: what a server says and offers.

use std::sync::Arc;

use lmtp_blocking::proto::Escaped;
use lmtp_blocking::proto::value::Capabilities;
use lmtp_blocking::{Builder, Fault, Timeouts};
use lmtp_gateway::explain;

use crate::args::Probe;
use crate::console::{self, FAINT, GOOD, HEAD, styled};
use crate::exit::Exit;
use crate::json;
use crate::session::Session;
use crate::waiting::{Progress, Waiting};

/// Asks the server that the command line names.
pub(crate) fn run(args: &Probe) -> Exit {
    let session = Session::new(&args.dial, Timeouts::interactive()).with_starttls(args.starttls_required);
    let mut warnings = Vec::new();
    let found = ask(&session, &mut warnings);
    if args.dial.json {
        json::print(&in_json(&session, &found, warnings));
    } else {
        for warning in &warnings {
            session.console.warning(warning);
        }
        match &found {
            Ok(capabilities) => print(&session, capabilities),
            Err(fault) => session.tell(fault),
        }
    }
    match &found {
        Ok(_) => Exit::Done,
        Err(fault) => Exit::of_probe(fault),
    }
}

/// What the server offers, or why the session did not open. A server that does
/// not take leave is worth no more than a warning.
fn ask(session: &Session<'_>, warnings: &mut Vec<String>) -> Result<Capabilities, Fault> {
    let _status_line = Waiting::on(session, &Arc::new(Progress::default()));
    let client = session.builder().and_then(Builder::connect).map_err(|fault| session.explain(fault))?;
    let capabilities = client.capabilities().cloned();
    if let Err(fault) = client.quit() {
        warnings.push(session.explain(fault).message().into());
    }
    // An open session has them.
    Ok(capabilities.expect("LHLO was answered"))
}

fn in_json(session: &Session<'_>, found: &Result<Capabilities, Fault>, warnings: Vec<String>) -> json::Probed {
    let capabilities = found.as_ref().ok();
    json::Probed {
        endpoint: session.endpoint.to_string(),
        lmtp: capabilities.is_some(),
        greeting: session.greeting().map(|greeting| greeting.text().into_owned()),
        server: capabilities.map(|capabilities| capabilities.server().to_owned()),
        capabilities: capabilities.map(announced).unwrap_or_default(),
        warnings,
        error: found.as_ref().err().map(json::Problem::from),
    }
}

/// The extension lines, as the server wrote them.
fn announced(capabilities: &Capabilities) -> Vec<String> {
    capabilities.extensions().map(|extension| extension.as_str().to_owned()).collect()
}

fn print(session: &Session<'_>, capabilities: &Capabilities) {
    console::result(&format!("{} {}", styled(HEAD, &session.endpoint), styled(GOOD, "speaks LMTP")));
    if let Some(greeting) = session.greeting() {
        console::result(&format!("  greeting   {greeting}"));
    }
    console::result(&format!("  server     {}", Escaped(capabilities.server().as_bytes())));
    let lines = capabilities.extensions();
    let lines: Vec<_> = lines.map(|line| (Escaped(line.as_str().as_bytes()).to_string(), line.keyword())).collect();
    let width = lines.iter().map(|(line, _)| line.len()).filter(|width| *width <= 32).max().unwrap_or_default();
    for (index, (line, keyword)) in lines.iter().enumerate() {
        let label = if index == 0 { "offers" } else { "" };
        let meaning = explain::capability(keyword).map(|known| match known.rfc {
            Some(rfc) => format!("{} (RFC {rfc})", known.meaning),
            None => known.meaning.to_owned(),
        });
        let meaning = meaning.map(|meaning| styled(FAINT, meaning)).unwrap_or_default();
        console::result(&format!("  {label:<9}  {line:<width$}  {meaning}").trim_end());
    }
    if lines.is_empty() {
        console::result(&"  offers     nothing");
    }
}
