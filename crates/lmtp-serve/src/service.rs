//! Settings become a server, or are refused with what is wrong.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use listenfd::ListenFd;
use lmtp_futures::{Listen, Listener, Server, map_listener};
use lmtp_maildir::{self as maildir, Quota, Store};
use lmtp_tokio::proto::value::{ClientAttribute, Target};
use lmtp_tokio::{Bind, Endpoint, Network, Security, ServerConfig, Shutdown};
use sd_notify::NotifyState;
use tokio::sync::mpsc::Receiver;

use crate::faults::{Faults, Sockets};
use crate::http;
use crate::log::Entry;
use crate::mail::{Mail, Rules};
use crate::owner;
use crate::root;
use crate::settings::{self, Folders, Settings, WhenFull};
use crate::sink::{Exec, Forward, Memory, Sink, Webhook};

/// What is wrong with the settings: the key, and why.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {why}")]
pub struct Problem {
    key: &'static str,
    why: String,
}

/// Where it listens.
#[derive(Debug)]
enum Place {
    Bind(Bind),
    /// At the sockets that a service manager has opened.
    Passed,
}

/// A server that has been set up and looks right.
#[derive(Debug)]
pub struct Service {
    mail: Mail,
    server: Server<Sockets, Mail>,
    places: Vec<Place>,
    names: Vec<String>,
    http: Option<SocketAddr>,
    faults: Arc<Faults>,
    tls: Option<Certificate>,
    warnings: Vec<String>,
}

impl Service {
    /// Sets a server up, and makes the root for mail if it is to be made. Nobody is listened to yet.
    ///
    /// # Errors
    ///
    /// Something of it cannot be.
    pub fn new(settings: &Settings) -> Result<Self, Problem> {
        let set = &settings.maildir;
        if settings.sink == settings::Sink::Maildir && set.create {
            root::make(&set.root).map_err(|error| no_root(settings, &error))?;
        }
        Self::set_up(settings)
    }

    /// What [`new`](Self::new) would say of the settings, and what an operator should know of them. Nothing is
    /// made, not even the root for mail.
    ///
    /// # Errors
    ///
    /// Something of it cannot be.
    pub fn check(settings: &Settings) -> Result<Vec<String>, Problem> {
        let set = &settings.maildir;
        if !(settings.sink == settings::Sink::Maildir && set.create && root::is_missing(&set.root)) {
            return Ok(Self::set_up(settings)?.warnings);
        }
        let warnings = kept(settings)?.warnings();
        let without = Settings { sink: settings::Sink::Discard, ..settings.clone() };
        Self::set_up(&without)?;
        Ok(warnings)
    }

    fn set_up(settings: &Settings) -> Result<Self, Problem> {
        let places = places(settings)?;
        let memory = Memory::default();
        let rules = rules(settings, &memory)?;
        let mut warnings = match &rules.sink {
            Sink::Maildir(store) => store.warnings(),
            Sink::Discard => vec!["mail is answered with 250 and thrown away (sink = \"discard\")".into()],
            Sink::Memory(_) => vec!["mail is answered with 250 and kept in memory only (sink = \"memory\")".into()],
            Sink::Exec(_) | Sink::Forward(_) | Sink::Webhook(_) => Vec::new(),
        };
        let faults = Arc::clone(&rules.faults);
        if faults.are_any() {
            warnings.push("things go wrong on purpose ([faults]): this is for testing clients, not for mail".into());
        }
        if let Some(place) = settings.listen.iter().find(|place| faults.are_on_the_wire() && is_protected(place)) {
            let why = format!("drop_at, wrong_count and garble need to see the conversation, and {place} is encrypted");
            return Err(Problem { key: "faults", why });
        }
        let mail = Mail::new(rules, memory);
        let server = Server::new(mail.clone())
            .config(config(settings)?)
            .max_connections(settings.limits.connections)
            .max_connections_per_address(settings.limits.connections_per_address)
            .proxy_from(networks("access.proxies", &settings.access.proxies)?)
            .trust(networks("access.trusted", &settings.access.trusted)?);
        let tls = certificate(settings)?;
        let server = protected(server, tls.as_ref());
        let http = Some(&settings.http).filter(|address| !address.is_empty());
        let http = http.map(|address| parsed("http", address)).transpose()?;
        Ok(Self { mail, server, places, names: settings.listen.clone(), http, faults, tls, warnings })
    }

