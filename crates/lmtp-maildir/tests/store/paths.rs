//! Invariant 26: no recipient makes anything outside the root, or through a link.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use lmtp_maildir::{Config, Folders, Store, Verdict};
use lmtp_proto::ForwardPath;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use crate::support::{config, deliver, origin, path, recipient, root, tree};

/// A store that makes everything it is asked for, in a directory with others beside it.
fn willing(outer: &tempfile::TempDir, set: impl FnOnce(&mut Config)) -> Store {
    let mail = outer.path().join("mail");
    fs::create_dir_all(&mail).unwrap();
    Store::open(
        &mail,
        config(|config| {
            config.create = true;
            config.rules.delimiter = Some('+');
            config.rules.folders = Folders::Create;
            set(config);
        }),
    )
    .unwrap()
}

fn try_deliver(store: &Store, recipient: &ForwardPath) -> Verdict {
    match store.recipient(recipient, &lmtp_proto::value::RcptParams::default(), None) {
        Ok(recipient) => store.deliver(&origin(), vec![recipient]).finish().remove(0),
        Err(verdict) => verdict,
    }
}

/// Local parts that would be somewhere else if they could.
fn hostile() -> impl Strategy<Value = String> {
    let step = prop_oneof![
        "(\\.\\./){1,5}etc",
        "[./]{1,6}",
        "/[a-z/]{0,9}",
        "[a-z+./~]{0,12}",
        "\\.[a-zA-Z]{1,5}",
        "(cur|new|tmp|maildirsize)",
        "[a-z]{1,3}\\+[./a-zA-Z]{0,9}",
        "[\\x00-\\x1f]{0,3}[a-z]?",
        "\\PC{0,12}",
        "a{200,300}",
    ];
    step.prop_map(|text| text.replace('\\', "\\\\").replace('"', "\\\""))
}

proptest! {
    #![proptest_config(lmtp_testkit::effort::cases(150))]

    /// Whatever the address: what is made is beneath the root, in a Maildir at the depth of the template.
    #[test]
    fn nothing_is_made_outside_the_root(
        local in hostile(), domain in prop_oneof!["[a-z.-]{1,20}", "\\[[a-z]+:[!-~]{1,12}\\]", Just("\u{fc}.x".into())],
        octets in prop::collection::vec(any::<u8>(), 0..40), template in prop::sample::select(vec!["{domain}/{user}", "{user}"]),
    ) {
        let outer = tempfile::tempdir().unwrap();
        let store = willing(&outer, |config| config.rules.template = template.parse().ok());
        let texts = [
            format!("\"{local}\"@{domain}"),
            format!("{local}@{domain}"),
            String::from_utf8_lossy(&octets).into_owned(),
        ];
        let recipients = texts.iter().flat_map(|text| {
            [text.parse().ok(), ForwardPath::local(text).ok(), ForwardPath::local(&format!("\"{text}\"")).ok()]
        });
        let mut stored = 0;
        for recipient in recipients.flatten() {
            let verdict = try_deliver(&store, &recipient);
            let told = verdict.reply().to_string();
            prop_assert!(verdict.is_stored() || told.starts_with("550 5.1.1"), "{:?}", verdict);
            if let Some(file) = verdict.file() {
                stored += 1;
                prop_assert!(outer.path().join("mail").join(file).is_file(), "{}", file);
            }
        }
        let depth = template.split('/').count();
        let mut found = 0;
        for path in tree(outer.path()) {
            let steps: Vec<&str> = path.split('/').collect();
            prop_assert_eq!(steps[0], "mail", "{}", path);
            // A file is a message in `new`, or tells that a folder is one.
            if !path.ends_with('/') {
                let in_mailbox = &steps[1 + depth..];
                let is_message = matches!(in_mailbox, ["new", _] | [_, "new", _]);
                prop_assert!(is_message || matches!(in_mailbox, [_, "maildirfolder"]), "{}", path);
                found += usize::from(is_message);
            }
        }
        prop_assert_eq!(found, stored);
    }
}

/// The property above is put to the test: its generator reaches those who get something and those who get nothing.
#[test]
fn hostile_addresses_of_both_kinds_are_made() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut stored, mut refused) = (0, 0);
    let outer = tempfile::tempdir().unwrap();
    let store = willing(&outer, |_| ());
    for _ in 0..200 {
        let local = hostile().new_tree(&mut runner).unwrap().current();
        if let Ok(recipient) = format!("\"{local}\"@x").parse() {
            if try_deliver(&store, &recipient).is_stored() { stored += 1 } else { refused += 1 }
        }
    }
    assert!(stored > 20 && refused > 50, "{stored} stored, {refused} refused");
}

