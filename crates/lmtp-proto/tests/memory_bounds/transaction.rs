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
        for size in [80, 200, 1040, 8000] {
            let (client, server) = cost(&config, 2, &text(size));
            assert!(client <= 10 && server <= 10, "client {client}, server {server}, {size} octets, {config:?}");
        }
    }
}