    /// What comes in, where `sink = "memory"`.
    pub fn memory(&self) -> Memory {
        self.mail.memory().clone()
    }

    /// What an operator should know before mail comes.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What ends it, and lets those finish who are connected.
    pub fn handle(&self) -> Shutdown {
        self.server.handle()
    }

    /// Serves until it is shut down and all connections have ended. Settings that come count from then on, as
    /// far as they can: whose mailbox is where, who may connect, how it is logged, and the certificate.
    ///
    /// # Errors
    ///
    /// It cannot listen there.
    pub async fn run(self, mut reloads: Receiver<Settings>) -> io::Result<()> {
        let Self { mail, server, places, names, http, faults, tls, .. } = self;
        let format = mail.rules().format;
        let meddled = |door| map_listener::<Sockets, Sockets>(door, |door| door.with(&faults));
        let listeners: Vec<_> = listen(places)?.into_iter().map(meddled).collect();
        let http = match http {
            Some(address) => Some(http::listen(address).await?),
            None => None,
        };
        for place in &names {
            Entry { place: Some(place), ..Entry::now("listening") }.write(format);
        }
        // Where nobody manages it, nobody hears it.
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        let (counts, shutdown) = (mail.counts(), server.handle());
        let mut asking = std::pin::pin!(async {
            match http {
                Some(listener) => http::serve(listener, counts, shutdown).await,
                None => std::future::pending().await,
            }
        });
        let mut serving = std::pin::pin!(server.serve(listeners));
        loop {
            tokio::select! {
                result = &mut serving => return result,
                // It ends by failing alone.
                result = &mut asking => return result,
                Some(settings) = reloads.recv() => match reloaded(&settings, mail.memory()) {
                    Ok((rules, new)) => {
                        let format = rules.format;
                        mail.replace(rules);
                        renew(tls.as_ref(), new.as_ref());
                        Entry::now("reloaded").write(format);
                    }
                    Err(problem) => {
                        let error = Some(format!("the old settings stay: {problem}"));
                        Entry { error, ..Entry::now("reload failed") }.write(mail.rules().format);
                    }
                },
            }
        }
    }
}

/// What counts from now on. All of it is right, or nothing changes.
fn reloaded(settings: &Settings, memory: &Memory) -> Result<(Rules, Option<Certificate>), Problem> {
    Ok((rules(settings, memory)?, certificate(settings)?))
}

/// Begins to listen.
fn listen(places: Vec<Place>) -> io::Result<Vec<Listener<Sockets>>> {
    let mut listeners = Vec::new();
    for place in places {
        match place {
            Place::Bind(bind) => listeners.extend(Listen::listen(bind)?),
            Place::Passed => listeners.extend(passed()?),
        }
    }
    Ok(listeners)
}

/// The sockets that a service manager has opened, Unix or TCP.
fn passed() -> io::Result<Vec<Listener<Sockets>>> {
    let mut sockets = ListenFd::from_env();
    let mut listeners = Vec::new();
    for place in 0..sockets.len() {
        if let Ok(Some(socket)) = sockets.take_unix_listener(place) {
            listeners.extend(socket.listen()?);
        } else if let Some(socket) = sockets.take_tcp_listener(place)? {
            listeners.extend(socket.listen()?);
        }
    }
    if listeners.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no socket was passed (LISTEN_FDS), to listen at systemd"));
    }
    Ok(listeners)
}

