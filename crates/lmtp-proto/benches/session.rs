//! How fast a whole session goes, client machine against server machine, with nothing between them: what the
//! protocol costs when the network costs nothing.
//!
//! `cargo bench --package lmtp-proto --bench session`; words behind `--` choose cases by their names. As a
//! test each case runs once. With `--one N NAME` the case of that name sends N messages, and nothing else
//! happens: for whoever counts instructions (`cargo xtask bench`).

mod common;

use std::hint::black_box;

use allocation_counter::AllocationInfo;
use common::{figure, mail, only_one, ratio, throughput};
use lmtp_proto::bytes::{Bytes, BytesMut};
use lmtp_proto::client::{Chunking, Pipelining};
use lmtp_proto::{Content, Envelope, ForwardPath, client, server};
use lmtp_testkit::pair::{Letter, Pair, Unwatched, Watch};

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
    let one = only_one(&mut args);
    let measures = args.iter().any(|arg| arg == "--bench");
    let wanted = |name: &str| args.iter().filter(|arg| !arg.starts_with('-')).all(|part| name.contains(part.as_str()));
    let send = |case: &Case, count| open(case).send_many(&case.letter, count);
    match one {
        Some((count, name)) => send(cases().iter().find(|case| case.name == name).expect("a name"), count),
        None if measures => report(cases().into_iter().filter(|case| wanted(&case.name))),
        None => cases().iter().filter(|case| wanted(&case.name)).for_each(|case| send(case, 1)),
    }
}

fn report(cases: impl Iterator<Item = Case>) {
    println!("{:54}client              server", "");
    let [allocations, octets] = ["allocations", "octets"];
    println!(
        "{:28}{:>11}{:>10}{:>6}{allocations:>13}{octets:>7}{allocations:>13}{octets:>7}",
        "", "messages/s", "per rcpt", "GB/s"
    );
    for case in cases {
        let per_second = measure(&case);
        let spent = spent(&case);
        let recipients = case.letter.envelope.recipients().len();
        println!(
            "{:28}{per_second:>11.0}{:>7.0} ns{:>6.2}{:>13.1}{:>7.0}{:>13.1}{:>7.0}",
            case.name,
            1e9 / per_second / as_float(recipients),
            per_second * as_float(case.size) / 1e9,
            spent[0],
            spent[1],
            spent[2],
            spent[3],
        );
        figure(&case.name, "messages/s", per_second);
        for (what, number) in SPENT.into_iter().zip(spent) {
            figure(&case.name, what, number);
        }
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

/// What is counted of a message.
const SPENT: [&str; 4] = ["client allocations", "client octets", "server allocations", "server octets"];

/// What either machine allocates in its own calls for a message, on a connection that has had some.
fn spent(case: &Case) -> [f64; 4] {
    let mut pair = Pair::open(case.config.clone(), server::Config::default(), Meter::default());
    pair.send_many(&case.letter, BATCH);
    pair.watch = Meter::default();
    pair.send_many(&case.letter, BATCH);
    let Meter { client, server } = pair.watch;
    #[expect(clippy::cast_precision_loss, reason = "counts of a short run")]
    let each = |count: u64| count as f64 / as_float(BATCH);
    [client.count_total, client.bytes_total, server.count_total, server.bytes_total].map(each)
}

/// What either machine has allocated.
#[derive(Default)]
struct Meter {
    client: AllocationInfo,
    server: AllocationInfo,
}

impl Watch for Meter {
    fn client<T>(&mut self, call: impl FnOnce() -> T) -> T {
        metered(&mut self.client, call)
    }

    fn server<T>(&mut self, call: impl FnOnce() -> T) -> T {
        metered(&mut self.server, call)
    }
}

fn metered<T>(sum: &mut AllocationInfo, call: impl FnOnce() -> T) -> T {
    let mut result = None;
    *sum += allocation_counter::measure(|| result = Some(call()));
    result.expect("it was called")
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
