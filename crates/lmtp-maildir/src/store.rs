//! A tree of mailboxes.

use std::path::Path;
use std::sync::Arc;

use lmtp_proto::ForwardPath;
use lmtp_proto::value::{Domain, LhloName, OriginalRecipient, RcptParams};

use crate::delivery::Delivery;
use crate::fs::Fs;
use crate::group::Group;
use crate::header::{By, Origin};
use crate::lines::LineEnds;
use crate::mailbox::{self, Make};
use crate::name::{Names, system_clock};
use crate::quota::Quota;
use crate::rules::{Place, Rules};
use crate::system::System;
use crate::verdict::{Trouble, Verdict};

/// How a store behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Whose mailbox is where.
    pub rules: Rules,
    /// The server's name, in `Received`; `localhost` by default.
    pub name: LhloName,
    /// Its name in U-labels, said where UTF-8 may be said.
    pub utf8_name: Option<Domain>,
    /// The machine's name, in the names of files; what the system says by default.
    pub host: String,
    /// Whether a mailbox that is not there is made. By default its recipient is
    /// refused.
    pub create: bool,
    /// How full each mailbox may be.
    pub quota: Quota,
    /// How lines end on disk.
    pub line_ends: LineEnds,
    /// Whether messages that arrive together in one mailbox share the fsync of its
    /// directory: on by default. Each answer waits for an fsync that began after its
    /// message was there, either way.
    pub group_commit: bool,
    /// Whether a message to several recipients is one file with several names, where
    /// the file system allows. Such a file has no `Delivered-To`, no `X-Original-To` and no
    /// recipient in `Received`, and trouble with writing it is everybody's: off by
    /// default.
    pub link_copies: bool,
    /// How many octets of a message are kept in memory before files are made for
    /// it: 256 KiB by default. Below that a client that breaks off costs no disk.
    pub memory: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            name: LhloName::default(),
            utf8_name: None,
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            create: false,
            quota: Quota::default(),
            line_ends: LineEnds::default(),
            group_commit: true,
            link_copies: false,
            memory: 256 * 1024,
        }
    }
}

impl Config {
    /// The [warnings](Store::warnings) of a store whose root is still to be made,
    /// with its mailboxes.
    pub fn warnings(&self) -> Vec<String> {
        refused_postmasters(&self.rules, |postmaster| {
            self.rules.place(postmaster).err().map(|none| Trouble::from(none).into())
        })
    }
}

/// A line for each postmaster that is refused.
fn refused_postmasters(rules: &Rules, refusal: impl Fn(&ForwardPath) -> Option<Verdict>) -> Vec<String> {
    let domains = rules.domains.iter().flatten().map(|domain| format!("postmaster@{domain}"));
    let addresses = std::iter::once("postmaster".to_owned()).chain(domains);
    let refused = |address: String| {
        let verdict = refusal(&address.parse().ok()?)?;
        Some(format!("mail for <{address}> is refused: {}", verdict.reply()))
    };
    addresses.filter_map(refused).collect()
}

/// A tree of mailboxes beneath one directory, that takes messages: whose verdict is
/// [`stored`](Verdict::is_stored) outlasts a crash and a power failure.
///
/// It is shared by all threads that deliver, and cheap to clone. Calls block on the
/// disk.
#[derive(Debug)]
pub struct Store<F: Fs = System> {
    pub(crate) inner: Arc<Inner<F>>,
}

pub(crate) struct Inner<F: Fs> {
    pub(crate) fs: F,
    pub(crate) root: F::Dir,
    pub(crate) rules: Rules,
    pub(crate) by: By,
    pub(crate) make: Make,
    pub(crate) quota: Quota,
    pub(crate) line_ends: LineEnds,
    pub(crate) link_copies: bool,
    pub(crate) memory: usize,
    pub(crate) names: Names,
    pub(crate) group: Group<F>,
}

impl<F: Fs> std::fmt::Debug for Inner<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl<F: Fs> Clone for Store<F> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl Store {
    /// The mailboxes beneath that directory, which is there.
    ///
    /// # Errors
    ///
    /// It cannot be opened, or the system has no random numbers.
    pub fn open(root: &Path, config: Config) -> std::io::Result<Self> {
        Self::with(System, System.root(root)?, config)
    }
}

impl<F: Fs> Store<F> {
    /// The mailboxes beneath `root` on that file system.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn with(fs: F, root: F::Dir, config: Config) -> std::io::Result<Self> {
        let names = Names::new(&config.host, system_clock).map_err(std::io::Error::other)?;
        let inner = Inner {
            fs,
            root,
            make: Make { mailboxes: config.create, folders: config.rules.folders },
            rules: config.rules,
            by: By { name: config.name, utf8: config.utf8_name },
            quota: config.quota,
            line_ends: config.line_ends,
            link_copies: config.link_copies,
            memory: config.memory,
            names,
            group: Group::new(config.group_commit),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether there is a mailbox for that recipient, and room in it for what MAIL
    /// said in SIZE: the answer to RCPT.
    ///
    /// # Errors
    ///
    /// The verdict with which to refuse it.
    pub fn recipient(&self, path: &ForwardPath, params: &RcptParams, size: Option<u64>) -> Result<Recipient, Verdict> {
        let inner = &*self.inner;
        let place = inner.rules.place(path).map_err(Trouble::from)?;
        let look = mailbox::look(&inner.fs, &inner.root, &place);
        match look {
            Ok(Some(home)) if !params.ignore_quota => {
                inner.quota.check(&inner.fs, &home, size.unwrap_or(0), &inner.names)?;
            }
            Ok(Some(_)) => {}
            // It is made when there is a message for it.
            Ok(None) | Err(Trouble::NoMaildir(_)) if inner.make.mailboxes => {}
            Ok(None) => return Err(Trouble::NoMailbox.into()),
            Err(trouble) => return Err(trouble.into()),
        }
        let original = params.orcpt.clone();
        Ok(Recipient { path: path.clone(), original, ignores_quota: params.ignore_quota, place })
    }

    /// What an operator should know before mail comes, one line each: a postmaster
    /// that is refused, without a domain or at one of ours (RFC 5321 section 4.5.1).
    pub fn warnings(&self) -> Vec<String> {
        refused_postmasters(&self.inner.rules, |postmaster| {
            self.recipient(postmaster, &RcptParams::default(), None).err()
        })
    }

    /// Begins to take a message for those recipients, in the order of RCPT. One that
    /// is there twice gets two copies.
    pub fn deliver(&self, origin: &Origin, recipients: Vec<Recipient>) -> Delivery<F> {
        Delivery::new(Arc::clone(&self.inner), origin.clone(), recipients)
    }
}

/// A recipient who has a mailbox, or will have one.
#[derive(Debug, Clone)]
pub struct Recipient {
    path: ForwardPath,
    original: Option<OriginalRecipient>,
    pub(crate) ignores_quota: bool,
    pub(crate) place: Place,
}

impl Recipient {
    /// As RCPT named it.
    pub fn path(&self) -> &ForwardPath {
        &self.path
    }

    /// As the sender named it, in ORCPT.
    pub fn original(&self) -> Option<&OriginalRecipient> {
        self.original.as_ref()
    }

    /// Its mailbox, from the root.
    pub fn mailbox(&self) -> String {
        self.place.mailbox.to_string()
    }
}
