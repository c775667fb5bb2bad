//! Work is linear in what is read, however it is cut: four times as much, octet by octet, costs four times
//! as much.

use allocation_counter::measure;
use lmtp_proto::bytes::Buf;
use lmtp_proto::client::{self, Event};
use lmtp_proto::server;
use lmtp_proto::{Client, Content, Instant, Machine, Output};

use crate::hostile::{Hearing, Host};
use crate::meter::{letter, text};

/// What was spent.
#[derive(Debug, Clone, Copy)]
struct Spent {
    polls: u64,
    allocations: u64,
    /// Octets allocated: whatever grows or is put together anew is among them.
    octets: u64,
}

/// Four times as much may cost so many times as much, plus a few.
fn check(what: &str, spend: impl Fn(usize) -> Spent, size: usize) {
    let (once, four) = (spend(size), spend(4 * size));
    println!("{what}: {once:?}, four times as much: {four:?}");
    for (of, once, four, few) in [
        ("polls", once.polls, four.polls, 16),
        ("allocations", once.allocations, four.allocations, 16),
        ("octets allocated", once.octets, four.octets, 8192),
    ] {
        assert!(four * 2 <= once * 9 + few, "{what}: {once} {of}, and {four} for four times as much");
        assert!(once > 0 || of != "polls");
    }
}

/// A server that hears `before` at once, then `said` octet by octet.
fn serve(config: &server::Config, before: &str, said: &[u8], keeps: bool) -> Spent {
    let mut host = Host::new(config.clone());
    host.keeps = keeps;
    let info = measure(|| {
        assert_eq!(host.hear(before.as_bytes()), Hearing::Waits);
        for octet in said {
            assert_eq!(host.hear(std::slice::from_ref(octet)), Hearing::Waits, "{:?}", host.server.error());
        }
    });
    Spent { polls: host.polls, allocations: info.count_total, octets: info.bytes_total }
}

fn limits() -> server::Config {
    let mut config = server::Config::default();
    config.limits.recipients = 100_000;
    config.limits.auth_line = 1 << 20;
    config.limits.command_line = 1 << 20;
    config.offer.auth = vec!["X-LONG".parse().unwrap()];
    config
}

const ENVELOPE: &str = "LHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n";

#[test]
fn content_is_read_in_linear_time() {
    let data = format!("{ENVELOPE}DATA\r\n");
    for keeps in [false, true] {
        for (what, line) in [("long lines", &text(8000)[..]), ("dots", b"..\r\n"), ("short lines", b"abc\r\n")] {
            let said = |size: usize| line.repeat(size.div_ceil(line.len()));
            check(&format!("{what}, kept: {keeps}"), |size| serve(&limits(), &data, &said(size), keeps), 40_000);
        }
        let chunked = |size: usize| serve(&limits(), &format!("{ENVELOPE}BDAT {size} LAST\r\n"), &text(size), keeps);
        check(&format!("a chunk, kept: {keeps}"), chunked, 40_000);
    }
}

#[test]
fn commands_are_read_in_linear_time() {
    let begun = "LHLO x\r\nMAIL FROM:<a@x>\r\n";
    check("RCPTs", |size| serve(&limits(), begun, &b"RCPT TO:<b@x>\r\n".repeat(size), false), 500);
    check("NOOPs", |size| serve(&limits(), "LHLO x\r\n", &b"NOOP\r\n".repeat(size), false), 1000);
    let long = |size: usize| [b"NOOP ", &vec![b'x'; size][..], b"\r\n"].concat();
    check("one long line", |size| serve(&limits(), "LHLO x\r\n", &long(size), false), 40_000);
    let response = |size: usize| [&b"QUJD".repeat(size)[..], b"\r\n"].concat();
    let auth = |size| serve(&limits(), "LHLO x\r\nAUTH X-LONG\r\n", &response(size), false);
    check("one long AUTH line", auth, 10_000);
}

/// A client that hears `said` octet by octet behind a greeting and LHLO.
fn hear(said: &[u8]) -> Spent {
    let mut config = client::Config::default();
    (config.limits.reply_size, config.limits.reply_line) = (1 << 22, 1 << 22);
    let letter = letter(1, b"Hi\r\n");
    let mut polls = 0;
    let info = measure(|| {
        let mut client = Client::new(config);
        client.deliver(letter.envelope.clone(), Content::UNKNOWN).expect("room for one");
        let mut run = |client: &mut Client| loop {
            polls += 1;
            match client.poll_output(Instant::ORIGIN).expect("nothing goes wrong") {
                Output::Event(Event::BodyWanted(_)) => panic!("nobody said 354"),
                Output::Event(_) => {}
                Output::Transmit => {
                    let queue = client.transmit();
                    let count = queue.len();
                    queue.advance(count);
                }
                Output::Receive if client.poll_timeout() == Some(Instant::ORIGIN) => {
                    client.handle_timeout(Instant::ORIGIN);
                }
                _ => return,
            }
        };
        run(&mut client);
        for greeting in [&b"220 x\r\n"[..], b"250 x\r\n"] {
            client.input().extend_from_slice(greeting);
            run(&mut client);
        }
        for octet in said {
            client.input().extend_from_slice(std::slice::from_ref(octet));
            run(&mut client);
        }
    });
    Spent { polls, allocations: info.count_total, octets: info.bytes_total }
}

#[test]
fn replies_are_read_in_linear_time() {
    let lines =
        |size: usize| [&b"250-2.1.0 one of many lines\r\n".repeat(size)[..], b"250 2.1.0 the last\r\n"].concat();
    check("a reply of many lines", |size| hear(&lines(size)), 1000);
    let line = |size: usize| [b"250 ", &vec![b'x'; size][..], b"\r\n"].concat();
    check("a reply of one line", |size| hear(&line(size)), 40_000);
}
