//! How fast a message goes through, beside searches that could not be done
//! without, and beside a copy.
//!
//! `cargo bench --package lmtp-proto --bench data`

mod common;

use common::{Table, mail, throughput};
use lmtp_proto::bytes::{Bytes, BytesMut};
use lmtp_proto::{BareNewlines, ContentClass, LineEndings, Piece, Scan, SendQueue, Stuffer, Unstuffer};
use memchr::{memchr3_iter, memmem};

fn main() {
    for size in [64 * 1024, 1024 * 1024] {
        let kib = size / 1024;
        report(&format!("Ordinary mail, {kib} KiB"), &mail(size));
        report(&format!("Lines of one dot, {kib} KiB"), &b".\r\n".repeat(size / 3));
    }
}

/// Measures everything on one message.
fn report(title: &str, message: &[u8]) {
    let size = message.len();
    let nothing = || ();
    let finder = memmem::Finder::new(b"\r\n.");
    let table = Table::new(
        title,
        vec![
            ("memmem", throughput(size, nothing, |()| finder.find_iter(message).count())),
            ("memchr3", throughput(size, nothing, |()| bare_by_memchr3(message))),
            (
                "memcpy",
                throughput(
                    size,
                    || Vec::with_capacity(size),
                    |mut copy: Vec<u8>| {
                        copy.extend_from_slice(message);
                        copy
                    },
                ),
            ),
        ],
    );

    let chunk = Bytes::copy_from_slice(message);
    table.row(
        "Scan",
        throughput(
            size,
            || Scan::new(LineEndings::Reject),
            |mut scan| {
                scan.push(&chunk).unwrap();
                scan.finish().unwrap()
            },
        ),
    );

    let checking = Stuffer::new(LineEndings::Reject, ContentClass::EightBitHeader);
    for (name, stuffer) in [("Stuffer::new", checking), ("Stuffer::trusting", Stuffer::trusting())] {
        let empty = || (stuffer.clone(), SendQueue::new());
        let speed = throughput(size, empty, |(mut stuffer, mut queue)| {
            stuffer.push(&chunk, &mut queue).unwrap();
            stuffer.finish(None, &mut queue).unwrap();
            queue
        });
        table.row(name, speed);
    }

    let wire = lmtp_testkit::model::stuffed(message);
    let wire = [&wire[..], b".\r\n"].concat();
    for newlines in [BareNewlines::Reject, BareNewlines::Keep] {
        let read = || (Unstuffer::new(newlines), BytesMut::from(&wire[..]), Vec::with_capacity(size / 2));
        let speed = throughput(wire.len(), read, |(mut unstuffer, mut input, mut pieces)| {
            while let Some(piece) = unstuffer.next(&mut input) {
                pieces.push(piece);
            }
            assert_eq!(pieces.last(), Some(&Piece::End));
            pieces
        });
        table.row(&format!("Unstuffer, BareNewlines::{newlines:?}"), speed);
    }
}

/// The way that looks at each line end, as a measure.
fn bare_by_memchr3(message: &[u8]) -> usize {
    let is_bare = |&place: &usize| match message[place] {
        b'\r' => message.get(place + 1) != Some(&b'\n'),
        b'\n' => place == 0 || message[place - 1] != b'\r',
        _ => true,
    };
    memchr3_iter(b'\r', b'\n', 0, message).filter(is_bare).count()
}
