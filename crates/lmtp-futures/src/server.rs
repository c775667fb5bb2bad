//! A server: who listens, who is let in, and how many.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::mem;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use lmtp_proto::Reply;
use lmtp_proto::proxy::Network;
use lmtp_proto::server::{Config, Peer};
use lmtp_proto::value::Security;

use crate::conversation::converse;
use crate::delivery::Patience;
use crate::line::Line;
use crate::machine::{self, ServerTls};
use crate::shutdown::{Place, Watch};
use crate::{Handler, Listen, Listener, Runtime, Shutdown, Timer, Transport};

/// Connections at once, unless something else is said.
const CONNECTIONS: usize = 1000;
/// So many more are told at once that there is no place. The next wait to be accepted.
const TURNED_AWAY: usize = 64;
/// How long to wait when the system has no room for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// A server to be set up, and then to [`serve`](Self::serve).
pub struct Server<R: Runtime, H: Handler> {
    shared: Arc<Shared<H>>,
    runtime: PhantomData<fn() -> R>,
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

impl<R: Runtime, H: Handler> Server<R, H> {
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
        Self { shared: Arc::new(shared), runtime: PhantomData }
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

    /// How many connections it serves at once, 1000 by default. More are greeted with
    /// 421, and when many come at once, wait to be.
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

