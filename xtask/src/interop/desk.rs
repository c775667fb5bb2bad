//! The server of ours that foreign clients deliver to: it answers for each recipient on its own, and keeps
//! what it accepts.
//!
//! What the peers see of it is [`Desk`] and nothing else. To put another server of ours in its place, change
//! [`Desk::open`], and where [`Desk::take`] looks.

use std::collections::{HashMap, HashSet};
use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result, anyhow};
use lmtp_tokio::proto::value::EnhancedCode;
use lmtp_tokio::{
    ForwardPath, Handler, Listener, Message, Network, Peer, RcptParams, RecipientId, Reply, Security, Server,
    ServerConfig, ServerTls, Session, Shutdown, Verdicts,
};
use tempfile::TempDir;

use super::certificates::Certificates;
use super::place;

/// Who is known: mail for the first two is stored, full has no room now, huge never will, and later has none
/// for the first message.
const USERS: [&str; 5] = ["good", "bob", "full", "huge", "later"];

/// What was accepted, by user.
#[derive(Default)]
struct Kept {
    messages: HashMap<String, Vec<Vec<u8>>>,
    /// Those who were told to come again.
    sent_away: HashSet<String>,
    last: Option<Caller>,
}

/// A client that has delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// A proxy has spoken for it.
    pub(crate) by_proxy: bool,
    /// Where it is, as far as the proxy says.
    pub(crate) address: Option<SocketAddr>,
    /// Its line is encrypted.
    pub(crate) encrypted: bool,
}

impl Caller {
    fn of(peer: &Peer) -> Self {
        Self { by_proxy: peer.proxy.is_some(), address: peer.client(), encrypted: peer.tls.is_some() }
    }
}

type Shared = Arc<Mutex<Kept>>;

pub(crate) struct Desk {
    directory: TempDir,
    ports: Ports,
    kept: Shared,
    shutdowns: [Shutdown; 2],
    serving: Option<JoinHandle<io::Result<()>>>,
    certificates: Certificates,
}

/// Where it listens on the loopback.
#[derive(Clone, Copy)]
struct Ports {
    plain: u16,
    starttls: u16,
    tls: u16,
    proxied: u16,
    proxied_tls: u16,
}

impl Desk {
    pub(crate) fn open() -> Result<Self> {
        let directory = place::directory()?;
        let certificates = Certificates::make()?;
        let tls = ServerTls::builder(certificates.chain("server"), certificates.key("server")).build()?;
        let socket = directory.path().join("lmtp.sock");
        let unix = UnixListener::bind(&socket)?;
        // Clients give up root before they connect.
        fs::set_permissions(&socket, Permissions::from_mode(0o666))?;
        unix.set_nonblocking(true)?;

        let kept = Shared::default();
        let server = |proxies: &[Network]| {
            let mut config = ServerConfig::default();
            // Exim sends BDAT where it is offered.
            config.offer.chunking = true;
            let server = Server::new(Counter(Arc::clone(&kept))).config(config).tls(tls.clone());
            server.proxy_from(proxies.iter().copied())
        };
        let (direct, proxied) = (server(&[]), server(&["127.0.0.0/8".parse()?]));
        let shutdowns = [direct.handle(), proxied.handle()];

        let ([plain, starttls, secure], direct_ports) = listen()?;
        let ([by_proxy, by_proxy_secure], proxied_ports) = listen()?;
        let serving = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            runtime.block_on(async move {
                let tcp = |socket, security| {
                    tokio::net::TcpListener::from_std(socket).map(|socket| Listener::new(socket).security(security))
                };
                let direct = direct.serve([
                    Listener::new(tokio::net::UnixListener::from_std(unix)?),
                    tcp(plain, Security::Plain)?,
                    tcp(starttls, Security::StartTls)?,
                    tcp(secure, Security::Tls)?,
                ]);
                let proxied = proxied.serve([tcp(by_proxy, Security::Plain)?, tcp(by_proxy_secure, Security::Tls)?]);
                tokio::try_join!(direct, proxied).map(|_| ())
            })
        });
        let [plain, starttls, tls] = direct_ports;
        let [proxied, proxied_tls] = proxied_ports;
        let ports = Ports { plain, starttls, tls, proxied, proxied_tls };
        Ok(Self { directory, ports, kept, shutdowns, serving: Some(serving), certificates })
    }

    /// The Unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("lmtp.sock")
    }

    /// The port on the loopback.
    pub(crate) fn port(&self) -> u16 {
        self.ports.plain
    }

    /// The one where STARTTLS is offered.
    pub(crate) fn starttls_port(&self) -> u16 {
        self.ports.starttls
    }

    /// The one where TLS is spoken at once.
    pub(crate) fn tls_port(&self) -> u16 {
        self.ports.tls
    }

    /// The one for proxies, which begin with a PROXY header.
    pub(crate) fn proxied_port(&self) -> u16 {
        self.ports.proxied
    }

    /// The same, with TLS behind the header.
    pub(crate) fn proxied_tls_port(&self) -> u16 {
        self.ports.proxied_tls
    }

    /// What it shows in TLS, and who has issued that.
    pub(crate) fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// A directory for a client's files, which everybody may enter.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Takes all messages of a user out.
    pub(crate) fn take(&self, user: &str) -> Vec<Vec<u8>> {
        locked(&self.kept).messages.remove(user).unwrap_or_default()
    }

    /// Who has delivered the last message.
    pub(crate) fn last_caller(&self) -> Option<Caller> {
        locked(&self.kept).last
    }

    /// Takes everything out, and forgets who was there.
    pub(crate) fn clear(&self) {
        *locked(&self.kept) = Kept::default();
    }

    pub(crate) fn close(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        self.shutdowns.iter().for_each(Shutdown::shut_down);
        let Some(serving) = self.serving.take() else { return Ok(()) };
        serving.join().map_err(|_| anyhow!("the server has panicked"))?.context("the server")
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("{error:#}");
        }
    }
}

