//! The command line: what can be asked of the program, and in what words.

use std::path::PathBuf;
use std::time::Duration;

use crate::conformance::Conformance;
use crate::deliver::Deliver;
use crate::gateway::Gateway;
use crate::serve::Serve;
use clap::{Args, Parser, Subcommand, ValueEnum};
use lmtp_blocking::proto::value::LhloName;
use lmtp_blocking::{EightBit, Endpoint, ForwardPath, LineEndings, ReversePath};

/// Reads the command line.
pub(crate) fn parse() -> Result<Command, clap::Error> {
    Program::try_parse().map(|program| program.command)
}

/// Speak LMTP (RFC 2033): deliver mail, and get an answer for every recipient.
#[derive(Debug, Parser)]
#[command(name = "lmtp", version, max_term_width = 100, after_help = EXAMPLES)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Probe(Probe),
    Send(Send),
    Serve(Box<Serve>),
    Deliver(Deliver),
    Gateway(Box<Gateway>),
    Conformance(Conformance),
    Demo(Demo),
}

/// Connect, print the greeting and what the server offers, and quit.
#[derive(Debug, Args)]
#[command(after_help = PROBE_EXAMPLES)]
pub(crate) struct Probe {
    #[command(flatten)]
    pub(crate) dial: Dial,

    /// Go no further unless the server offers STARTTLS and means it.
    #[arg(long)]
    pub(crate) starttls_required: bool,
}

/// Send one message and print what became of it for every recipient.
#[derive(Debug, Args)]
#[command(after_help = SEND_EXAMPLES)]
pub(crate) struct Send {
    #[command(flatten)]
    pub(crate) dial: Dial,

    /// The sender; '' or '<>' for none, as in a bounce.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) from: ReversePath,

    /// A recipient. Repeat it for more; one given twice is served twice.
    #[arg(long, value_name = "ADDRESS", required = true)]
    pub(crate) to: Vec<ForwardPath>,

    /// The message; - or nothing at all for standard input.
    #[arg(value_name = "FILE", conflicts_with_all = ["subject", "body"])]
    pub(crate) file: Option<PathBuf>,

    /// Compose a message with this subject, instead of reading one.
    #[arg(long, allow_hyphen_values = true, value_name = "TEXT", requires = "body", value_parser = one_line)]
    pub(crate) subject: Option<String>,

    /// Compose a message with this text, instead of reading one.
    #[arg(long, allow_hyphen_values = true, value_name = "TEXT")]
    pub(crate) body: Option<String>,

    /// What to do with 8-bit content for a server that does not offer 8BITMIME.
    #[arg(long, value_enum, default_value_t = EightBitChoice::Refuse)]
    pub(crate) eight_bit: EightBitChoice,

    /// What to do with line ends other than CRLF.
    #[arg(long, value_enum, default_value_t = LineEndingsChoice::Convert)]
    pub(crate) line_endings: LineEndingsChoice,

    /// Wait for each reply before the next command, whatever the server offers.
    #[arg(long)]
    pub(crate) no_pipelining: bool,
}

/// Watch one message go to three recipients, with three outcomes. Needs no
/// server.
#[derive(Debug, Args)]
#[command(after_help = DEMO_EXAMPLES)]
pub(crate) struct Demo {
    /// Print one JSON object instead.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What every command that dials takes.
#[derive(Debug, Args)]
pub(crate) struct Dial {
    /// Where the server listens: unix:PATH, lmtp://HOST:PORT (24 if left out), lmtps:// for TLS
    /// from the start, lmtp+starttls:// for TLS by STARTTLS.
    #[arg(value_name = "URL")]
    pub(crate) endpoint: Endpoint,

    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,

    /// Show the conversation on standard error, with seconds since the start.
    #[arg(long)]
    pub(crate) transcript: bool,

    /// The longest wait for a connection, a reply, or a block of the message.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,

    /// Who to say we are in LHLO; this host's name if left out.
    #[arg(long, value_name = "NAME")]
    pub(crate) lhlo_name: Option<LhloName>,

    #[command(flatten)]
    pub(crate) security: Security,
}

/// Whom to trust, and who we are.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "TLS and AUTH")]
pub(crate) struct Security {
    /// Trust the authorities in this PEM file, and not those of this machine.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// The name that the server's certificate must have, if it is not HOST.
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: Option<String>,

    /// Show this certificate to a server that asks: PEM, ours first.
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub(crate) client_cert: Option<PathBuf>,

    /// Its private key: PEM, without a passphrase.
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(crate) client_key: Option<PathBuf>,

    /// Take any certificate: encrypted, to whoever answers.
    #[arg(long, conflicts_with = "ca_file")]
    pub(crate) insecure: bool,

    /// Log in by this mechanism; with --auth-user alone, by the best that the server offers.
    #[arg(long, value_enum, value_name = "MECHANISM", ignore_case = true)]
    pub(crate) auth: Option<AuthChoice>,

    /// Whom to log in as.
    #[arg(long, value_name = "USER")]
    pub(crate) auth_user: Option<String>,

    /// The file with the password or token, on one line.
    #[arg(long, value_name = "FILE")]
    pub(crate) auth_password_file: Option<PathBuf>,

