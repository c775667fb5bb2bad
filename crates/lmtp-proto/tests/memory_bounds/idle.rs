//! What a machine holds on to while it has nothing to do.

use allocation_counter::measure;
use lmtp_proto::server::Server;
use lmtp_proto::{Client, Machine, client, server};
use lmtp_testkit::pair::{Letter, Pair, Unwatched};

use crate::meter::{letter, text};

/// What an idle machine may keep, apart from its buffers.
const IDLE: usize = 2048;
/// Those buffers: a client keeps room for replies, a server for commands or the beginning of a message; and
/// each for a little that it says.
const ROOM: [usize; 2] = [2048 + 1024, 4096 + 512];

/// Sends the letters, then looks at what is freed when the machines are dropped.
fn check(what: &str, letters: &[Letter]) {
    let mut config = client::Config::default();
    config.lhlo_name = "mx.example.org".parse().unwrap();
    // A server's settings are shared by its sessions.
    let shared = std::sync::Arc::new(server::Config::default());
    let mut pair = Pair::open(config, shared.clone(), Unwatched);
    for letter in letters {
        assert!(pair.send(letter).all_delivered());
    }
    pair.rest();
    // Both wait to read.
    assert!(!pair.client.input().spare_capacity_mut().is_empty());
    assert!(!pair.server.input().spare_capacity_mut().is_empty());
    let sizes = [size_of::<Client>(), size_of::<Server>()];
    let Pair { client, server, .. } = pair;
    let heaps = [measure(|| drop(client)), measure(|| drop(server))];
    for (place, who) in ["client", "server"].into_iter().enumerate() {
        let heap = usize::try_from(-heaps[place].bytes_current).expect("freed, not allocated");
        let size = sizes[place];
        println!("{what}, {who}: {size} octets and {heap} on the heap");
        assert!(size + heap <= IDLE + ROOM[place], "{what}, {who}: {size} octets and {heap} on the heap");
    }
}

#[test]
fn an_idle_machine_is_small() {
    check("after LHLO", &[]);
    check("after a small message", &[letter(2, &text(1000))]);
    check("after 1 MiB", &[letter(2, &text(1 << 20))]);
    check("after dots", &[letter(2, &b".\r\n".repeat(100_000))]);
    check("after 1000 recipients", &[letter(1000, &text(1000))]);
    check("after 100 messages", &vec![letter(3, &text(10_000)); 100]);
}
