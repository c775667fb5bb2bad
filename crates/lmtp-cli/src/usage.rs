//! What is said about a command line that is wrong.

use std::error::Error as _;
use std::ffi::OsStr;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use lmtp_blocking::proto::Escaped;

use crate::console::Console;
use crate::deliver;
use crate::exit::Exit;
use crate::json;

/// Prints help that was asked for, or what is wrong.
pub(crate) fn report(error: &clap::Error) -> Exit {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A closed standard output is no failure of ours.
        let _ = error.print();
        return Exit::Done;
    }
    let is_json = std::env::args_os().any(|argument| argument == OsStr::new("--json"));
    let message = || explain(error).unwrap_or_else(|| in_clap_s_words(error).join("\n"));
    // A mail system calls it with what its operator has written: mail waits until he has mended that.
    if std::env::args_os().nth(1).is_some_and(|command| command == OsStr::new("deliver")) {
        return deliver::refuse(&message(), is_json);
    }
    if is_json {
        json::print(&json::Failure::usage(&message()));
    } else if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
    } else {
        let console = Console::new();
        console.error(&message());
        console.hint("--help shows what can be asked, with examples");
    }
    Exit::Usage
}

/// A value that cannot be: the flag, and why. The value is quoted in the reason,
/// made safe to print.
fn explain(error: &clap::Error) -> Option<String> {
    let (ErrorKind::ValueValidation, Some(ContextValue::String(flag)), Some(reason)) =
        (error.kind(), error.get(ContextKind::InvalidArg), error.source())
    else {
        return None;
    };
    Some(format!("{flag}: {reason}"))
}

/// The lines before the summary of usage, without anything that a terminal would
/// obey: they quote the command line.
fn in_clap_s_words(error: &clap::Error) -> Vec<String> {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let lines = text.lines().take_while(|line| !line.starts_with("Usage:"));
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    lines.map(|line| Escaped(line.as_bytes()).to_string()).collect()
}
