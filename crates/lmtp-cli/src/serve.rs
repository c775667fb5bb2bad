//! `lmtp serve`: an LMTP server that keeps mail.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lmtp_serve::settings::{Format, Sink};
use lmtp_serve::{DEFAULT, Service, Settings};

use crate::console::{self, Console};
use crate::exit::Exit;

/// Things that go wrong on purpose.
const FAULTS: &str = "Faults, for testing clients";

/// Receive mail and keep it in Maildirs: 250 means that it is on disk.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct Serve {
    /// Read settings from this TOML file; flags go before it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Where to listen: unix:PATH, lmtp://HOST:PORT, lmtps:// or lmtp+starttls://. Repeat it for more.
    #[arg(long, value_name = "URL")]
    listen: Vec<String>,

    /// The directory with the mailboxes; that of user@domain is DIR/domain/user.
    #[arg(long, value_name = "DIR", conflicts_with = "discard")]
    maildir: Option<PathBuf>,

    /// Make mailboxes that are not there. Otherwise their recipients are refused.
    #[arg(long)]
    create: bool,

    /// Answer with 250 and throw everything away: for measuring clients.
    #[arg(long)]
    discard: bool,

    /// The server's name, in its greeting and in Received.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Who gets mail for postmaster.
    #[arg(long, value_name = "ADDRESS")]
    postmaster: Option<String>,

    /// Where /metrics, /healthz and /readyz are to be had over HTTP.
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,

    /// Show the Maildirs there as a page, with what each recipient was answered: for development.
    #[arg(long)]
    inbox: bool,

    /// A file with the token that the inbox asks for; needed where it can be reached from elsewhere.
    #[arg(long, value_name = "FILE")]
    http_token_file: Option<PathBuf>,

    /// The server's certificate with its chain: PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// Its private key: PEM, without a passphrase.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// The largest message, in octets.
    #[arg(long, value_name = "OCTETS")]
    max_message_size: Option<u64>,

    /// The most recipients of a message.
    #[arg(long, value_name = "N")]
    max_recipients: Option<usize>,

    /// The most connections at once.
    #[arg(long, value_name = "N")]
    max_connections: Option<usize>,

    /// How long to wait for a command.
    #[arg(long, value_name = "SECONDS")]
    idle_timeout: Option<u64>,

    /// How each log line is written, one for each recipient, on standard error.
    #[arg(long, value_enum, value_name = "FORMAT")]
    log: Option<LogFormat>,

    /// Answer with this code at a step, now and then if you like: rcpt=450:10%, final=552:bob@example.org,
    /// mail=451:2x. Steps: connect, lhlo, mail, rcpt, data, final. For testing clients.
    #[arg(long, value_name = "STEP=CODE", help_heading = FAULTS)]
    fail: Vec<String>,

    /// Take this long at a step: rcpt=500ms, final=2s.
    #[arg(long, value_name = "STEP=TIME", help_heading = FAULTS)]
    delay: Vec<String>,

    /// Cut the connection at a step, which may be body, too: data, body:50%.
    #[arg(long, value_name = "STEP", help_heading = FAULTS)]
    drop_at: Vec<String>,

    /// One answer too few or too many behind the content: fewer, more:10%.
    #[arg(long, value_name = "WHICH", help_heading = FAULTS)]
    wrong_count: Vec<String>,

    /// Send this share of answers as something that is none: 5%.
    #[arg(long, value_name = "SHARE", help_heading = FAULTS)]
    garble: Option<String>,

    /// The dice of faults: the same seed is the same run, as long as there is one connection.
    #[arg(long, value_name = "N", help_heading = FAULTS)]
    seed: Option<u64>,

    /// Say whether the settings are right, and listen nowhere.
    #[arg(long)]
    check: bool,

    /// Print all settings with their defaults, as a file for --config.
    #[arg(long, exclusive = true)]
    print_default: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    /// name=value.
    Text,
    /// An object a line.
    Json,
    /// Nothing.
    None,
}

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(args: Serve) -> Exit {
    if args.print_default {
        console::result(&DEFAULT.trim_end());
        return Exit::Done;
    }
    let console = Console::new();
    let settings = match args.settings() {
        Ok(settings) => settings,
        Err(why) => return refuse(&console, &why),
    };
    if args.check {
        return check(&console, &settings);
    }
    let service = match Service::new(&settings) {
        Ok(service) => service,
        Err(problem) => return refuse(&console, &problem.to_string()),
    };
    for warning in service.warnings() {
        console.warning(warning);
    }
    let reload = move || match args.settings() {
        Ok(settings) => Some(settings),
        Err(why) => {
            Console::new().error(&format!("the old settings stay: {why}"));
            None
        }
    };
    match lmtp_serve::serve(service, reload) {
        Ok(()) => Exit::Done,
        Err(error) => {
            console.error(&error.to_string());
            Exit::TryLater
        }
    }
}

