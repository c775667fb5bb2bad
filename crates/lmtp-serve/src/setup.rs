//! What settings mean: each becomes a part of a server, or is refused with what is wrong.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use lmtp_maildir::{self as maildir, Quota, Store};
use lmtp_tokio::proto::value::{ClientAttribute, Target};
use lmtp_tokio::{Bind, Endpoint, Network, Security, ServerConfig};

use crate::faults::Faults;
use crate::inbox::Access;
use crate::mail::Rules;
use crate::owner;
use crate::settings::{self, Folders, Settings, WhenFull};
use crate::sink::{Exec, Forward, Memory, Sink, Webhook};

/// What is wrong with the settings: the key, and why.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {why}")]
pub struct Problem {
    pub(crate) key: &'static str,
    pub(crate) why: String,
}

/// Where it listens.
#[derive(Debug)]
pub(crate) enum Place {
    Bind(Bind),
    /// At the sockets that a service manager has opened.
    Passed,
}

pub(crate) fn places(settings: &Settings) -> Result<Vec<Place>, Problem> {
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
pub(crate) fn is_protected(place: &str) -> bool {
    let endpoint = place.parse::<Endpoint>().ok();
    let security = endpoint.and_then(|endpoint| match endpoint.target() {
        Target::Tcp { security, .. } => Some(security),
        _ => None,
    });
    matches!(security, Some(Security::Tls | Security::StartTls))
}

/// The address of what is to be had over HTTP, and who may look at the inbox, if it is shown.
pub(crate) fn http(settings: &Settings) -> Result<Option<(SocketAddr, Option<Access>)>, Problem> {
    let fail = |why: String| Err(Problem { key: "inbox", why });
    if settings.http.is_empty() {
        return if settings.inbox { fail("is shown over HTTP: say where, by http".into()) } else { Ok(None) };
    }
    let address: SocketAddr = parsed("http", &settings.http)?;
    if !settings.inbox {
        return Ok(Some((address, None)));
    }
    if settings.sink != settings::Sink::Maildir {
        return fail("shows Maildirs, and mail goes elsewhere (sink)".into());
    }
    let file = &settings.http_token_file;
    let token = match file.as_os_str().is_empty() {
        true => None,
        false => Some(token(file).map_err(|why| Problem { key: "http_token_file", why })?),
    };
    if token.is_none() && !address.ip().is_loopback() {
        return fail(format!(
            "shows all mail, and http://{address} can be reached from elsewhere: set http_token_file, or 127.0.0.1"
        ));
    }
    Ok(Some((address, Some(Access { hosts: settings.http_hosts.clone(), token }))))
}

fn token(file: &Path) -> Result<String, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    match text.trim() {
        "" => Err(format!("{}: there is no token in it", file.display())),
        token => Ok(token.to_owned()),
    }
}

pub(crate) fn config(settings: &Settings) -> Result<ServerConfig, Problem> {
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

pub(crate) fn rules(settings: &Settings, memory: &Memory) -> Result<Rules, Problem> {
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

pub(crate) fn no_root(settings: &Settings, error: &io::Error) -> Problem {
    Problem { key: "maildir.root", why: format!("{}: {error}", settings.maildir.root.display()) }
}

/// How mail is kept.
pub(crate) fn kept(settings: &Settings) -> Result<maildir::Config, Problem> {
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

pub(crate) fn networks(key: &'static str, texts: &[String]) -> Result<Vec<Network>, Problem> {
    texts.iter().map(|text| parsed(key, text)).collect()
}

/// What a server shows in TLS.
#[cfg(feature = "rustls")]
pub(crate) type Certificate = lmtp_tokio::ServerTls;
/// There is none without TLS.
#[cfg(not(feature = "rustls"))]
pub(crate) type Certificate = std::convert::Infallible;

/// The certificate, if there is one; there has to be where TLS is listened for.
pub(crate) fn certificate(settings: &Settings) -> Result<Option<Certificate>, Problem> {
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

pub(crate) fn parsed<T: FromStr<Err: std::fmt::Display>>(key: &'static str, text: &str) -> Result<T, Problem> {
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
