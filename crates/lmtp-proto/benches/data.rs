//! How fast a message goes through, beside searches that could not be done
//! without, and beside a copy.
//!
//! `cargo bench --package lmtp-proto --bench data`. With `--one N NAME` the thing
//! of that name is done N times with the first message, and nothing else happens.

mod common;

use std::time::Duration;

use common::{Routine, in_turns, mail, only_one, ratio, routine};
use lmtp_proto::bytes::{Bytes, BytesMut};
use lmtp_proto::{BareNewlines, ContentClass, LineEndings, Piece, Scan, SendQueue, Stuffer, Unstuffer};
use memchr::{memchr3_iter, memmem};

/// What all is compared with: the first of the routines.
const MEASURES: usize = 3;

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    if let Some((count, name)) = only_one(&mut args) {
        let message = Message::new(&mail(64 * 1024));
        let mut routines = message.routines();
        routines.push(message.unstuff_nothing());
        let (_, once) = routines.iter_mut().find(|(known, _)| *known == name).expect("a name");
        (0..count).for_each(|_| _ = once());
        return;
    }
    let measures = args.iter().any(|arg| arg == "--bench");
    let time = if measures { Duration::from_secs(3) } else { Duration::ZERO };
    for size in [64 * 1024, 1024 * 1024] {
        let kib = size / 1024;
        report(&format!("Ordinary mail, {kib} KiB"), &mail(size), time);
        report(&format!("Lines of one dot, {kib} KiB"), &b".\r\n".repeat(size / 3), time);
    }
}

/// Measures everything on one message.
fn report(title: &str, message: &[u8], time: Duration) {
    let size = message.len();
    let message = Message::new(message);
    let mut routines = message.routines();
    let times = in_turns(&mut routines, time);
    let rows: Vec<(&str, f64)> =
        routines.iter().zip(&times).map(|((name, _), time)| (*name, per_second(size, *time))).collect();
    let (measures, ours) = rows.split_at(MEASURES);

    print!("\n{title}\n{:>32} {:>8}", "", "GB/s");
    for (name, _) in measures {
        print!(" {name:>9}");
    }
    println!();
    for (name, speed) in &rows {
        print!("{name:>32} {:>8.2}", speed / 1e9);
        for (_, measure) in measures {
            print!(" {:>8.2}x", speed / measure);
        }
        println!();
    }
    for (name, speed) in ours {
        for (peer, its) in measures {
            ratio(&format!("{name}: {title}"), peer, speed / its);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no message has 2^52 octets")]
fn per_second(octets: usize, time: Duration) -> f64 {
    octets as f64 / time.as_secs_f64().max(1e-9)
}

/// A message as it is given, and as it is on the wire.
struct Message {
    content: Bytes,
    wire: Vec<u8>,
}

impl Message {
    fn new(content: &[u8]) -> Self {
        let wire = [&lmtp_testkit::model::stuffed(content)[..], b".\r\n"].concat();
        Self { content: Bytes::copy_from_slice(content), wire }
    }

    /// The measures, and then what is ours.
    fn routines(&self) -> Vec<Routine<'_>> {
        let nothing = || ();
        let finder = memmem::Finder::new(b"\r\n.");
        let content = &self.content[..];
        let copy = |mut copy: Vec<u8>| {
            copy.extend_from_slice(content);
            copy
        };
        vec![
            routine("memmem", nothing, move |()| finder.find_iter(content).count()),
            routine("memchr3", nothing, |()| bare_by_memchr3(content)),
            routine("memcpy", || Vec::with_capacity(content.len()), copy),
            self.scan(),
            self.stuff("Stuffer::new", Stuffer::new(LineEndings::Reject, ContentClass::EightBitHeader)),
            self.stuff("Stuffer::trusting", Stuffer::trusting()),
            self.unstuff("Unstuffer, BareNewlines::Reject", BareNewlines::Reject),
            self.unstuff("Unstuffer, BareNewlines::Keep", BareNewlines::Keep),
        ]
    }

    fn scan(&self) -> Routine<'_> {
        let scan = |mut scan: Scan| {
            scan.push(&self.content).unwrap();
            scan.finish().unwrap()
        };
        routine("Scan", || Scan::new(LineEndings::Reject), scan)
    }

    fn stuff<'a>(&'a self, name: &'a str, stuffer: Stuffer) -> Routine<'a> {
        let stuff = |(mut stuffer, mut queue): (Stuffer, SendQueue)| {
            stuffer.push(&self.content, &mut queue).unwrap();
            stuffer.finish(None, &mut queue).unwrap();
            queue
        };
        routine(name, move || (stuffer.clone(), SendQueue::new()), stuff)
    }

    fn unstuff<'a>(&'a self, name: &'a str, newlines: BareNewlines) -> Routine<'a> {
        let unstuff = |(mut unstuffer, mut input, mut pieces): (Unstuffer, BytesMut, Vec<Piece>)| {
            while let Some(piece) = unstuffer.next(&mut input) {
                pieces.push(piece);
            }
            assert_eq!(pieces.last(), Some(&Piece::End));
            pieces
        };
        routine(name, move || self.to_unstuff(newlines), unstuff)
    }

    /// Only what comes before, to be subtracted when instructions are counted.
    fn unstuff_nothing(&self) -> Routine<'_> {
        routine("Unstuffer, prepared", || self.to_unstuff(BareNewlines::Keep), |prepared| prepared)
    }

    fn to_unstuff(&self, newlines: BareNewlines) -> (Unstuffer, BytesMut, Vec<Piece>) {
        (Unstuffer::new(newlines), BytesMut::from(&self.wire[..]), Vec::with_capacity(self.wire.len() / 2))
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
