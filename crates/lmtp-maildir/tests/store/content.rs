//! What is on disk when all goes well.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use lmtp_maildir::{Config, LineEnds, Store, Verdict, WhenFull};
use lmtp_proto::value::RcptParams;
use proptest::prelude::*;

use crate::support::{config, deliver, files, origin, path, recipient, root, tree};

const HEADER: &str = "Return-Path: <ann@example.org>\r\n\
    Delivered-To: bob@example.net\r\n\
    Received: from mx.example.org ([192.0.2.1]) by mda.example.org with LMTP\r\n \
    id 4XyZ for <bob@example.net>; Mon, 23 Nov 2026 11:00:00 +0100\r\n";

fn store(root: &tempfile::TempDir, set: impl FnOnce(&mut Config)) -> Store {
    Store::open(root.path(), config(set)).unwrap()
}

#[test]
fn a_message_with_its_header_and_sizes() {
    lmtp_testkit::proves!("R5321-4.4-a", "R5321-4.4-f", "R5321-4.4-g", "R9228-4-b");
    for ends in [LineEnds::Lf, LineEnds::Crlf] {
        let root = root(&["example.net/bob"]);
        let store = store(&root, |config| config.line_ends = ends);
        let content = "Return-Path: <old@x>\r\nDelivered-To: old@x\r\nSubject: hi\r\n\r\nHello\r\n.\r\n";
        let verdicts = deliver(&store, &["Bob@example.net", "bob@EXAMPLE.net"], content.as_bytes());
        assert!(verdicts.iter().all(Verdict::is_stored));
        assert_eq!(verdicts[0].reply().to_string(), "250 2.0.0 Saved");
        for (verdict, address) in verdicts.iter().zip(["Bob@example.net", "bob@EXAMPLE.net"]) {
            let wire = format!("{}{content}", HEADER.replace("bob@example.net", address));
            let expected = if ends == LineEnds::Lf { wire.replace("\r\n", "\n") } else { wire.clone() };
            let file = root.path().join(verdict.file().unwrap());
            assert_eq!(fs::read_to_string(&file).unwrap(), expected);
            let name = file.file_name().unwrap().to_str().unwrap();
            assert!(name.ends_with(&format!(".mda,S={},W={}", expected.len(), wire.len())), "{name}");
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(tree(&root.path().join("example.net/bob")).len(), 5);
    }
}

#[test]
fn orcpt_is_told() {
    let root = root(&["x/bob"]);
    let store = store(&root, |_| ());
    let mut params = RcptParams::default();
    params.orcpt = "rfc822;info+2Ba@example.org".parse().ok();
    let bob = store.recipient(&path("bob@x"), &params, None).unwrap();
    let verdicts = store.deliver(&origin(), vec![bob]).finish();
    let text = fs::read_to_string(root.path().join(verdicts[0].file().unwrap())).unwrap();
    let fields: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(fields, ["Return-Path", "Delivered-To", "X-Original-To", "Received"]);
    assert!(text.contains("\nX-Original-To: info+a@example.org\n"), "{text}");
}

#[test]
fn one_file_for_several_names_none_of_them() {
    let root = root(&["x/bob", "x/eve", "x/joe"]);
    let store = store(&root, |config| config.link_copies = true);
    let verdicts = deliver(&store, &["bob@x", "eve@x", "eve@x", "joe@x"], b"Hello\r\n");
    let files: Vec<_> = verdicts.iter().map(|verdict| root.path().join(verdict.file().unwrap())).collect();
    let text = fs::read_to_string(&files[0]).unwrap();
    assert!(!text.contains("Delivered-To") && !text.contains("bob") && text.ends_with("Hello\n"), "{text}");
    let inode = files[0].metadata().unwrap().ino();
    assert!(files.iter().all(|file| file.metadata().unwrap().ino() == inode));
    assert_eq!(files[0].metadata().unwrap().nlink(), 4);

    // A single recipient has a file of its own.
    let verdicts = deliver(&store, &["bob@x"], b"Hello\r\n");
    let text = fs::read_to_string(root.path().join(verdicts[0].file().unwrap())).unwrap();
    assert!(text.contains("\nDelivered-To: bob@x\n"), "{text}");
}

#[test]
fn a_client_that_breaks_off_leaves_nothing() {
    for memory in [0, 1 << 20] {
        let root = root(&["x/bob"]);
        let store = store(&root, |config| config.memory = memory);
        let mut delivery = store.deliver(&origin(), vec![recipient(&store, "bob@x").unwrap()]);
        delivery.write(b"Hello\r\n");
        assert_eq!(files(&root.path().join("x/bob/tmp")).len(), usize::from(memory == 0));
        assert!(delivery.is_under_way());
        drop(delivery);
        assert_eq!(tree(&root.path().join("x/bob")), ["cur/", "new/", "tmp/"]);
    }
}

#[test]
fn a_mailbox_that_goes_away_is_its_recipients_trouble() {
    let root = root(&["x/bob", "x/eve"]);
    let store = store(&root, |_| ());
    let known = ["bob@x", "eve@x"].map(|address| recipient(&store, address).unwrap());
    let mut delivery = store.deliver(&origin(), known.into());
    delivery.write(b"Hello\r\n");
    fs::remove_dir_all(root.path().join("x/bob")).unwrap();
    let verdicts = delivery.finish();
    assert_eq!(verdicts[0].reply().to_string(), "550 5.1.1 No such mailbox");
    assert!(verdicts[1].is_stored());
}

#[test]
fn a_quota_is_kept_at_rcpt_and_at_the_end() {
    for (when_full, told) in
        [(WhenFull::Temporary, "452 4.2.2 Mailbox is full"), (WhenFull::Permanent, "552 5.2.2 Mailbox is full")]
    {
        let root = root(&["x/bob", "x/eve"]);
        let store = store(&root, |config| {
            (config.quota.octets, config.quota.when_full) = (Some(2000), when_full);
        });
        let ask = |size, params: &RcptParams| store.recipient(&path("bob@x"), params, size);
        assert_eq!(ask(Some(2001), &RcptParams::default()).unwrap_err().reply().to_string(), told);
        let late = ask(None, &RcptParams::default()).unwrap();
        assert!(deliver(&store, &["bob@x"], &b"1500 octets\r\n".repeat(115))[0].is_stored());

        // Told at the end, to whom it concerns.
        let mut delivery = store.deliver(&origin(), vec![late, recipient(&store, "eve@x").unwrap()]);
        (0..40).for_each(|_| delivery.write(b"1000 octets, a few at a time\r\n"));
        let verdicts = delivery.finish();
        assert_eq!(verdicts[0].reply().to_string(), told);
        assert!(verdicts[1].is_stored());
        assert_eq!(files(&root.path().join("x/bob/new")).len(), 1);
        assert_eq!(files(&root.path().join("x/bob/tmp")).len(), 0);

        let mut params = RcptParams::default();
        params.ignore_quota = true;
        let bob = ask(Some(5000), &params).unwrap();
        assert!(store.deliver(&origin(), vec![bob]).finish()[0].is_stored());
    }
}

proptest! {
    #![proptest_config(lmtp_testkit::effort::cases(60))]

    /// Invariant 28: what is behind the header is what came, wherever it was cut and whenever files were made.
    #[test]
    fn content_on_disk_is_content_on_the_wire(
        content in prop::collection::vec(any::<u8>(), 0..300), cut in 1_usize..300, memory in 0_usize..400,
        lines in prop::collection::vec("[ -~é]{0,20}", 0..9),
    ) {
        let lines: String = lines.iter().flat_map(|line| [line, "\r\n"]).collect();
        for (ends, content) in [(LineEnds::Crlf, &content[..]), (LineEnds::Lf, lines.as_bytes())] {
            let root = root(&["x/bob"]);
            let store = store(&root, |config| (config.line_ends, config.memory) = (ends, memory));
            let mut delivery = store.deliver(&origin(), vec![recipient(&store, "bob@x").unwrap()]);
            content.chunks(cut).for_each(|piece| delivery.write(piece));
            let verdicts = delivery.finish();
            let mut disk = fs::read(root.path().join(verdicts[0].file().unwrap())).unwrap();
            if ends == LineEnds::Lf {
                disk = String::from_utf8(disk).unwrap().replace('\n', "\r\n").into_bytes();
            }
            let header = HEADER.replace("example.net", "x");
            // The header is folded by its length, which the address is part of.
            let behind = disk.windows(7).position(|octets| octets == b" +0100\r").unwrap() + 8;
            prop_assert!(disk.starts_with(header.split("Received").next().unwrap().as_bytes()));
            prop_assert_eq!(&disk[behind..], content);
        }
    }
}