fn places(settings: &Settings) -> Result<Vec<Place>, Problem> {
    let fail = |why: String| Problem { key: "listen", why };
    if settings.listen.is_empty() {
        return Err(fail("names no place; unix:PATH or lmtp://HOST:PORT, for example".into()));
    }
    let mode = match settings.access.unix_mode.as_str() {
        "" => None,
        octal => Some(u32::from_str_radix(octal, 8).ok().filter(|mode| *mode <= 0o777).ok_or_else(|| Problem {
            key: "access.unix_mode",
            why: format!("{octal:?} is no octal mode such as 0660"),
        })?),
    };
    let user = owner::user(&settings.access.unix_owner).map_err(|why| Problem { key: "access.unix_owner", why })?;
    let group = owner::group(&settings.access.unix_group).map_err(|why| Problem { key: "access.unix_group", why })?;
    let place = |text: &String| {
        if text == "systemd" {
            return Ok(Place::Passed);
        }
        let bind = Bind::new(text).map_err(|error| fail(error.to_string()))?.owner(user, group);
        Ok(Place::Bind(match mode {
            Some(mode) => bind.mode(mode),
            None => bind,
        }))
    };
    settings.listen.iter().map(place).collect()
}

/// Whether TLS is needed there.
fn is_protected(place: &str) -> bool {
    let endpoint = place.parse::<Endpoint>().ok();
    let security = endpoint.and_then(|endpoint| match endpoint.target() {
        Target::Tcp { security, .. } => Some(security),
        _ => None,
    });
    matches!(security, Some(Security::Tls | Security::StartTls))
}

fn config(settings: &Settings) -> Result<ServerConfig, Problem> {
    let mut config = ServerConfig::default();
    config.name = parsed("name", &settings.name)?;
    (config.offer.chunking, config.offer.smtputf8, config.offer.dsn) = (true, true, false);
    if !settings.access.trusted.is_empty() {
        // What becomes of each is in mail.rs; strangers are not offered them.
        config.offer.xclient = vec![ClientAttribute::Addr, ClientAttribute::Port, ClientAttribute::Helo];
    }
    let (set, limits) = (&settings.limits, &mut config.limits);
    (limits.message_size, limits.recipients, limits.errors) = (set.message_size, set.recipients, set.errors);
    (limits.command_line, limits.backlog) = (set.command_line, set.backlog);
    (limits.drained, limits.data_rate) = (set.drained, set.data_rate);
    limits.transactions = Some(set.messages).filter(|most| *most > 0);
    let (set, timeouts) = (&settings.timeouts, &mut config.timeouts);
    for (timeout, seconds) in [
        (&mut timeouts.connect, set.connect),
        (&mut timeouts.command, set.command),
        (&mut timeouts.body, set.body),
        (&mut timeouts.between_messages, set.between_messages),
        (&mut timeouts.handler, set.handler),
        (&mut timeouts.verdict, set.verdict),
    ] {
        *timeout = Duration::from_secs(seconds);
    }
    Ok(config)
}

fn rules(settings: &Settings, memory: &Memory) -> Result<Rules, Problem> {
    let faults = Faults::new(&settings.faults).map_err(|(key, why)| Problem { key, why })?;
    Ok(Rules {
        sink: sink(settings, memory)?,
        name: parsed("name", &settings.name)?,
        faults: Arc::new(faults),
        uids: settings.access.uids.clone(),
        networks: networks("access.networks", &settings.access.networks)?,
        format: settings.log.format,
    })
}

fn sink(settings: &Settings, memory: &Memory) -> Result<Sink, Problem> {
    let seconds = Duration::from_secs;
    Ok(match settings.sink {
        settings::Sink::Maildir => Sink::Maildir(store(settings)?),
        settings::Sink::Discard => Sink::Discard,
        settings::Sink::Memory => Sink::Memory(memory.clone()),
        settings::Sink::Exec => {
            let set = &settings.exec;
            let delimiter = character("exec.delimiter", &set.delimiter)?;
            let exec = Exec::new(&set.command, delimiter, seconds(set.timeout), set.processes);
            Sink::Exec(exec.map_err(|why| Problem { key: "exec.command", why })?)
        }
        settings::Sink::Lmtp => Sink::Forward(forward(&settings.forward)?),
        settings::Sink::Http => {
            let set = &settings.webhook;
            let token = match set.token_file.as_os_str().is_empty() {
                true => None,
                false => Some(text("webhook.token_file", &set.token_file)?.trim().to_owned()),
            };
            let webhook = Webhook::new(&set.url, token, seconds(set.timeout));
            Sink::Webhook(webhook.map_err(|why| Problem { key: "webhook.url", why })?)
        }
    })
}