    /// Serves everybody who connects there, each in a task of its own, until it is
    /// [shut down](Shutdown::shut_down) and all connections have ended. Dropped, it
    /// is shut down, too.
    ///
    /// # Errors
    ///
    /// It cannot listen there, or no longer: what passes, such as a lack of file
    /// descriptors, is waited out.
    pub async fn serve(self, listen: impl Listen<R>) -> io::Result<()> {
        let listeners = listen.listen()?;
        for listener in &listeners {
            if listener.security != Security::Plain && self.shared.tls.is_none() {
                return Err(io::Error::new(io::ErrorKind::Unsupported, "this server has no TLS set up"));
            }
        }
        let _end = End(&self.shared.shutdown);
        let mut loops: Vec<_> = listeners.iter().map(|listener| Box::pin(self.accept_all(listener))).collect();
        let result = poll_fn(|context| {
            let mut all_ended = true;
            for accepting in &mut loops {
                match accepting.as_mut().poll(context) {
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    // It has been shut down, and so have the others.
                    Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
                    Poll::Pending => all_ended = false,
                }
            }
            if all_ended { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await;
        drop(loops);
        drop(listeners);
        self.shared.shutdown.shut_down();
        poll_fn(|context| self.shared.shutdown.poll_fewer(1, context)).await;
        result
    }

    /// Serves one client on a stream that was accepted elsewhere, to the end.
    pub async fn serve_stream(&self, stream: impl Into<R::Transport>, peer: Peer) {
        let place = self.shared.shutdown.enter();
        let kind = Kind::new(&self.shared, Security::Plain);
        connection(Arc::clone(&self.shared), kind, stream.into(), peer, place, None).await;
    }

    /// Accepts connections until the server is shut down.
    async fn accept_all(&self, listener: &Listener<R>) -> io::Result<()> {
        let shared = &self.shared;
        let kind = Kind::new(shared, listener.security);
        let most = shared.max_connections.saturating_add(TURNED_AWAY);
        let mut watch = shared.shutdown.watch();
        loop {
            let room = async {
                poll_fn(|context| shared.shutdown.poll_fewer(most, context)).await;
                R::accept(&listener.socket).await
            };
            match unless_shut_down(&mut watch, room).await {
                None => return Ok(()),
                Some(Ok((stream, peer))) => self.begin(stream, peer, kind.clone()),
                Some(Err(error)) if passes_at_once(&error) => {}
                Some(Err(error)) if passes(&error) => {
                    let mut timer = R::Timer::new();
                    let moment = timer.now() + PAUSE;
                    unless_shut_down(&mut watch, timer.until(moment)).await;
                }
                Some(Err(error)) => return Err(error),
            }
        }
    }

    /// Serves a connection in a task of its own.
    fn begin(&self, stream: R::Transport, peer: Peer, kind: Kind) {
        let shared = Arc::clone(&self.shared);
        let is_full = shared.shutdown.connections() >= shared.max_connections;
        let place = shared.shutdown.enter();
        let refusal = is_full.then(Reply::too_many_connections);
        R::spawn(connection(shared, kind, stream, peer, place, refusal));
    }
}

impl<R: Runtime, H: Handler> fmt::Debug for Server<R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { config, max_connections, shutdown, .. } = &*self.shared;
        let mut shown = f.debug_struct("Server");
        shown.field("config", config).field("max_connections", max_connections).field("shutdown", shutdown);
        shown.finish_non_exhaustive()
    }
}

/// What connections at one listener have in common.
#[derive(Clone)]
struct Kind {
    config: Arc<Config>,
    /// For those who are not trusted; the same, where nobody in particular is.
    strangers: Arc<Config>,
    security: Security,
}

impl Kind {
    fn new<H>(shared: &Shared<H>, security: Security) -> Self {
        let mut config = Arc::clone(&shared.config);
        if security == Security::StartTls {
            Arc::make_mut(&mut config).offer.starttls = true;
        }
        let mut strangers = Arc::clone(&config);
        if !shared.trusted.is_empty() {
            let config = Arc::make_mut(&mut strangers);
            config.offer = mem::take(&mut config.offer).to_strangers();
        }
        Self { config, strangers, security }
    }
}

/// One connection, from its first octet to its last.
async fn connection<T: Transport, H: Handler>(
    shared: Arc<Shared<H>>,
    Kind { config, strangers, security }: Kind,
    stream: T,
    mut peer: Peer,
    _place: Place,
    mut refusal: Option<Reply>,
) {
    let is_proxy = shared.proxies.iter().any(|network| network.contains(&peer));
    let is_trusted = !is_proxy && shared.trusted.iter().any(|network| network.contains(&peer));
    let config = if is_trusted { config } else { strangers };
    let address = peer.address.map(|address| address.ip()).filter(|_| !is_proxy);
    let counted = address.map(|address| shared.count(address));
    if counted.as_ref().is_some_and(|counted| counted.number > shared.max_per_address) {
        refusal = refusal.or(Some(Reply::too_many_connections()));
    }
    let proxy = is_proxy.then_some(config.timeouts.connect);
    let machine = machine::new(&config, security, shared.tls.as_ref(), proxy);
    let patience = Patience { handler: config.timeouts.handler, verdict: config.timeouts.verdict };
    let mut line = Line::new(stream, machine, shared.shutdown.watch());
    converse(&mut line, &mut peer, &shared.handler, patience, refusal).await;
    let lost = line.lost().map(|lost| lost as &(dyn Error + 'static));
    let error = line.error.as_ref().map(|error| error as &(dyn Error + 'static));
    let ended = || shared.handler.ended(&peer, error.map(|error| lost.unwrap_or(error)));
    // There is nothing left that a panic could spoil.
    let _ = catch_unwind(AssertUnwindSafe(ended));
}

impl<H> Shared<H> {
    fn count(&self, address: IpAddr) -> Counted<'_> {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let number = addresses.entry(address).or_insert(0);
        *number += 1;
        Counted { addresses: &self.addresses, address, number: *number }
    }
}

/// One of the connections that an address has.
struct Counted<'a> {
    addresses: &'a Mutex<HashMap<IpAddr, usize>>,
    address: IpAddr,
    number: usize,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = addresses.get_mut(&self.address) {
            *number -= 1;
            if *number == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

/// Shuts the server down when nobody serves any more.
struct End<'a>(&'a Shutdown);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.shut_down();
    }
}

/// What a future gives; `None` if the server is shut down first.
async fn unless_shut_down<T>(watch: &mut Watch, future: impl Future<Output = T>) -> Option<T> {
    let mut future: Pin<&mut _> = pin!(future);
    poll_fn(|context| match watch.poll_shut_down(context) {
        true => Poll::Ready(None),
        false => future.as_mut().poll(context).map(Some),
    })
    .await
}

/// Whether only this one connection came to nothing.
fn passes_at_once(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::ConnectionAborted | Kind::ConnectionReset | Kind::Interrupted | Kind::WouldBlock)
}

/// Whether the system has no room, or the network is in a bad state, which gets
/// better.
fn passes(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    let kinds = [
        Kind::OutOfMemory,
        Kind::NetworkDown,
        Kind::NetworkUnreachable,
        Kind::HostUnreachable,
        Kind::PermissionDenied,
        Kind::TimedOut,
    ];
    let codes = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::EPROTO];
    kinds.contains(&error.kind()) || error.raw_os_error().is_some_and(|code| codes.contains(&code))
}
