//! How fast a whole session goes, client machine against server machine, with nothing between them: what the
//! protocol costs when the network costs nothing.
//!
//! `cargo bench --package lmtp-proto --bench session`; words behind `--` choose cases by their names. As a
//! test each case runs once. With `--one N NAME` the case of that name sends N messages, and nothing else
//! happens: for whoever counts instructions (`cargo xtask bench`).

mod common;

use std::hint::black_box;

use common::{mail, ratio, throughput};
use lmtp_proto::bytes::{Bytes, BytesMut};
use lmtp_proto::client::{Chunking, Pipelining};
use lmtp_proto::{Content, Envelope, ForwardPath, client, server};
use lmtp_testkit::pair::{Letter, Pair, Unwatched};

/// Messages in a row, so that the clock costs nothing.
const BATCH: usize = 8;

/// One kind of message, and how it is sent.
struct Case {
    name: String,
    config: client::Config,
    letter: Letter,
    size: usize,
}

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let one = args.iter().position(|arg| arg == "--one").map(|place| {
        args.remove(place);
        args.remove(place).parse().expect("how many messages")
    });
    let measures = args.iter().any(|arg| arg == "--bench");
    let wanted = |name: &str| args.iter().filter(|arg| !arg.starts_with('-')).all(|part| name.contains(part.as_str()));
    let send = |case: &Case, count| open(case).send_many(&case.letter, count);
    match one {
        Some(count) => cases().iter().filter(|case| args.contains(&case.name)).for_each(|case| send(case, count)),
        None if measures => report(cases().into_iter().filter(|case| wanted(&case.name))),
        None => cases().iter().filter(|case| wanted(&case.name)).for_each(|case| send(case, 1)),
    }
}

fn report(cases: impl Iterator<Item = Case>) {
    println!("{:34}{:>13}{:>11}{:>9}{:>13}{:>10}", "", "messages/s", "per rcpt", "GB/s", "allocations", "octets");
    for case in cases {
        let per_second = measure(&case);
        let (allocations, octets) = count(&case);
        let recipients = case.letter.envelope.recipients().len();
        println!(
            "{:34}{per_second:>13.0}{:>8.0} ns{:>9.2}{allocations:>13.1}{octets:>10.0}",
            case.name,
            1e9 / per_second / as_float(recipients),
            per_second * as_float(case.size) / 1e9,
        );
        if case.size >= 1 << 20 {
            ratio(&case.name, "memcpy", per_second / copies(&case));
        }
    }
}

/// Messages in a second, in the best of many runs on one connection.
fn measure(case: &Case) -> f64 {
    let mut pair = open(case);
    pair.send_many(&case.letter, BATCH);
    throughput(BATCH, || (), |()| pair.send_many(&case.letter, BATCH))
}

/// Allocations and octets allocated for a message, by both machines and by the report and envelope that
/// the application has.
fn count(case: &Case) -> (f64, f64) {
    let mut pair = open(case);
    pair.send_many(&case.letter, BATCH);
    let info = allocation_counter::measure(|| pair.send_many(&case.letter, BATCH));
    #[expect(clippy::cast_precision_loss, reason = "counts of a short run")]
    let (count, bytes) = (info.count_total as f64, info.bytes_total as f64);
    (count / as_float(BATCH), bytes / as_float(BATCH))
}

/// How often in a second the content is copied into buffers like the server's: what cannot be done without.
fn copies(case: &Case) -> f64 {
    let content = &case.letter.pieces[0];
    let mut buffer = BytesMut::with_capacity(64 * 1024);
    let copy = |()| {
        for block in content.chunks(64 * 1024) {
            buffer.clear();
            buffer.extend_from_slice(black_box(block));
        }
    };
    throughput(1, || (), copy)
}

fn open(case: &Case) -> Pair {
    Pair::open(case.config.clone(), server::Config::default(), Unwatched)
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (size, size_name) in [(1024, "1 KiB"), (1 << 20, "1 MiB")] {
        for recipients in [1_usize, 2, 50] {
            for (way, pipelining, chunking) in [
                ("DATA", Pipelining::Auto, Chunking::Auto),
                ("DATA, one by one", Pipelining::Off, Chunking::Auto),
                ("BDAT", Pipelining::Auto, Chunking::Always),
            ] {
                let mut config = client::Config::default();
                (config.pipelining, config.chunking) = (pipelining, chunking);
                cases.push(Case {
                    name: format!("{size_name}, {recipients} rcpt, {way}"),
                    config,
                    letter: letter(recipients, size),
                    size,
                });
            }
        }
    }
    cases
}

fn letter(recipients: usize, size: usize) -> Letter {
    let to = (0..recipients).map(|place| format!("user{place}@example.org").parse::<ForwardPath>().expect("a path"));
    let envelope = Envelope::new("ann@example.com".parse().expect("a path"), to).expect("an envelope");
    Letter { envelope, content: Content::UNKNOWN, pieces: vec![Bytes::from(mail(size))] }
}

#[expect(clippy::cast_precision_loss, reason = "nothing here has 2^52 octets")]
fn as_float(number: usize) -> f64 {
    number as f64
}