fn check(console: &Console, settings: &Settings) -> Exit {
    match Service::check(settings) {
        Ok(warnings) => warnings.iter().for_each(|warning| console.warning(warning)),
        Err(problem) => return refuse(console, &problem.to_string()),
    }
    console::result(&format!("the settings are right; it would listen at {}", settings.listen.join(", ")));
    Exit::Done
}

fn refuse(console: &Console, why: &str) -> Exit {
    console.error(why);
    console.hint("lmtp serve --print-default shows all settings, with what each is for");
    Exit::Configuration
}

impl Serve {
    /// The file's settings, and the flags' in their place.
    fn settings(&self) -> Result<Settings, String> {
        let mut settings = self.config.as_deref().map_or(Ok(Settings::default()), read)?;
        if !self.listen.is_empty() {
            settings.listen.clone_from(&self.listen);
        }
        if let Some(root) = &self.maildir {
            (settings.sink, settings.maildir.root) = (Sink::Maildir, root.clone());
        }
        if self.discard {
            settings.sink = Sink::Discard;
        }
        settings.maildir.create |= self.create;
        set(&mut settings.http, self.http.as_ref());
        settings.inbox |= self.inbox;
        set(&mut settings.http_token_file, self.http_token_file.as_ref());
        set(&mut settings.name, self.name.as_ref());
        set(&mut settings.maildir.postmaster, self.postmaster.as_ref());
        set(&mut settings.tls.certificate, self.tls_cert.as_ref());
        set(&mut settings.tls.key, self.tls_key.as_ref());
        set(&mut settings.limits.message_size, self.max_message_size.as_ref());
        set(&mut settings.limits.recipients, self.max_recipients.as_ref());
        set(&mut settings.limits.connections, self.max_connections.as_ref());
        set(&mut settings.timeouts.command, self.idle_timeout.as_ref());
        let format = self.log.map(|format| match format {
            LogFormat::Text => Format::Text,
            LogFormat::Json => Format::Json,
            LogFormat::None => Format::None,
        });
        set(&mut settings.log.format, format.as_ref());
        settings.faults.fail.extend_from_slice(&self.fail);
        settings.faults.delay.extend_from_slice(&self.delay);
        settings.faults.drop_at.extend_from_slice(&self.drop_at);
        settings.faults.wrong_count.extend_from_slice(&self.wrong_count);
        set(&mut settings.faults.garble, self.garble.as_ref());
        set(&mut settings.faults.seed, self.seed.as_ref());
        Ok(settings)
    }
}

fn set<T: Clone>(place: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        place.clone_from(value);
    }
}

fn read(path: &Path) -> Result<Settings, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Settings::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

const EXAMPLES: &str = "\
Examples:
  lmtp serve --listen unix:/run/lmtp.sock --maildir /var/mail --create --postmaster ann@example.org
  lmtp serve --listen lmtp://127.0.0.1:2424 --maildir /var/mail --log json
  lmtp serve --listen lmtps://[::]:2424 --tls-cert chain.pem --tls-key key.pem --maildir /var/mail
  lmtp serve --listen lmtp://127.0.0.1:2424 --maildir ./mail --create --http 127.0.0.1:8026 --inbox
  lmtp serve --print-default > lmtp.toml && lmtp serve --config lmtp.toml --check
  lmtp serve --listen lmtp://127.0.0.1:2424 --discard --fail rcpt=450:10% --delay final=2s --seed 7

SIGTERM and SIGINT end it when those who are connected have finished, a second one at once. SIGHUP reads the \
settings again: where mail goes, who may connect, how it is logged, and the certificate.

Exit codes:
   0  it was told to end, or the settings are right
  64  the command line is wrong
  75  it cannot listen there
  78  the settings cannot be";
