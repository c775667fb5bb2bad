//! The server while it runs: it listens, serves, hears new settings and ends.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use listenfd::ListenFd;
use lmtp_futures::{Listen, Listener, Server, map_listener};
use lmtp_tokio::Shutdown;
use sd_notify::NotifyState;
use tokio::sync::mpsc::Receiver;

use crate::faults::{Faults, Sockets};
use crate::http;
use crate::inbox::{self, Journal};
use crate::log::Entry;
use crate::mail::{Mail, Rules};
use crate::root;
use crate::settings::{self, Settings};
use crate::setup::{self, Certificate, Place, Problem};
use crate::sink::{Memory, Sink};

/// A server that has been set up and looks right.
#[derive(Debug)]
pub struct Service {
    mail: Mail,
    server: Server<Sockets, Mail>,
    places: Vec<Place>,
    names: Vec<String>,
    http: Option<SocketAddr>,
    inbox: Option<Router>,
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
            root::make(&set.root).map_err(|error| setup::no_root(settings, &error))?;
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
        let warnings = setup::kept(settings)?.warnings();
        let without = Settings { sink: settings::Sink::Discard, ..settings.clone() };
        Self::set_up(&without)?;
        Ok(warnings)
    }

    fn set_up(settings: &Settings) -> Result<Self, Problem> {
        let places = setup::places(settings)?;
        let memory = Memory::default();
        let rules = setup::rules(settings, &memory)?;
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
        if let Some(place) = settings.listen.iter().find(|place| faults.are_on_the_wire() && setup::is_protected(place))
        {
            let why = format!("drop_at, wrong_count and garble need to see the conversation, and {place} is encrypted");
            return Err(Problem { key: "faults", why });
        }
        let http = setup::http(settings)?;
        let (http, inbox) = http.map_or((None, None), |(address, access)| (Some(address), access));
        let journal = inbox.is_some().then(Journal::default);
        let inbox = inbox.zip(journal.clone()).map(|(access, journal)| {
            inbox::routes(&settings.maildir.root, journal, access)
                .map_err(|error| Problem { key: "inbox", why: error.to_string() })
        });
        let mail = Mail::new(rules, memory, journal);
        let server = Server::new(mail.clone())
            .config(setup::config(settings)?)
            .max_connections(settings.limits.connections)
            .max_connections_per_address(settings.limits.connections_per_address)
            .proxy_from(setup::networks("access.proxies", &settings.access.proxies)?)
            .trust(setup::networks("access.trusted", &settings.access.trusted)?);
        let tls = setup::certificate(settings)?;
        let server = protected(server, tls.as_ref());
        let (names, inbox) = (settings.listen.clone(), inbox.transpose()?);
        Ok(Self { mail, server, places, names, http, inbox, faults, tls, warnings })
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
        let Self { mail, server, places, names, http, inbox, faults, tls, .. } = self;
        let format = mail.rules().format;
        let meddled = |door| map_listener::<Sockets, Sockets>(door, |door| door.with(&faults));
        let listeners: Vec<_> = listen(places)?.into_iter().map(meddled).collect();
        let http = match http {
            Some(address) => Some(http::listen(address).await?),
            None => None,
        };
        if let (Some(listener), true) = (&http, inbox.is_some()) {
            let place = format!("http://{}/", listener.local_addr()?);
            Entry { place: Some(&place), ..Entry::now("inbox") }.write(format);
        }
        for place in &names {
            Entry { place: Some(place), ..Entry::now("listening") }.write(format);
        }
        // Where nobody manages it, nobody hears it.
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        let (counts, shutdown) = (mail.counts(), server.handle());
        let mut asking = std::pin::pin!(async {
            match http {
                Some(listener) => http::serve(listener, counts, shutdown, inbox).await,
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
    Ok((setup::rules(settings, memory)?, setup::certificate(settings)?))
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