/// Sockets that listen on the loopback, and their ports.
fn listen<const N: usize>() -> Result<([TcpListener; N], [u16; N])> {
    let mut sockets = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let socket = TcpListener::bind(("127.0.0.1", 0))?;
        socket.set_nonblocking(true)?;
        *port = socket.local_addr()?.port();
        sockets.push(socket);
    }
    let sockets = sockets.try_into().map_err(|_| anyhow!("a socket is missing"))?;
    Ok((sockets, ports))
}

/// Everybody gets a clerk.
struct Counter(Shared);

impl Handler for Counter {
    type Session = Clerk;

    async fn connect(&self, peer: &Peer) -> Result<Clerk, Reply> {
        Ok(Clerk { kept: Arc::clone(&self.0), peer: peer.clone() })
    }
}

/// One connection.
struct Clerk {
    kept: Shared,
    peer: Peer,
}

impl Session for Clerk {
    async fn rcpt(&mut self, to: &ForwardPath, _: &RcptParams) -> Result<(), Reply> {
        if USERS.contains(&user(to)) { Ok(()) } else { Err(Reply::no_such_user()) }
    }

    async fn deliver(&mut self, mut message: Message, verdicts: Verdicts) {
        let Ok(mail) = message.body.read_all().await else { return };
        locked(&self.kept).last = Some(Caller::of(&self.peer));
        for (index, (to, _)) in (0..).zip(message.envelope.recipients()) {
            let refusal = match user(to) {
                "full" => refusal(452, 4, "No room at the moment"),
                "huge" => refusal(552, 5, "No room for that"),
                "later" if locked(&self.kept).sent_away.insert("later".to_owned()) => {
                    refusal(451, 4, "Come again a little later")
                }
                _ => None,
            };
            let reply = refusal.unwrap_or_else(|| {
                locked(&self.kept).messages.entry(user(to).to_owned()).or_default().push(mail.to_vec());
                Reply::stored()
            });
            // Too late: then the client was told 451, and the check that it is part of fails.
            let _ = verdicts.give(RecipientId(index), reply);
        }
    }

    fn secured(&mut self, peer: &Peer) {
        self.peer = peer.clone();
    }
}

fn refusal(code: u16, class: u8, text: &str) -> Option<Reply> {
    Reply::new(code, EnhancedCode::new(class, 2, 2).ok(), text).ok()
}

fn user(to: &ForwardPath) -> &str {
    match to {
        ForwardPath::Mailbox(mailbox) => mailbox.local_part(),
        _ => "",
    }
}

/// A panic of another connection leaves the map as it was.
fn locked(kept: &Shared) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
