//! A server: who listens, who is let in, and how many.

mod accept;
mod conversation;
mod handler;
mod line;
mod listen;
mod machine;
mod message;
mod shutdown;
mod state;
mod verdicts;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::mem;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lmtp_proto::Reply;
use lmtp_proto::proxy::Network;
use lmtp_proto::server::{Config, Peer};
use lmtp_proto::value::Security;
use socket2::Socket;

use self::conversation::converse;
use self::line::{Line, Patience};
use self::machine::ServerTls;
use self::shutdown::Place;
use crate::drive::TICK;

pub use self::handler::{Handler, Session};
pub use self::listen::{Bind, Listen, Listener};
pub use self::message::{Incoming, Message};
pub use self::shutdown::Shutdown;
pub use self::verdicts::Verdicts;

/// Connections at once, unless something else is said.
const CONNECTIONS: usize = 1000;

/// Serves everybody who connects there, with the defaults of a [`Server`].
///
/// # Errors
///
/// It cannot listen there, or no longer.
pub fn serve(listen: impl Listen, handler: impl Handler) -> io::Result<()> {
    Server::new(handler).serve(listen)
}

/// A server to be set up, and then to [`serve`](Self::serve).
pub struct Server<H: Handler> {
    shared: Arc<Shared<H>>,
}

/// What all connections share.
struct Shared<H> {
    handler: H,
    config: Arc<Config>,
    max_connections: usize,
    max_per_address: usize,
    proxies: Vec<Network>,
    trusted: Vec<Network>,
    tls: Option<ServerTls>,
    shutdown: Shutdown,
    /// How many connections each address has, if that matters.
    addresses: Mutex<HashMap<IpAddr, usize>>,
}

impl<H: Handler> Server<H> {
    /// A server for this application, with the defaults of [`Config`].
    pub fn new(handler: H) -> Self {
        let shared = Shared {
            handler,
            config: Arc::default(),
            max_connections: CONNECTIONS,
            max_per_address: usize::MAX,
            proxies: Vec::new(),
            trusted: Vec::new(),
            tls: None,
            shutdown: Shutdown::default(),
            addresses: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The same server, set up in another way. Nobody shares it yet.
    fn with(mut self, set: impl FnOnce(&mut Shared<H>)) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            set(shared);
        }
        self
    }

    /// How it behaves, and what it offers.
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        self.with(|shared| shared.config = Arc::new(config))
    }

    /// How many connections it serves at once, 1000 by default, each in a thread of its
    /// own. More are greeted with 421, and when many come at once, wait to be.
    #[must_use]
    pub fn max_connections(self, most: usize) -> Self {
        self.with(|shared| shared.max_connections = most)
    }

    /// How many connections one address may have at once; no limit by default. It
    /// counts neither Unix sockets nor trusted proxies.
    #[must_use]
    pub fn max_connections_per_address(self, most: usize) -> Self {
        self.with(|shared| shared.max_per_address = most)
    }

    /// Where proxies connect from. Connections from there must begin with a PROXY
    /// header, of either version, and say it in
    /// [`Timeouts::connect`](lmtp_proto::Timeouts::connect); no other connection may.
    #[must_use]
    pub fn proxy_from(self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.with(|shared| shared.proxies.extend(networks))
    }

    /// Where trusted clients connect from, themselves and by no proxy. If there is such
    /// a place, what is for trusted clients only is offered to nobody else: see
    /// [`Offer::to_strangers`](lmtp_proto::server::Offer::to_strangers).
    #[must_use]
    pub fn trust(self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.with(|shared| shared.trusted.extend(networks))
    }

    /// How it does TLS where it listens for it: at `lmtps://` from the first octet, at
    /// `lmtp+starttls://` when the client asks, which is offered there.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(self, tls: ServerTls) -> Self {
        self.with(|shared| shared.tls = Some(tls))
    }

    /// What ends it, from wherever that is wanted.
    pub fn handle(&self) -> Shutdown {
        self.shared.shutdown.clone()
    }

    /// Serves everybody who connects there, each in a thread of its own, until it is
    /// [shut down](Shutdown::shut_down) and all connections have ended.
    ///
    /// # Errors
    ///
    /// It cannot listen there, or no longer: what passes, such as a lack of file
    /// descriptors, is waited out.
    pub fn serve(self, listen: impl Listen) -> io::Result<()> {
        let listeners = listen.listen()?;
        for listener in &listeners {
            if listener.security != Security::Plain && self.shared.tls.is_none() {
                return Err(io::Error::new(io::ErrorKind::Unsupported, "this server has no TLS set up"));
            }
        }
        accept::accept_all(&self.shared, listeners)
    }

    /// Serves one client on a socket that was accepted elsewhere, to the end.
    ///
    /// # Errors
    ///
    /// There is no thread to look after the application.
    pub fn serve_stream(&self, stream: impl Into<OwnedFd>, peer: Peer) -> io::Result<()> {
        let place = self.shared.shutdown.enter();
        let kind = self.shared.kind(Security::Plain);
        let connection = Shared::connection(&self.shared, &kind, Socket::from(stream.into()), peer, place, None);
        let (line, over) = (Arc::clone(&connection.line), AtomicBool::new(false));
        let tick = self.shared.tick();
        thread::scope(|scope| {
            let watch = || {
                while !over.load(Ordering::SeqCst) {
                    thread::park_timeout(tick);
                    line.look_after(Instant::now());
                }
            };
            let watching = thread::Builder::new().name("lmtp-watch".into()).spawn_scoped(scope, watch)?;
            connection.run();
            over.store(true, Ordering::SeqCst);
            watching.thread().unpark();
            Ok(())
        })
    }
}

