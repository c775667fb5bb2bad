//! What a message costs on a connection that has had one.

use lmtp_proto::{client, server};
use lmtp_testkit::pair::Pair;

use crate::meter::{Meter, letter, text};

/// Allocations of client and server for one message, behind another on the same connection.
fn cost(config: &client::Config, recipients: usize, content: &[u8]) -> (u64, u64) {
    let letter = letter(recipients, content);
    let mut pair = Pair::open(config.clone(), server::Config::default(), Meter::default());
    assert!(pair.send(&letter).all_delivered());
    pair.watch = Meter::default();
    let report = pair.send(&letter);
    let (client, server) = (pair.watch.client, pair.watch.server);
    assert!(report.all_delivered());
    assert_eq!(pair.taken, 2 * content.len() as u64);
    println!(
        "{recipients} recipients, {} octets: client {} allocations ({} octets), server {} ({})",
        content.len(),
        client.count_total,
        client.bytes_total,
        server.count_total,
        server.bytes_total
    );
    (client.count_total, server.count_total)
}

fn configs() -> [client::Config; 3] {
    let (mut careful, mut chunked) = (client::Config::default(), client::Config::default());
    careful.pipelining = client::Pipelining::Off;
    chunked.chunking = client::Chunking::Always;
    [client::Config::default(), careful, chunked]
}

#[test]
fn two_recipients_cost_ten_allocations_at_most() {
    for config in configs() {
        for size in [80, 200, 1040, 8000, 1 << 20] {
            let (client, server) = cost(&config, 2, &text(size));
            assert!(client <= 10 && server <= 10, "client {client}, server {server}, {size} octets, {config:?}");
        }
    }
}

/// The same when a message is handed over while the last one is answered, with
/// runs of our own between slices of the content: doubled dots, commands for chunks.
#[test]
fn messages_that_overlap_cost_no_more() {
    const COUNT: u64 = 50;
    let line = |octets: usize| [b".", &b"x".repeat(octets)[..], b"\r\n"].concat();
    for config in configs() {
        for content in [text(1040), line(900).repeat(6), line(77_000).repeat(13)] {
            let letter = letter(2, &content);
            let mut pair = Pair::open(config.clone(), server::Config::default(), Meter::default());
            pair.send_many(&letter, 4);
            pair.watch = Meter::default();
            pair.send_many(&letter, usize::try_from(COUNT).unwrap());
            let (client, server) = (pair.watch.client.count_total, pair.watch.server.count_total);
            assert!(
                client <= 10 * COUNT && server <= 10 * COUNT,
                "client {client}, server {server}, {} octets, {config:?}",
                content.len()
            );
        }
    }
}
