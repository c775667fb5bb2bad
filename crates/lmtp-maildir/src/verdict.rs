//! What became of a recipient, and what the client is told.

use std::fmt;
use std::io;

use lmtp_proto::Reply;
use lmtp_proto::value::EnhancedCode;

use crate::rules::NoPlace;

/// What became of one recipient: the reply, and for the log what it comes from.
#[derive(Debug)]
pub struct Verdict {
    reply: Reply,
    trouble: Option<Trouble>,
    file: Option<String>,
}

impl Verdict {
    /// The message is on disk, under that name, whatever happens.
    pub(crate) fn stored(file: String) -> Self {
        Self { reply: reply(250, [2, 0, 0], "Saved"), trouble: None, file: Some(file) }
    }

    /// What to say to the client.
    pub fn reply(&self) -> &Reply {
        &self.reply
    }

    /// Whether the message is on disk and outlasts a power failure.
    pub fn is_stored(&self) -> bool {
        self.trouble.is_none()
    }

    /// What went wrong, for the log: it may name files, which is not the client's
    /// business.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// The file, from the root; of a message that was stored.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }
}

impl From<Trouble> for Verdict {
    fn from(trouble: Trouble) -> Self {
        Self { reply: trouble.reply(), trouble: Some(trouble), file: None }
    }
}

/// What kept a message out of a mailbox.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// There is no such mailbox: 550 5.1.1.
    #[error("no such mailbox")]
    NoMailbox,
    /// Aliases lead to each other: 451 4.3.5.
    #[error("aliases lead in a circle")]
    Circle,
    /// What is there is no Maildir with `cur`, `new` and `tmp`: 451 4.3.5.
    #[error("{0} is not a Maildir")]
    NoMaildir(String),
    /// The mailbox has its quota: 452 4.2.2, or 552 5.2.2.
    #[error("over quota")]
    Full(WhenFull),
    /// The file system said no. Nothing of the message is in the mailbox.
    #[error("{what}: {error}")]
    Io {
        /// What was asked of it.
        what: What,
        /// What it said.
        error: io::Error,
    },
}

impl From<NoPlace> for Trouble {
    fn from(none: NoPlace) -> Self {
        match none {
            NoPlace::Unknown => Self::NoMailbox,
            NoPlace::Circle => Self::Circle,
        }
    }
}

/// What was asked of the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum What {
    /// To open a mailbox.
    Open,
    /// To make a mailbox or folder.
    Make,
    /// To make a file in `tmp`.
    Create,
    /// To write the message.
    Write,
    /// To put the file on disk.
    SyncFile,
    /// To move it into `new`.
    Move,
    /// To put the name on disk.
    SyncDirectory,
    /// To tell how full the mailbox is.
    Quota,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "cannot open the mailbox",
            Self::Make => "cannot make the mailbox",
            Self::Create => "cannot make a file in tmp",
            Self::Write => "cannot write the message",
            Self::SyncFile => "cannot put the message on disk",
            Self::Move => "cannot move the message into new",
            Self::SyncDirectory => "cannot put the message's name on disk",
            Self::Quota => "cannot tell how full the mailbox is",
        })
    }
}

/// What is said of a mailbox that has its quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WhenFull {
    /// 452 4.2.2: the sender tries again, some days long.
    #[default]
    Temporary,
    /// 552 5.2.2: the sender is told at once.
    Permanent,
}

impl Trouble {
    /// What the client is told. No file is named, and no trouble of the disk is for
    /// ever (RFC 3463 sections 3.2 to 3.4).
    fn reply(&self) -> Reply {
        match self {
            Self::NoMailbox => reply(550, [5, 1, 1], "No such mailbox"),
            Self::Circle | Self::NoMaildir(_) => reply(451, [4, 3, 5], "The server is not configured for that mailbox"),
            Self::Full(WhenFull::Temporary) => reply(452, [4, 2, 2], "Mailbox is full"),
            Self::Full(WhenFull::Permanent) => reply(552, [5, 2, 2], "Mailbox is full"),
            Self::Io { error, .. } => io_reply(error),
        }
    }

    /// The same trouble, for one more who has it.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::NoMailbox => Self::NoMailbox,
            Self::Circle => Self::Circle,
            Self::NoMaildir(path) => Self::NoMaildir(path.clone()),
            Self::Full(when) => Self::Full(*when),
            Self::Io { what, error } => Self::Io { what: *what, error: copied(error) },
        }
    }
}

/// Errors are not to be cloned; those of the system are numbers.
pub(crate) fn copied(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

fn io_reply(error: &io::Error) -> Reply {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::StorageFull => reply(452, [4, 3, 1], "No space on the disk"),
        Kind::QuotaExceeded => reply(452, [4, 2, 2], "Mailbox is full"),
        Kind::ReadOnlyFilesystem | Kind::PermissionDenied | Kind::NotADirectory => {
            reply(451, [4, 3, 5], "The server is not configured for that mailbox")
        }
        _ if is_exhausted(error) => reply(451, [4, 3, 2], "Too much to do, try later"),
        _ => reply(451, [4, 3, 0], "Trouble with the disk, try later"),
    }
}

/// Whether the process or the machine has no more files or memory to give.
fn is_exhausted(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS | Errno::AGAIN))
}

fn reply(code: u16, [class, subject, detail]: [u16; 3], text: &str) -> Reply {
    let enhanced = u8::try_from(class).ok().and_then(|class| EnhancedCode::new(class, subject, detail).ok());
    Reply::new(code, enhanced, text).expect("replies of this file are well formed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    /// R3463-3.3-a: a mailbox's troubles have subject 2.
    #[test]
    fn every_error_has_its_verdict() {
        lmtp_testkit::proves!("R3463-3.3-a");
        for (errno, told) in [
            (Errno::NOSPC, "452 4.3.1"),
            (Errno::DQUOT, "452 4.2.2"),
            (Errno::IO, "451 4.3.0"),
            (Errno::STALE, "451 4.3.0"),
            (Errno::FBIG, "451 4.3.0"),
            (Errno::MFILE, "451 4.3.2"),
            (Errno::NFILE, "451 4.3.2"),
            (Errno::NOMEM, "451 4.3.2"),
            (Errno::ROFS, "451 4.3.5"),
            (Errno::ACCESS, "451 4.3.5"),
            (Errno::PERM, "451 4.3.5"),
            (Errno::NOTDIR, "451 4.3.5"),
        ] {
            let trouble = Trouble::Io { what: What::Write, error: errno.into() };
            for trouble in [trouble.again(), trouble] {
                let verdict = Verdict::from(trouble);
                assert!(verdict.reply().to_string().starts_with(told), "{errno:?}: {}", verdict.reply());
                assert!(!verdict.is_stored() && verdict.file().is_none());
            }
        }
        for (trouble, told) in [
            (Trouble::NoMailbox, "550 5.1.1"),
            (Trouble::Circle, "451 4.3.5"),
            (Trouble::NoMaildir("a/b".into()), "451 4.3.5"),
            (Trouble::Full(WhenFull::Temporary), "452 4.2.2"),
            (Trouble::Full(WhenFull::Permanent), "552 5.2.2"),
        ] {
            let reply = Verdict::from(trouble.again()).reply().to_string();
            assert!(reply.starts_with(told) && !reply.contains("a/b"), "{reply}");
        }
        let stored = Verdict::stored("a/new/b".into());
        assert_eq!((stored.reply().to_string(), stored.is_stored()), ("250 2.0.0 Saved".to_owned(), true));
    }
}
