//! What a message costs: memory that does not grow with it, and work that is linear in it.

mod support;

use allocation_counter::measure;

use support::{BOTH, Begin, Joined};

const MIB: usize = 1024 * 1024;

/// Sends so many MiB; the most memory that both ends and the links between them held beyond what they began with.
fn sends(begin: Begin, mebibytes: usize) -> u64 {
    let mut joined = Joined::new(begin).sending(mebibytes * 16, MIB / 16);
    joined.forgets = true;
    let info = measure(|| {
        while joined.report.is_none() {
            assert!(joined.client_step() | joined.server_step(), "{:?} {:?}", joined.client_error, joined.server_error);
        }
    });
    assert!(joined.report.as_ref().unwrap().all_delivered());
    assert!(joined.taken > mebibytes * MIB * 99 / 100, "{}", joined.taken);
    // Counted has counted the questions of both.
    let polls = joined.client.polls() + joined.server.polls();
    assert!(polls < 5000 + 3 * (joined.to_server.written / 1024) as u64, "{polls} questions");
    info.bytes_max
}

#[test]
fn sixty_four_mebibytes_in_bounded_memory() {
    for begin in BOTH {
        let (little, much) = (sends(begin, 4), sends(begin, 64));
        println!("{begin:?}: {little} octets at most for 4 MiB, {much} for 64 MiB");
        assert!(much < little + 128 * 1024, "{little} {much}");
        assert!(much < MIB as u64, "{much}");
    }
}

/// Between messages what a message needed is given back.
#[test]
fn idle_ends_hold_little() {
    let mut joined = Joined::new(Begin::Implicit).sending(64, MIB / 16);
    (joined.forgets, joined.stays) = (true, true);
    let handshake = measure(|| {
        while joined.client.inner().phase() != lmtp_proto::Phase::Mail {
            assert!(joined.client_step() | joined.server_step());
        }
    });
    let message = measure(|| {
        while joined.report.is_none() {
            assert!(joined.client_step() | joined.server_step());
        }
        joined.run();
    });
    println!("handshake: {}; message: {}", handshake.bytes_current, message.bytes_current);
    assert!(message.bytes_current < 32 * 1024, "{}", message.bytes_current);
}
