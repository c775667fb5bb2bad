//! `lmtp gateway`: LMTP over HTTP and JSON.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use lmtp_gateway::{Config, Policy, Target};
use tokio::signal::unix::{SignalKind, signal};

use crate::console::Console;
use crate::exit::Exit;

/// Probe servers and send messages over HTTP and JSON.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Gateway {
    /// Where to listen.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8025")]
    listen: SocketAddr,

    /// A server that it may dial: a name or a network, with a port or at any but 25. Repeat it for more; without any,
    /// nobody is dialled over TCP.
    #[arg(long, value_name = "TARGET")]
    allow: Vec<Target>,

    /// A Unix socket that it may dial, and the name by which requests call it.
    #[arg(long, value_name = "NAME=PATH", value_parser = named)]
    allow_unix: Vec<(String, PathBuf)>,

    /// Authorities to trust in TLS (PEM), and the name by which requests call them.
    #[arg(long, value_name = "NAME=FILE", value_parser = named)]
    ca: Vec<(String, PathBuf)>,

    /// A file with the token that requests must bear.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// A name that browsers call it by, beside localhost and addresses.
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,

    /// Requests in a minute: so many of one client, and so many for one target.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    per_minute: u32,

    /// Conversations at once; more of them wait, within their time.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one)]
    concurrency: usize,
}

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(args: Gateway) -> Exit {
    let console = Console::new();
    let listen = args.listen;
    let config = match args.config() {
        Ok(config) => config,
        Err(why) => {
            console.error(&why);
            return Exit::Configuration;
        }
    };
    if config.token.is_none() && !listen.ip().is_loopback() {
        console.error(&format!("{listen} can be reached from elsewhere: give a --token-file, or listen at 127.0.0.1"));
        return Exit::Configuration;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let served = runtime.and_then(|runtime| runtime.block_on(serve(listen, config, &console)));
    match served {
        Ok(()) => Exit::Done,
        Err(error) => {
            console.error(&format!("cannot listen at http://{listen}: {error}"));
            Exit::TryLater
        }
    }
}

async fn serve(listen: SocketAddr, config: Config, console: &Console) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listener = tokio::net::TcpListener::bind(listen).await?;
    console.note(&format!(
        "listening at http://{}/, a page for people; programs ask /api/lmtp/connect and /api/lmtp/send",
        listener.local_addr()?
    ));
    lmtp_gateway::serve(listener, config, async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
    .await
}

impl Gateway {
    fn config(self) -> Result<Config, String> {
        let mut config = Config::default();
        config.policy = Policy::new(self.allow);
        config.unix = self.allow_unix.into_iter().collect();
        config.authorities = self.ca.into_iter().collect();
        config.hosts = self.host;
        (config.per_minute, config.concurrency) = (self.per_minute, self.concurrency);
        config.token = match self.token_file {
            None => None,
            Some(file) => {
                let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
                let token = text.trim().to_owned();
                if token.is_empty() {
                    return Err(format!("{}: there is no token in it", file.display()));
                }
                Some(token)
            }
        };
        Ok(config)
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "is a number, and not 0".into())
}

fn named(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.into(), path.into())),
        _ => Err("write NAME=PATH".into()),
    }
}

const EXAMPLES: &str = "\
Examples:
  lmtp gateway --allow mail.example.org:24 --allow 192.0.2.0/24 --allow-unix dovecot=/run/dovecot/lmtp
  curl 'http://127.0.0.1:8025/api/lmtp/connect?host=mail.example.org'
  curl -H 'Content-Type: application/json' http://127.0.0.1:8025/api/lmtp/send -d \\
       '{\"unixName\":\"dovecot\",\"from\":\"ann@example.org\",\"to\":[\"bob@example.org\"],\"subject\":\"Hi\",\"body\":\"Hello\"}'

It dials nobody who is not allowed, and port 25 never. Elsewhere than on the loopback it needs a token.

Exit codes:
   0  it was told to end
  64  the command line is wrong
  75  it cannot listen there
  78  a file cannot be read, or it would serve strangers without a token";