fn forward(set: &settings::Forward) -> Result<Forward, Problem> {
    let forward = Forward::new(parsed("forward.to", &set.to)?, Duration::from_secs(set.timeout));
    #[cfg(feature = "rustls")]
    if is_protected(&set.to) {
        let tls = match set.ca_file.as_os_str().is_empty() {
            true => lmtp_tokio::ClientTls::builder(),
            false => lmtp_tokio::ClientTls::builder().ca_file(&set.ca_file),
        };
        let tls = tls.build().map_err(|error| Problem { key: "forward.ca_file", why: error.to_string() })?;
        return Ok(forward.tls(tls));
    }
    Ok(forward)
}

fn store(settings: &Settings) -> Result<Store, Problem> {
    Store::open(&settings.maildir.root, kept(settings)?).map_err(|error| no_root(settings, &error))
}

fn no_root(settings: &Settings, error: &io::Error) -> Problem {
    Problem { key: "maildir.root", why: format!("{}: {error}", settings.maildir.root.display()) }
}

/// How mail is kept.
fn kept(settings: &Settings) -> Result<maildir::Config, Problem> {
    let set = &settings.maildir;
    if set.root.as_os_str().is_empty() {
        return Err(Problem { key: "maildir.root", why: "names no directory".into() });
    }
    let mut config = maildir::Config::default();
    config.name = parsed("name", &settings.name)?;
    config.create = set.create;
    config.link_copies = set.link_copies;
    config.quota = Quota::default();
    config.quota.octets = Some(set.quota_octets).filter(|most| *most > 0);
    config.quota.messages = Some(set.quota_messages).filter(|most| *most > 0);
    config.quota.when_full = match set.when_full {
        WhenFull::Temporary => maildir::WhenFull::Temporary,
        WhenFull::Permanent => maildir::WhenFull::Permanent,
    };
    let rules = &mut config.rules;
    rules.template = Some(parsed("maildir.template", &set.template)?);
    if !set.domains.is_empty() {
        let domains = set.domains.iter().map(|domain| parsed("maildir.domains", domain));
        rules.domains = Some(domains.collect::<Result<_, _>>()?);
    }
    rules.table = map("maildir.table", &set.table)?;
    rules.aliases = map("maildir.aliases", &set.aliases)?;
    if !set.postmaster.is_empty() {
        rules.postmaster = Some(parsed("maildir.postmaster", &set.postmaster)?);
    }
    rules.delimiter = character("maildir.delimiter", &set.delimiter)?;
    rules.folders = match set.folders {
        Folders::Ignore => maildir::Folders::Ignore,
        Folders::Existing => maildir::Folders::Existing,
        Folders::Create => maildir::Folders::Create,
    };
    Ok(config)
}

/// What stands in a file of lines; nothing where none is named.
fn map<T: FromStr>(key: &'static str, path: &Path) -> Result<maildir::Map<T>, Problem> {
    if path.as_os_str().is_empty() {
        return Ok(maildir::Map::default());
    }
    let read = text(key, path)?.parse();
    read.map_err(|error: maildir::InvalidMap| Problem { key, why: format!("{}: {error}", path.display()) })
}

/// What stands in a file.
fn text(key: &'static str, path: &Path) -> Result<String, Problem> {
    fs::read_to_string(path).map_err(|error| Problem { key, why: format!("{}: {error}", path.display()) })
}