    /// Say a password over TCP without TLS, for everybody in between to read. OAUTHBEARER is not
    /// said even then.
    #[arg(long)]
    pub(crate) auth_in_clear: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuthChoice {
    /// A password, which is not said (RFC 5802).
    #[value(name = "scram-sha-256")]
    ScramSha256,
    /// A password, as it is (RFC 4616).
    Plain,
    /// The same in two steps.
    Login,
    /// A token (RFC 7628).
    Oauthbearer,
    /// What the server knows already, such as the client's certificate (RFC 4422).
    External,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum EightBitChoice {
    /// Refuse to send it.
    Refuse,
    /// Send it as it is.
    Send,
}

impl From<EightBitChoice> for EightBit {
    fn from(choice: EightBitChoice) -> Self {
        match choice {
            EightBitChoice::Refuse => Self::Refuse,
            EightBitChoice::Send => Self::Send,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LineEndingsChoice {
    /// Send each as CRLF, and say so.
    Convert,
    /// Send nothing.
    Reject,
}

impl From<LineEndingsChoice> for LineEndings {
    fn from(choice: LineEndingsChoice) -> Self {
        match choice {
            LineEndingsChoice::Convert => Self::Convert,
            LineEndingsChoice::Reject => Self::Reject,
        }
    }
}

/// A wait: fractions are fine, nothing and eternity are not.
fn seconds(text: &str) -> Result<Duration, String> {
    const YEAR: f64 = 365.0 * 86_400.0;
    match text.parse::<f64>() {
        Ok(seconds) if (0.001..=YEAR).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        Ok(_) => Err("it must be more than 0 (at least 0.001) and at most a year".into()),
        Err(_) => Err("write a number of seconds, such as 10 or 0.5".into()),
    }
}

/// A subject is one line; what is folded or injected is no part of it.
fn one_line(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) { Err("it holds a control character".into()) } else { Ok(text.into()) }
}

const EXAMPLES: &str = "\
Examples:
  lmtp demo
  lmtp probe unix:/run/dovecot/lmtp
  lmtp send lmtp://127.0.0.1:24 --from ann@example.org --to bob@example.org message.eml
  lmtp serve --listen unix:/run/lmtp.sock --maildir /var/mail --create
  lmtp deliver --config deliver.toml --from ann@example.org bob@example.org < message.eml
  lmtp gateway --allow mail.example.org:24

`lmtp COMMAND --help` has more of them, and the exit codes.";

const PROBE_EXAMPLES: &str = "\
Examples:
  lmtp probe unix:/run/dovecot/lmtp
  lmtp probe lmtp://mail.example.org:24 --json --timeout 2
  lmtp probe lmtp://mail.example.org --starttls-required --ca-file ca.pem

Without --timeout it waits 10 s for the connection and 5 s for each reply.

Exit codes:
   0  it speaks LMTP
  64  the command line is wrong; with --json {\"error\":{\"kind\":\"usage\",\"phase\":null,\"message\":…}}
  69  it refuses the session for good (5yz)
  75  it cannot be reached, takes too long, or refuses for now (4yz)
  76  it answers, but not in LMTP: perhaps it is an SMTP server; or TLS is required and not to be had
  78  TLS or AUTH cannot be done as the command line says: a file that cannot be read, say";

const SEND_EXAMPLES: &str = "\
Examples:
  lmtp send unix:/run/dovecot/lmtp --from ann@example.org --to bob@example.org message.eml
  lmtp send lmtp://127.0.0.1:24 --from ann@example.org --to bob@example.org --to eve@example.org \\
       --subject 'Lunch?' --body 'At noon, as always.'
  generate-mail | lmtp send lmtp://[::1]:2424 --from '' --to postmaster --json
  lmtp send lmtps://mail.example.org --ca-file ca.pem --auth-user ann --auth-password-file secret \\
       --from ann@example.org --to bob@example.org message.eml

Outcomes, one for each recipient:
  delivered  the server has taken responsibility for it
  temporary  refused for now: try again later
  permanent  refused for good
  uncertain  the message was handed over and no answer came: another try may deliver it twice
  unsent     the server surely did not accept it: another try cannot deliver it twice

Exit codes:
   0  delivered to every recipient
  64  the command line is wrong; with --json {\"error\":{\"kind\":\"usage\",\"phase\":null,\"message\":…}}
  65  the message holds what must not be sent
  66  the message cannot be read
  69  nothing is left to try again, and at least one recipient was refused for good
  75  at least one recipient may be tried again; also when no connection could be made
  78  TLS or AUTH cannot be done as the command line says: a file that cannot be read, say

With --json one object is printed whenever the command line is right, also when no connection \
could be made or FILE cannot be read.

Without --timeout it waits 10 s for the connection, 60 s for each reply, 3 min for each block of \
the message to leave and 10 min for each recipient's final reply.

SIGINT and SIGTERM close the connection; the report is printed, and the exit code is that of its
outcomes: 75 unless every recipient has an answer. A second one after two seconds ends it at once.";

const DEMO_EXAMPLES: &str = "\
Examples:
  lmtp demo
  lmtp demo --json

It starts a small server of its own on a temporary Unix socket and sends it a message through the \
same code as `lmtp send`.

Exit codes:
   0  all three outcomes are as scripted
   1  they are not";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds_together() {
        Program::command().debug_assert();
    }

    #[test]
    fn waits_are_positive_and_finite() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "1e-9", "1e18", "inf", "nan", "", "5s"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
