//! A disk in memory that remembers what was done to it, and can lose power.
//!
//! What an fsync has not covered may be there after a power failure or not, each name for itself and
//! each file up to any octet, with zeros where the data was to be: worse than file systems are.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use lmtp_maildir::fs::{Entry, Fs, Identity};

/// A file or directory, by number. 0 is the root.
pub(crate) type Node = usize;

/// What was done, as far as a power failure cares.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// A directory has a name for a node, or has it no more.
    Name(Node, String, Option<Node>),
    Write(Node, Vec<u8>),
    SyncFile(Node),
    SyncDir(Node),
    /// The test was told that the content is in that file.
    Acked(String, Vec<u8>),
}

#[derive(Default)]
struct State {
    /// Octets of files; directories have some that nobody reads.
    data: Vec<Vec<u8>>,
    names: BTreeMap<Node, BTreeMap<String, Node>>,
    log: Vec<Op>,
}

/// The disk.
#[derive(Clone)]
pub(crate) struct Sim(Arc<Mutex<State>>);

impl Sim {
    pub(crate) fn new() -> Self {
        let mut state = State { data: vec![Vec::new()], ..State::default() };
        state.names.insert(0, BTreeMap::new());
        Self(Arc::new(Mutex::new(state)))
    }

    /// Directories that were there, and on disk, before anything happened.
    pub(crate) fn with_mailboxes(mailboxes: &[&str]) -> Self {
        let sim = Self::new();
        for mailbox in mailboxes {
            for path in ["cur", "new", "tmp"] {
                let mut at = 0;
                for step in mailbox.split('/').chain([path]) {
                    let there = sim.open_dir(&at, step);
                    let below = there.or_else(|_| sim.make_dir(&at, step).and_then(|()| sim.open_dir(&at, step)));
                    sim.sync_dir(&at).unwrap();
                    at = below.unwrap();
                }
            }
        }
        sim
    }

    pub(crate) fn acked(&self, path: &str) {
        let content = self.tree().remove(path).expect("what is acknowledged is there");
        self.0.lock().unwrap().log.push(Op::Acked(path.to_owned(), content));
    }

    pub(crate) fn log(&self) -> Vec<Op> {
        self.0.lock().unwrap().log.clone()
    }

    /// All files by path, as they are.
    pub(crate) fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.0.lock().unwrap();
        walk(&state.names, &state.data)
    }

    fn change(&self, dir: Node, name: &str, node: Option<Node>, must_be_new: bool) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let names = state.names.get_mut(&dir).ok_or(io::ErrorKind::NotADirectory)?;
        if must_be_new && names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        match node {
            Some(node) => names.insert(name.to_owned(), node),
            None => Some(names.remove(name).ok_or(io::ErrorKind::NotFound)?),
        };
        state.log.push(Op::Name(dir, name.to_owned(), node));
        Ok(())
    }

    fn find(&self, dir: Node, name: &str) -> io::Result<Node> {
        let state = self.0.lock().unwrap();
        Ok(*state.names.get(&dir).and_then(|names| names.get(name)).ok_or(io::ErrorKind::NotFound)?)
    }

    fn node(&self) -> Node {
        let mut state = self.0.lock().unwrap();
        state.data.push(Vec::new());
        state.data.len() - 1
    }
}

impl Fs for Sim {
    type Dir = Node;
    type File = Node;