/// One character, or none.
fn character(key: &'static str, text: &str) -> Result<Option<char>, Problem> {
    let mut characters = text.chars();
    let first = characters.next();
    match characters.next() {
        Some(_) => Err(Problem { key, why: format!("{text:?} is more than one character") }),
        None => Ok(first),
    }
}

fn networks(key: &'static str, texts: &[String]) -> Result<Vec<Network>, Problem> {
    texts.iter().map(|text| parsed(key, text)).collect()
}

/// What a server shows in TLS.
#[cfg(feature = "rustls")]
type Certificate = lmtp_tokio::ServerTls;
/// There is none without TLS.
#[cfg(not(feature = "rustls"))]
type Certificate = std::convert::Infallible;

/// The certificate, if there is one; there has to be where TLS is listened for.
fn certificate(settings: &Settings) -> Result<Option<Certificate>, Problem> {
    let fail = |why: String| Problem { key: "tls.certificate", why };
    if settings.tls.certificate.as_os_str().is_empty() {
        return match settings.listen.iter().find(|place| is_protected(place)) {
            Some(place) => Err(fail(format!("is needed to listen at {place}"))),
            None => Ok(None),
        };
    }
    #[cfg(not(feature = "rustls"))]
    return Err(fail("this build has no TLS; switch on the feature \"rustls\"".into()));
    #[cfg(feature = "rustls")]
    {
        let set = &settings.tls;
        let patience = Duration::from_secs(settings.timeouts.connect);
        let mut tls = lmtp_tokio::ServerTls::builder(&set.certificate, &set.key).handshake_timeout(patience);
        if !set.client_ca.as_os_str().is_empty() {
            tls = tls.ask_client_certificate(&set.client_ca);
        }
        tls.build().map(Some).map_err(|error| fail(error.to_string()))
    }
}

/// The server with its certificate, if it has one.
fn protected(server: Server<Sockets, Mail>, certificate: Option<&Certificate>) -> Server<Sockets, Mail> {
    match certificate {
        #[cfg(feature = "rustls")]
        Some(certificate) => server.tls(certificate.clone()),
        #[cfg(not(feature = "rustls"))]
        Some(none) => match *none {},
        None => server,
    }
}

/// Shows another certificate from now on. Whether there is one at all does not change while it runs.
fn renew(shown: Option<&Certificate>, new: Option<&Certificate>) {
    #[cfg(feature = "rustls")]
    if let (Some(shown), Some(new)) = (shown, new) {
        shown.renew(new);
    }
    #[cfg(not(feature = "rustls"))]
    let _ = (shown, new);
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(key: &'static str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| Problem { key, why: format!("{text:?}: {error}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is not set is as the protocol has it.
    #[test]
    fn defaults_are_those_of_the_protocol() {
        let (ours, theirs) = (config(&Settings::default()).unwrap(), ServerConfig::default());
        assert_eq!((ours.limits, ours.timeouts), (theirs.limits, theirs.timeouts));
    }

    #[test]
    fn each_limit_and_each_time_is_one_that_counts() {
        let text = "[limits]\nmessage_size = 1\nrecipients = 2\nmessages = 3\nerrors = 4\ncommand_line = 5\nbacklog = 6\n\
                    drained = 7\ndata_rate = 8\n[timeouts]\nconnect = 9\ncommand = 10\nbody = 11\nbetween_messages = 12\n\
                    handler = 13\nverdict = 14\n";
        let ServerConfig { limits, timeouts, .. } = config(&Settings::parse(text).unwrap()).unwrap();
        assert_eq!((limits.message_size, limits.recipients, limits.transactions, limits.errors), (1, 2, Some(3), 4));
        assert_eq!((limits.command_line, limits.backlog, limits.drained, limits.data_rate), (5, 6, 7, 8));
        let times = [timeouts.connect, timeouts.command, timeouts.body, timeouts.between_messages];
        assert_eq!(times, [9, 10, 11, 12].map(Duration::from_secs));
        assert_eq!([timeouts.handler, timeouts.verdict], [13, 14].map(Duration::from_secs));
    }
}
