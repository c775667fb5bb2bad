//! A small server of ours, for foreign clients: it runs in this process, answers for each recipient on its
//! own, and keeps what it accepts.

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result, anyhow};
use lmtp_blocking::proto::value::EnhancedCode;
use lmtp_blocking::{
    ForwardPath, Listener, Message, Peer, RcptParams, RecipientId, Reply, Server, ServerConfig, Session, Shutdown,
    Verdicts,
};
use tempfile::TempDir;

/// Who is known: mail for the first two is stored, full has no room now, and huge never will.
const USERS: [&str; 4] = ["good", "bob", "full", "huge"];

/// What was accepted, by user.
type Stored = Arc<Mutex<HashMap<String, Vec<Vec<u8>>>>>;

pub(crate) struct Desk {
    directory: TempDir,
    port: u16,
    stored: Stored,
    shutdown: Shutdown,
    serving: Option<JoinHandle<io::Result<()>>>,
}

impl Desk {
    pub(crate) fn open() -> Result<Self> {
        // Not where TMPDIR says: socket paths have to stay below 108 octets.
        let directory = tempfile::Builder::new().prefix("lmtp-").tempdir_in("/tmp")?;
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
        let socket = directory.path().join("lmtp.sock");
        let unix = UnixListener::bind(&socket)?;
        // Clients give up root before they connect.
        fs::set_permissions(&socket, Permissions::from_mode(0o666))?;
        let tcp = TcpListener::bind(("127.0.0.1", 0))?;
        let port = tcp.local_addr()?.port();

        let stored = Stored::default();
        let desk = Arc::clone(&stored);
        let mut config = ServerConfig::default();
        // Exim sends BDAT where it is offered.
        config.offer.chunking = true;
        let server = Server::new(move |_: &Peer| Clerk(Arc::clone(&desk))).config(config);
        let shutdown = server.handle();
        let serving = thread::spawn(move || server.serve([Listener::new(tcp), Listener::new(unix)]));
        Ok(Self { directory, port, stored, shutdown, serving: Some(serving) })
    }

    /// The Unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("lmtp.sock")
    }

    /// The port on the loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A directory for a client's files, which everybody may enter.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Takes all messages of a user out.
    pub(crate) fn take(&self, user: &str) -> Vec<Vec<u8>> {
        locked(&self.stored).remove(user).unwrap_or_default()
    }

    /// Takes everything out.
    pub(crate) fn clear(&self) {
        locked(&self.stored).clear();
    }

    pub(crate) fn close(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        self.shutdown.shut_down();
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

/// One connection.
struct Clerk(Stored);

impl Session for Clerk {
    fn rcpt(&mut self, to: &ForwardPath, _: &RcptParams) -> Result<(), Reply> {
        if USERS.contains(&user(to)) { Ok(()) } else { Err(Reply::no_such_user()) }
    }

    fn deliver(&mut self, mut message: Message, verdicts: Verdicts) {
        let Ok(mail) = message.body.read_all() else { return };
        for (index, (to, _)) in (0..).zip(message.envelope.recipients()) {
            let refusal = match user(to) {
                "full" => refusal(452, 4, "No room at the moment"),
                "huge" => refusal(552, 5, "No room for that"),
                _ => None,
            };
            let reply = refusal.unwrap_or_else(|| {
                locked(&self.0).entry(user(to).to_owned()).or_default().push(mail.to_vec());
                Reply::stored()
            });
            // Too late: then the client was told 451, and the check that it is part of fails.
            let _ = verdicts.give(RecipientId(index), reply);
        }
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
fn locked(stored: &Stored) -> MutexGuard<'_, HashMap<String, Vec<Vec<u8>>>> {
    stored.lock().unwrap_or_else(PoisonError::into_inner)
}
