//! The server of the demonstration: the one of `lmtp serve`, with two mailboxes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use lmtp_serve::settings::Format;
use lmtp_serve::{Service, Settings, serve_here};

use super::place::Place;

/// How full a mailbox may be, in octets. Bob's is empty, and in that of Full is one message already.
const QUOTA: u64 = 4000;
const TAKEN: usize = 3800;

/// A server that runs.
pub(super) struct Server {
    service: lmtp_serve::Shutdown,
    thread: JoinHandle<io::Result<()>>,
    mail: PathBuf,
}

/// A message that was kept: where, beneath the mailboxes, and what stands in the file.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) file: String,
    pub(super) text: String,
}

impl Server {
    /// Makes the mailboxes and listens.
    pub(super) fn start(place: &Place) -> Result<Self, String> {
        let mail = place.join("mail");
        furnish(&mail).map_err(|error| format!("no mailboxes: {error}"))?;
        let mut settings = Settings::default();
        settings.name = "mx.example.org".into();
        settings.listen = vec![format!("unix:{}", place.join("lmtp").display())];
        settings.maildir.root.clone_from(&mail);
        settings.maildir.quota_octets = QUOTA;
        settings.log.format = Format::None;
        let service = Service::new(&settings).map_err(|problem| problem.to_string())?;
        let handle = service.handle();
        let thread = thread::spawn(move || serve_here(service));
        Ok(Self { service: handle, thread, mail })
    }

    /// Ends it; what it has kept for Bob.
    pub(super) fn end(self) -> Result<Kept, String> {
        self.service.shut_down();
        self.thread.join().map_err(|_| "the server panicked")?.map_err(|error| error.to_string())?;
        let new = self.mail.join("example.org/bob/new");
        let entry = fs::read_dir(new).and_then(|mut files| files.next().transpose());
        let Some(entry) = entry.map_err(|error| error.to_string())? else {
            return Err("nothing was kept".into());
        };
        let text = fs::read_to_string(entry.path()).map_err(|error| error.to_string())?;
        Ok(Kept { file: format!("example.org/bob/new/{}", entry.file_name().to_string_lossy()), text })
    }
}

fn furnish(mail: &Path) -> io::Result<()> {
    for user in ["bob", "full"] {
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(mail.join("example.org").join(user).join(part))?;
        }
    }
    let old = mail.join("example.org/full/cur/844160700.M1P1.mx:2,S");
    fs::write(old, "x".repeat(TAKEN))
}