    fn open_dir(&self, at: &Node, name: &str) -> io::Result<Node> {
        let node = self.find(*at, name)?;
        let is_dir = self.0.lock().unwrap().names.contains_key(&node);
        if is_dir { Ok(node) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    fn make_dir(&self, at: &Node, name: &str) -> io::Result<()> {
        let node = self.node();
        self.0.lock().unwrap().names.insert(node, BTreeMap::new());
        self.change(*at, name, Some(node), true)
    }

    fn identity(&self, dir: &Node) -> io::Result<Identity> {
        Ok(Identity { device: 0, inode: *dir as u64 })
    }

    fn create(&self, at: &Node, name: &str) -> io::Result<Node> {
        let node = self.node();
        self.change(*at, name, Some(node), true)?;
        Ok(node)
    }

    fn append(&self, at: &Node, name: &str) -> io::Result<Node> {
        self.find(*at, name)
    }

    fn write(&self, file: &mut Node, octets: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock().unwrap();
        state.data[*file].extend_from_slice(octets);
        state.log.push(Op::Write(*file, octets.to_vec()));
        Ok(octets.len())
    }

    fn sync_file(&self, file: &Node) -> io::Result<()> {
        self.0.lock().unwrap().log.push(Op::SyncFile(*file));
        Ok(())
    }

    fn sync_dir(&self, dir: &Node) -> io::Result<()> {
        // Long enough for others to arrive meanwhile.
        std::thread::yield_now();
        self.0.lock().unwrap().log.push(Op::SyncDir(*dir));
        std::thread::yield_now();
        Ok(())
    }

    fn rename(&self, from: &Node, name: &str, to: &Node, new: &str) -> io::Result<()> {
        self.link(from, name, to, new)?;
        self.remove(from, name)
    }

    fn link(&self, from: &Node, name: &str, to: &Node, new: &str) -> io::Result<()> {
        let node = self.find(*from, name)?;
        self.change(*to, new, Some(node), true)
    }

    fn remove(&self, at: &Node, name: &str) -> io::Result<()> {
        self.change(*at, name, None, false)
    }

    fn read(&self, at: &Node, name: &str, most: u64) -> io::Result<Vec<u8>> {
        let node = self.find(*at, name)?;
        let state = self.0.lock().unwrap();
        Ok(state.data[node].iter().copied().take(usize::try_from(most).unwrap_or(usize::MAX)).collect())
    }

    fn list(&self, dir: &Node) -> io::Result<Vec<Entry>> {
        let state = self.0.lock().unwrap();
        let names = state.names.get(dir).ok_or(io::ErrorKind::NotADirectory)?;
        let entry = |(name, node): (&String, &Node)| Entry {
            name: name.clone(),
            is_dir: state.names.contains_key(node),
            size: state.data[*node].len() as u64,
        };
        Ok(names.iter().map(entry).collect())
    }
}

/// How a power failure chooses.
pub(crate) trait Choice {
    /// Whether a name that was not put on disk has got there.
    fn name(&mut self) -> bool;
    /// How many of so many octets that were not put on disk have got there.
    fn octets(&mut self, of: usize) -> usize;
}

/// What is on disk after a power failure behind the first operations: all files by path.
pub(crate) fn after_power_loss(log: &[Op], choice: &mut dyn Choice) -> BTreeMap<String, Vec<u8>> {
    let mut names: BTreeMap<Node, BTreeMap<String, Node>> = BTreeMap::from([(0, BTreeMap::new())]);
    let mut changes: BTreeMap<Node, Vec<(String, Option<Node>)>> = BTreeMap::new();
    let mut data: Vec<Vec<u8>> = Vec::new();
    let mut synced: Vec<usize> = Vec::new();
    for op in log {
        match op {
            Op::Name(dir, name, node) => changes.entry(*dir).or_default().push((name.clone(), *node)),
            Op::Write(node, octets) => {
                data.resize(data.len().max(node + 1), Vec::new());
                data[*node].extend_from_slice(octets);
            }
            Op::SyncFile(node) => {
                synced.resize(synced.len().max(node + 1), 0);
                synced[*node] = data.get(*node).map_or(0, Vec::len);
            }
            Op::SyncDir(dir) => apply(names.entry(*dir).or_default(), changes.remove(dir).unwrap_or_default()),
            Op::Acked(..) => {}
        }
    }
    for (dir, changes) in changes {
        let survivors = changes.into_iter().filter(|_| choice.name()).collect();
        apply(names.entry(dir).or_default(), survivors);
    }
    for (node, data) in data.iter_mut().enumerate() {
        let sure = synced.get(node).copied().unwrap_or(0);
        let torn = sure + choice.octets(data.len() - sure);
        // The length may be on disk and the data not.
        if choice.name() { data[torn..].fill(0) } else { data.truncate(torn) }
    }
    walk(&names, &data)
}

fn apply(names: &mut BTreeMap<String, Node>, changes: Vec<(String, Option<Node>)>) {
    for (name, node) in changes {
        match node {
            Some(node) => names.insert(name, node),
            None => names.remove(&name),
        };
    }
}

/// All files by path. A directory of which nothing got to the disk is an empty file here.
fn walk(names: &BTreeMap<Node, BTreeMap<String, Node>>, data: &[Vec<u8>]) -> BTreeMap<String, Vec<u8>> {
    let (mut files, mut open, mut seen) = (BTreeMap::new(), vec![(String::new(), 0)], BTreeSet::new());
    while let Some((path, dir)) = open.pop() {
        assert!(seen.insert(dir), "a directory has one name");
        for (name, node) in names.get(&dir).into_iter().flatten() {
            let path = format!("{path}{name}");
            if names.contains_key(node) {
                open.push((format!("{path}/"), *node));
            } else {
                files.insert(path, data.get(*node).cloned().unwrap_or_default());
            }
        }
    }
    files
}