impl<H: Handler> fmt::Debug for Server<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { config, max_connections, shutdown, .. } = &*self.shared;
        let mut shown = f.debug_struct("Server");
        shown.field("config", config).field("max_connections", max_connections).field("shutdown", shutdown);
        shown.finish_non_exhaustive()
    }
}

/// What connections at one listener have in common.
struct Kind {
    config: Arc<Config>,
    /// For those who are not trusted; the same, where nobody in particular is.
    strangers: Arc<Config>,
    security: Security,
}

/// One connection, from its first octet to its last.
struct Connection<H: Handler> {
    shared: Arc<Shared<H>>,
    line: Arc<Line>,
    peer: Peer,
    refusal: Option<Reply>,
    /// The place in the count of its address, where that is counted.
    address: Option<IpAddr>,
    _place: Place,
}

impl<H: Handler> Shared<H> {
    fn kind(&self, security: Security) -> Kind {
        let mut config = Arc::clone(&self.config);
        if security == Security::StartTls {
            Arc::make_mut(&mut config).offer.starttls = true;
        }
        let mut strangers = Arc::clone(&config);
        if !self.trusted.is_empty() {
            let config = Arc::make_mut(&mut strangers);
            config.offer = mem::take(&mut config.offer).to_strangers();
        }
        Kind { config, strangers, security }
    }

    fn connection(
        self: &Arc<Self>,
        Kind { config, strangers, security }: &Kind,
        socket: Socket,
        peer: Peer,
        place: Place,
        mut refusal: Option<Reply>,
    ) -> Connection<H> {
        let is_proxy = self.proxies.iter().any(|network| network.contains(&peer));
        let is_trusted = !is_proxy && self.trusted.iter().any(|network| network.contains(&peer));
        let config = if is_trusted { config } else { strangers };
        let timeouts = &config.timeouts;
        let address = peer.address.map(|address| address.ip()).filter(|_| !is_proxy);
        if address.is_some_and(|address| self.count(address) > self.max_per_address) {
            refusal = refusal.or(Some(Reply::too_many_connections()));
        }
        let machine = machine::new(config, *security, self.tls.as_ref(), is_proxy.then_some(timeouts.connect));
        let patience = Patience { handler: timeouts.handler, verdict: timeouts.verdict };
        let line = Arc::new(Line::new(machine, socket, patience, self.shutdown.clone()));
        Connection { shared: Arc::clone(self), line, peer, refusal, address, _place: place }
    }

    /// How often to look after the application.
    fn tick(&self) -> Duration {
        let timeouts = &self.config.timeouts;
        (timeouts.handler.min(timeouts.verdict) / 16).clamp(Duration::from_millis(5), TICK)
    }

    /// One connection more from that address; gives how many there are.
    fn count(&self, address: IpAddr) -> usize {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let number = addresses.entry(address).or_insert(0);
        *number += 1;
        *number
    }

    /// One connection less.
    fn forget(&self, address: IpAddr) {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = addresses.get_mut(&address) {
            *number -= 1;
            if *number == 0 {
                addresses.remove(&address);
            }
        }
    }
}

impl<H: Handler> Connection<H> {
    fn run(mut self) {
        converse(&self.line, &mut self.peer, &self.shared.handler, self.refusal.take());
        let error = self.line.close();
        let ended = || self.shared.handler.ended(&self.peer, error.as_deref().map(|error| error as _));
        // There is nothing left that a panic could spoil.
        let _ = catch_unwind(AssertUnwindSafe(ended));
    }
}

impl<H: Handler> Drop for Connection<H> {
    fn drop(&mut self) {
        self.line.leave();
        if let Some(address) = self.address {
            self.shared.forget(address);
        }
    }
}
