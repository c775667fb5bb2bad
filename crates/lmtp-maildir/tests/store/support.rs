//! What the tests of the store share.

use std::fs;
use std::path::{Path, PathBuf};

use lmtp_maildir::fs::Fs;
use lmtp_maildir::{Config, Origin, Recipient, Store, Verdict};
use lmtp_proto::ForwardPath;
use lmtp_proto::trace::{Date, Protocol};
use lmtp_proto::value::RcptParams;

/// Ann's, at a known moment.
pub(crate) fn origin() -> Origin {
    Origin {
        sender: "ann@example.org".parse().unwrap(),
        client: "mx.example.org".parse().unwrap(),
        peer: "192.0.2.1".parse().ok(),
        protocol: Protocol::default(),
        id: "4XyZ".parse().ok(),
        date: Date::new(1_795_428_000, 60).unwrap(),
    }
}

/// A configuration, set up by a closure.
pub(crate) fn config(set: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    config.name = "mda.example.org".parse().unwrap();
    "mda".clone_into(&mut config.host);
    set(&mut config);
    config
}

/// A recipient by address; without a domain it is a name.
pub(crate) fn path(address: &str) -> ForwardPath {
    address.parse().or_else(|_| ForwardPath::local(address)).expect(address)
}

pub(crate) fn recipient<F: Fs>(store: &Store<F>, address: &str) -> Result<Recipient, Verdict> {
    store.recipient(&path(address), &RcptParams::default(), None)
}

/// Delivers to all, who are known.
pub(crate) fn deliver<F: Fs>(store: &Store<F>, addresses: &[&str], content: &[u8]) -> Vec<Verdict> {
    let known = |address: &&str| recipient(store, address).unwrap_or_else(|verdict| panic!("{address}: {verdict:?}"));
    let mut delivery = store.deliver(&origin(), addresses.iter().map(known).collect());
    delivery.write(content);
    delivery.finish()
}

/// A root with these mailboxes.
pub(crate) fn root(mailboxes: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for mailbox in mailboxes {
        for folder in ["cur", "new", "tmp"] {
            fs::create_dir_all(root.path().join(mailbox).join(folder)).unwrap();
        }
    }
    root
}

/// The files in a directory, in the order of their names; none where it is not.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Everything beneath a directory, directories with a slash at the end.
pub(crate) fn tree(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in files(directory) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.symlink_metadata().unwrap().is_dir() {
            found.extend(tree(&path).into_iter().map(|below| format!("{name}/{below}")));
            found.push(format!("{name}/"));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}
