//! One message on its way to the disk.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::draft::{Draft, Heir, Placed};
use crate::fs::Fs;
use crate::header::{self, Origin};
use crate::lines::Lines;
use crate::mailbox::Maildir;
use crate::store::{Inner, Recipient};
use crate::verdict::{Trouble, Verdict};

/// What is gathered before it is written.
const PIECE: usize = 64 * 1024;
/// So many fsyncs of one message run side by side.
const SIDE_BY_SIDE: usize = 16;

/// A message on its way into mailboxes: its content comes in pieces, and then there is
/// a verdict for each recipient.
///
/// Dropped before [`finish`](Self::finish) it leaves nothing behind.
#[derive(Debug)]
#[must_use = "a message that is not finished is not delivered"]
pub struct Delivery<F: Fs> {
    store: Arc<Inner<F>>,
    origin: Origin,
    recipients: Vec<Recipient>,
    /// By place among the recipients; those without one are still under way.
    verdicts: Vec<Option<Verdict>>,
    lines: Lines,
    /// Content as on disk, not yet written.
    gathered: Vec<u8>,
    files: Files<F>,
}

/// The files of a message; none before there is much of it.
struct Files<F: Fs>(Option<Vec<Draft<F>>>);

impl<F: Fs> std::fmt::Debug for Files<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Files({:?})", self.0.as_ref().map(Vec::len))
    }
}

impl<F: Fs> Delivery<F> {
    pub(crate) fn new(store: Arc<Inner<F>>, origin: Origin, recipients: Vec<Recipient>) -> Self {
        let verdicts = recipients.iter().map(|_| None).collect();
        let lines = Lines::new(store.line_ends);
        Self { store, origin, recipients, verdicts, lines, gathered: Vec::new(), files: Files(None) }
    }

    /// Takes the next octets of the content, as they come out of the unstuffer.
    ///
    /// An error of the disk is not told here but in the verdicts of those whom it
    /// concerns.
    pub fn write(&mut self, content: &[u8]) {
        self.lines.push(content, &mut self.gathered);
        if self.files.0.is_none() && self.gathered.len() > self.store.memory {
            self.open();
        }
        if self.files.0.is_some() && self.gathered.len() >= PIECE {
            self.flush();
        }
    }

    /// Whether some recipient can still get the message. Otherwise its content may be
    /// spared, but not the call of [`finish`](Self::finish).
    pub fn is_under_way(&self) -> bool {
        self.verdicts.iter().any(Option::is_none)
    }

    /// Puts the message on disk: the verdict for each recipient, in their order.
    ///
    /// It blocks for some fsyncs. What was answered with success outlasts a power
    /// failure; of what was not, nothing is in the mailbox, as far as the disk still
    /// lets anything be removed.
    pub fn finish(mut self) -> Vec<Verdict> {
        self.lines.finish(&mut self.gathered);
        if self.files.0.is_none() {
            self.open();
        }
        self.flush();
        self.check_quotas();

        let store = Arc::clone(&self.store);
        let fs = &store.fs;
        let mut drafts = self.files.0.take().unwrap_or_default();
        side_by_side(&mut drafts, |draft| draft.sync(fs));
        let mut placed = Vec::new();
        for draft in &mut drafts {
            if self.settle_file(draft) {
                placed.extend(
                    draft
                        .place(fs, &store.names, &self.lines)
                        .into_iter()
                        .map(|done| (done, draft.sizes(&self.lines).0)),
                );
                self.settle_heirs(draft);
            }
        }
        side_by_side(&mut placed, |(done, _)| done.sync(fs));
        for (done, size) in placed {
            self.settle_placed(done, size);
        }
        self.verdicts.iter_mut().map(|verdict| verdict.take().unwrap_or_else(|| Trouble::NoMailbox.into())).collect()
    }

