//! Clients: ours, and those of others. Each has a script, its adapter, that says in JSON what it came to know.

mod exim;
mod postfix;

use std::path::Path;

use anyhow::Result;

use super::ours::our_version;
use super::theirs::script;
use super::{Running, Target};
use crate::interop::program::Program;
use crate::interop::{Availability, Peer as _, nodemailer, python, swaks};
use crate::process;

pub(super) use exim::Exim;
pub(super) use postfix::Postfix;

/// `lmtp send`.
pub(super) struct Send;

impl Target for Send {
    fn name(&self) -> &'static str {
        "lmtp-send"
    }

    fn title(&self) -> &'static str {
        "lmtp send"
    }

    fn is_ours(&self) -> bool {
        true
    }

    fn obtain(&self) -> Result<Availability> {
        Ok(Availability::Ready)
    }

    fn version(&self, program: &Program) -> Result<String> {
        our_version(program)
    }

    fn start(&self, program: &Program) -> Result<Running> {
        let program = quoted(program.path());
        let template =
            format!("{program} send {{url}} --from {{from}} --to {{to*}}... --json --timeout {{timeout}} {{file}}");
        Ok(Running::client(&template, || Ok(())))
    }
}

/// `lmtp deliver`, which is lmtp-delivery as a command.
pub(super) struct Deliver;

impl Target for Deliver {
    fn name(&self) -> &'static str {
        "lmtp-deliver"
    }

    fn title(&self) -> &'static str {
        "lmtp deliver"
    }

    fn is_ours(&self) -> bool {
        true
    }

    fn obtain(&self) -> Result<Availability> {
        Ok(Availability::Ready)
    }

    fn version(&self, program: &Program) -> Result<String> {
        our_version(program)
    }

    fn start(&self, program: &Program) -> Result<Running> {
        let (script, program) = (quoted(&script("lmtp_deliver.sh")), quoted(program.path()));
        Ok(Running::client(&format!("sh {script} {program} {{host}} {{port}} {{timeout}} {{from}} {{to*}}"), || Ok(())))
    }
}

/// Python's `smtplib.LMTP`.
pub(super) struct Smtplib;

impl Target for Smtplib {
    fn name(&self) -> &'static str {
        "smtplib"
    }

    fn title(&self) -> &'static str {
        "smtplib"
    }

    fn obtain(&self) -> Result<Availability> {
        python::Python.obtain()
    }

    /// Python's.
    fn version(&self, _: &Program) -> Result<String> {
        last_word("python3")
    }

    fn start(&self, _: &Program) -> Result<Running> {
        Ok(by_script("python3 -B", "smtplib_send.py"))
    }
}

pub(super) struct Swaks;

impl Target for Swaks {
    fn name(&self) -> &'static str {
        "swaks"
    }

    fn title(&self) -> &'static str {
        "swaks"
    }

    fn obtain(&self) -> Result<Availability> {
        if let missing @ Availability::Missing(_) = python::Python.obtain()? {
            return Ok(missing);
        }
        swaks::Swaks.obtain()
    }

    fn version(&self, _: &Program) -> Result<String> {
        last_word("swaks")
    }

    fn start(&self, _: &Program) -> Result<Running> {
        Ok(by_script("python3 -B", "swaks_send.py"))
    }
}

pub(super) struct Nodemailer;

impl Target for Nodemailer {
    fn name(&self) -> &'static str {
        "nodemailer"
    }

    fn title(&self) -> &'static str {
        "nodemailer"
    }

    fn obtain(&self) -> Result<Availability> {
        nodemailer::Nodemailer.obtain()
    }

    fn version(&self, _: &Program) -> Result<String> {
        Ok(nodemailer::VERSION.to_owned())
    }

    fn start(&self, _: &Program) -> Result<Running> {
        let modules = quoted(&nodemailer::store("nodemailer").join("node_modules"));
        Ok(by_script(&format!("env NODE_PATH={modules} node"), "nodemailer_send.cjs"))
    }
}

/// A script that takes the place, the time, the envelope and the message.
fn by_script(interpreter: &str, name: &str) -> Running {
    let script = quoted(&script(name));
    let template = format!("{interpreter} {script} {{host}} {{port}} {{timeout}} {{from}} {{file}} {{to*}}");
    Running::client(&template, || Ok(()))
}

/// A path as a word of a template.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

/// The number in the first line of what a program says of itself.
fn last_word(program: &str) -> Result<String> {
    let said = process::capture(process::command(program).arg("--version"))?;
    Ok(said.lines().next().and_then(|line| line.split_whitespace().last()).unwrap_or_default().to_owned())
}