#[test]
fn links_are_not_followed() {
    let outer = root(&["outside/bob", "mail/x/bob", "mail/x/eve"]);
    let (mail, outside) = (outer.path().join("mail"), outer.path().join("outside"));
    symlink(&outside, mail.join("linked")).unwrap();
    symlink(outside.join("bob"), mail.join("x/joe")).unwrap();
    for inner in ["new", "tmp", "cur"] {
        let mailbox = mail.join(format!("x/u{inner}"));
        for folder in ["cur", "new", "tmp"] {
            fs::create_dir_all(mailbox.join(folder)).unwrap();
        }
        fs::remove_dir(mailbox.join(inner)).unwrap();
        symlink(outside.join("bob").join(inner), mailbox.join(inner)).unwrap();
    }
    symlink(outside.join("bob"), mail.join("x/eve/.folder")).unwrap();
    let before = tree(&outside);
    let store = willing(&outer, |_| ());
    for address in ["bob@linked", "new@linked", "joe@x", "unew@x", "utmp@x", "ucur@x", "eve+folder@x"] {
        let verdict = try_deliver(&store, &path(address));
        assert_eq!(verdict.reply().code().get(), 451, "{address}: {verdict:?}");
    }
    assert_eq!(tree(&outside), before);
    assert!(try_deliver(&store, &path("bob@x")).is_stored());
}

#[test]
fn only_mailboxes_that_are_there_unless_told() {
    let root = root(&["x/bob"]);
    fs::create_dir(root.path().join("x/half")).unwrap();
    let before = tree(root.path());
    let store = Store::open(root.path(), config(|_| ())).unwrap();
    let refused = |address| recipient(&store, address).unwrap_err().reply().to_string();
    for address in ["eve@x", "bob@y", "bob+a@x", "postmaster", "postmaster@x", "bob"] {
        assert_eq!(refused(address), "550 5.1.1 No such mailbox", "{address}");
    }
    assert!(refused("half@x").starts_with("451 4.3.5"));
    assert_eq!(tree(root.path()), before);

    let store = Store::open(root.path(), config(|config| config.create = true)).unwrap();
    assert!(deliver(&store, &["eve@y", "half@x", "eve@y"], b"Hello\r\n").iter().all(Verdict::is_stored));
    let made = root.path().join("y/eve");
    assert_eq!(tree(&made).len(), 5);
    assert_eq!(made.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn folders_that_are_there_or_made() {
    let root = root(&["x/bob", "x/bob/.lists"]);
    for (folders, expected) in [(Folders::Existing, "x/bob/new"), (Folders::Create, "x/bob/.rust/new")] {
        let store = Store::open(
            root.path(),
            config(|config| {
                (config.rules.delimiter, config.rules.folders) = (Some('+'), folders);
            }),
        )
        .unwrap();
        let verdicts = deliver(&store, &["bob+lists@x", "bob+rust@x"], b"Hello\r\n");
        assert!(verdicts[0].file().unwrap().starts_with("x/bob/.lists/new/"));
        assert!(verdicts[1].file().unwrap().starts_with(expected));
    }
    assert!(root.path().join("x/bob/.rust/maildirfolder").is_file());
}

#[test]
fn a_postmaster_who_is_refused_is_warned_of() {
    let root = root(&["x/postmaster", "y/bob"]);
    let domains = || ["x", "y"].map(|domain| domain.parse().unwrap()).into();
    let store = Store::open(root.path(), config(|config| config.rules.domains = Some(domains()))).unwrap();
    let warnings = store.warnings();
    assert_eq!(
        warnings,
        ["postmaster", "postmaster@y"]
            .map(|address| { format!("mail for <{address}> is refused: 550 5.1.1 No such mailbox") })
    );
    let store = Store::open(
        root.path(),
        config(|config| {
            (config.rules.domains, config.rules.postmaster) = (Some(domains()), "bob@y".parse().ok());
        }),
    )
    .unwrap();
    assert_eq!(store.warnings(), [""; 0]);
    assert!(deliver(&store, &["postmaster", "PostMaster@x"], b"Hello\r\n").iter().all(Verdict::is_stored));
}