    /// Opens the mailboxes and makes the files in their `tmp`, with headers.
    fn open(&mut self) {
        let store = &*self.store;
        let mut groups: Vec<(u64, Vec<Heir<F>>)> = Vec::new();
        for (index, recipient) in self.recipients.iter().enumerate() {
            let opened = Maildir::open(&store.fs, &store.root, &recipient.place, store.make, &store.group)
                .and_then(|maildir| Ok((maildir.device(&store.fs)?, maildir)));
            match opened {
                Ok((device, maildir)) => {
                    let heir = Heir { index, maildir: Arc::new(maildir), trouble: None };
                    match groups.iter_mut().find(|(other, _)| store.link_copies && *other == device) {
                        Some((_, heirs)) => heirs.push(heir),
                        None => groups.push((device, vec![heir])),
                    }
                }
                Err(trouble) => self.verdicts[index] = Some(trouble.into()),
            }
        }
        let mut drafts = Vec::new();
        for (_, mut heirs) in groups {
            // A `tmp` that takes no file is the trouble of its owner alone.
            while !heirs.is_empty() {
                match Draft::new(&store.fs, &store.names, heirs) {
                    Ok(mut draft) => {
                        let only = draft.heirs.first().filter(|_| draft.heirs.len() == 1);
                        let recipient = only.and_then(|heir| self.recipients.get(heir.index));
                        let header = header::above(&self.origin, &store.by, recipient);
                        draft.write_header(&store.fs, &header, store.line_ends);
                        drafts.push(draft);
                        break;
                    }
                    Err((trouble, mut others)) => {
                        self.verdicts[others.remove(0).index] = Some(trouble.into());
                        heirs = others;
                    }
                }
            }
        }
        self.files = Files(Some(drafts));
    }

    /// Writes what is gathered, and gives up the files that do not take it.
    fn flush(&mut self) {
        let mut drafts = self.files.0.take().unwrap_or_default();
        for draft in &mut drafts {
            draft.write(&self.store.fs, &self.gathered);
        }
        self.gathered.clear();
        drafts.retain(|draft| self.settle_file(draft));
        self.files = Files(Some(drafts));
    }

    /// Who has no room for the message, now that its size is known.
    fn check_quotas(&mut self) {
        let store = Arc::clone(&self.store);
        let mut drafts = self.files.0.take().unwrap_or_default();
        for draft in &mut drafts {
            let (size, _) = draft.sizes(&self.lines);
            for heir in &mut draft.heirs {
                let recipient = self.recipients.get(heir.index);
                if recipient.is_some_and(|recipient| !recipient.ignores_quota) {
                    heir.trouble = store.quota.check(&store.fs, &heir.maildir.home, size, &store.names).err();
                }
            }
            self.settle_heirs(draft);
        }
        drafts.retain(|draft| {
            let wanted = draft.heirs.iter().any(|heir| self.verdicts[heir.index].is_none());
            if !wanted {
                draft.discard(&store.fs);
            }
            wanted
        });
        self.files = Files(Some(drafts));
    }

    /// Whether the file is well; if not, its heirs hear of it and it goes.
    fn settle_file(&mut self, draft: &Draft<F>) -> bool {
        let Some(trouble) = &draft.trouble else { return true };
        draft.discard(&self.store.fs);
        for heir in &draft.heirs {
            self.verdicts[heir.index].get_or_insert_with(|| trouble.again().into());
        }
        false
    }

    /// Tells heirs what went wrong for them alone.
    fn settle_heirs(&mut self, draft: &Draft<F>) {
        for heir in &draft.heirs {
            if let Some(trouble) = &heir.trouble {
                self.verdicts[heir.index].get_or_insert_with(|| trouble.again().into());
            }
        }
    }

    /// The verdict on a message that has its name, by whether the name is on disk.
    fn settle_placed(&mut self, mut placed: Placed<F>, size: u64) {
        let store = &*self.store;
        let verdict = match std::mem::replace(&mut placed.synced, Ok(())) {
            Ok(()) => {
                store.quota.add(&store.fs, &placed.maildir.home, size);
                Verdict::stored(format!("{}/{}", placed.maildir.path, placed.name))
            }
            Err(error) => {
                placed.withdraw(&store.fs);
                Trouble::Io { what: crate::verdict::What::SyncDirectory, error }.into()
            }
        };
        self.verdicts[placed.index] = Some(verdict);
    }
}

/// What was begun and not finished leaves `tmp`.
impl<F: Fs> Drop for Delivery<F> {
    fn drop(&mut self) {
        for draft in self.files.0.iter().flatten() {
            draft.discard(&self.store.fs);
        }
    }
}

/// Does the work on all items, as far as there are threads on several at a time: what
/// waits for the disk waits together.
fn side_by_side<T: Send>(items: &mut [T], work: impl Fn(&mut T) + Sync) {
    let helpers = items.len().min(SIDE_BY_SIDE).saturating_sub(1);
    let queue = Mutex::new(items.iter_mut());
    let run = || {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(item) = next else { break };
            work(item);
        }
    };
    thread::scope(|scope| {
        for _ in 0..helpers {
            // Whoever gets no thread does it alone.
            if thread::Builder::new().spawn_scoped(scope, run).is_err() {
                break;
            }
        }
        run();
    });
}
