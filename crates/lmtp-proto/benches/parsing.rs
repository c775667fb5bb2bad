//! How fast commands and replies are read, beside the crate `smtp-proto`.
//!
//! Both do the whole work: from octets with their CRLF to a value. The values
//! differ. Ours own what they hold and are validated by the grammar of RFC 5321
//! and of each parameter. `smtp-proto` borrows from the input, so there is a
//! column for it with values that are owned, as a session needs them; it looks
//! at an address only for its outline, at LHLO's name for its length, and a lone
//! LF ends a line for it.
//!
//! `cargo bench -p lmtp-proto --bench parsing`; words behind `--` choose cases by
//! their names. As a test each case runs once. With `--one N 'MAIL: ours'` that is
//! done N times, and nothing else happens.

mod common;

use std::hint::black_box;
use std::time::{Duration, Instant};

use common::{only_one, ratio};
use lmtp_proto::bytes::BytesMut;
use lmtp_proto::value::Capabilities;
use lmtp_proto::{Limits, Phase, Reply, ReplyReader, parse_command};
use smtp_proto::response::parser::ResponseReceiver;
use smtp_proto::{EhloResponse, Request};

/// Inputs read in a row, so that the clock costs nothing.
const BATCH: u32 = 500;

const COMMANDS: [(&str, &str); 13] = [
    ("LHLO", "LHLO mx1.example.org\r\n"),
    ("MAIL", "MAIL FROM:<ann.smith@mail.example.org>\r\n"),
    ("MAIL <>", "MAIL FROM:<>\r\n"),
    ("MAIL SIZE BODY", "MAIL FROM:<ann.smith@mail.example.org> SIZE=48213 BODY=8BITMIME\r\n"),
    (
        "MAIL, many parameters",
        "MAIL FROM:<ann.smith@mail.example.org> SIZE=48213 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ314159 BY=120;R\r\n",
    ),
    ("RCPT", "RCPT TO:<bob.jones@lists.example.com>\r\n"),
    (
        "RCPT NOTIFY ORCPT",
        "RCPT TO:<bob.jones@lists.example.com> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bob+2Bx@example.com\r\n",
    ),
    ("DATA", "DATA\r\n"),
    ("BDAT", "BDAT 65536\r\n"),
    ("BDAT LAST", "BDAT 65536 LAST\r\n"),
    ("RSET", "RSET\r\n"),
    ("NOOP", "NOOP\r\n"),
    ("QUIT", "QUIT\r\n"),
];

const REPLIES: [(&str, &str); 4] = [
    ("250 ok", "250 ok\r\n"),
    ("enhanced code", "250 2.1.5 Recipient <bob.jones@lists.example.com> accepted\r\n"),
    ("enhanced code, two lines", "550-5.1.1 No such user here,\r\n550 5.1.1 not even by another name\r\n"),
    ("LHLO, 10 lines", LHLO),
];

const LHLO: &str = "250-mx1.example.org Hello\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n\
    250-ENHANCEDSTATUSCODES\r\n250-SIZE 104857600\r\n250-CHUNKING\r\n250-AUTH PLAIN LOGIN\r\n250-STARTTLS\r\n250 DSN\r\n";

/// What is measured: each reads a batch, and says how long it took.
type Routine<'a> = &'a dyn Fn() -> Duration;

/// Who reads, in this order.
const READERS: [&str; 3] = ["ours", "smtp-proto", "smtp-proto, owned"];

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    // The case, a colon, and who reads.
    let one = only_one(&mut args).map(|(rounds, name)| {
        let (case, reader) = name.split_once(": ").expect("CASE: READER");
        (rounds, case.to_owned(), READERS.iter().position(|name| *name == reader).expect("who reads"))
    });
    let rounds = if args.iter().any(|arg| arg == "--bench") { 400 } else { 1 };
    let wanted = |name: &str| args.iter().filter(|arg| !arg.starts_with('-')).all(|part| name.contains(part.as_str()));
    if one.is_none() {
        println!("{:28}{:>9}{:>12}{:>9}{:>12}{:>9}", "", "ours", "smtp-proto", "times", "…, owned", "times");
    }
    let run = |name: &str, routines: [Routine<'_>; 3]| match &one {
        Some((rounds, case, reader)) if case == name => (0..*rounds).for_each(|_| _ = routines[*reader]()),
        None if wanted(name) => show(name, measure(rounds, routines)),
        _ => {}
    };
    for (name, line) in COMMANDS {
        let batch = line.repeat(BATCH as usize);
        let ours = || clock(|| read_commands(batch.as_bytes()));
        let theirs = || clock(|| their_commands(batch.as_bytes()));
        let owned = || clock(|| their_owned_commands(batch.as_bytes()));
        run(name, [&ours, &theirs, &owned]);
    }
    for (name, reply) in REPLIES {
        let batch = reply.repeat(BATCH as usize);
        let ours = || our_replies(&batch, |reply| _ = black_box(reply));
        // A reply is owned there, too.
        let theirs = || clock(|| their_replies(batch.as_bytes()));
        run(name, [&ours, &theirs, &theirs]);
    }
    let batch = LHLO.repeat(BATCH as usize);
    let ours = || our_replies(&batch, |reply| _ = black_box(&Capabilities::from(reply)));
    let theirs = || clock(|| their_capabilities(batch.as_bytes()));
    run("LHLO, as capabilities", [&ours, &theirs, &theirs]);
}

fn show(name: &str, [ours, borrowed, owned]: [f64; 3]) {
    let (by, by_owned) = (borrowed / ours, owned / ours);
    println!("{name:28}{ours:>6.1} ns{borrowed:>9.1} ns{by:>9.2}{owned:>9.1} ns{by_owned:>9.2}");
    ratio(name, "smtp-proto", by);
    ratio(name, "smtp-proto, owned", by_owned);
}

/// Nanoseconds for one input, for each of these: the best of many rounds, taken
/// in turns, so that a disturbance meets all of them.
fn measure(rounds: usize, routines: [Routine<'_>; 3]) -> [f64; 3] {
    let mut best = [Duration::MAX; 3];
    for _ in 0..rounds {
        for (routine, best) in routines.iter().zip(&mut best) {
            *best = routine().min(*best);
        }
    }
    best.map(|best| best.as_secs_f64() * 1e9 / f64::from(BATCH))
}

fn clock(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// As a server does: the line is found, then read.
fn read_commands(mut input: &[u8]) {
    while let Some(cr) = memchr::memchr3(b'\r', b'\n', 0, input) {
        let (line, rest) = input.split_at(cr);
        let command = parse_command(line);
        assert!(black_box(&command).is_ok());
        input = rest.strip_prefix(b"\r\n").expect("CRLF");
    }
}

fn their_commands(input: &[u8]) {
    let mut input = input.iter();
    while !input.as_slice().is_empty() {
        let request = Request::parse(&mut input);
        assert!(black_box(&request).is_ok());
    }
}

fn their_owned_commands(input: &[u8]) {
    let mut input = input.iter();
    while !input.as_slice().is_empty() {
        let request = Request::parse(&mut input).map(Request::into_owned);
        assert!(black_box(&request).is_ok());
    }
}

/// The buffer is filled before the clock runs: somebody else reads the socket.
fn our_replies(batch: &str, look: impl Fn(&Reply)) -> Duration {
    let (mut input, mut reader, limits) = (BytesMut::from(batch), ReplyReader::new(), Limits::default());
    clock(|| {
        // Looked at where it is: theirs is not moved either.
        while let Ok(Some(reply)) = &reader.read(&mut input, &limits, Phase::Rcpt) {
            look(reply);
        }
        assert!(input.is_empty(), "all of them are replies");
    })
}

fn their_replies(input: &[u8]) {
    let (mut input, mut receiver) = (input.iter(), ResponseReceiver::default());
    while !input.as_slice().is_empty() {
        let reply = receiver.parse(&mut input);
        assert!(black_box(&reply).is_ok());
        receiver.reset();
    }
}

fn their_capabilities(input: &[u8]) {
    let mut input = input.iter();
    while !input.as_slice().is_empty() {
        let reply = EhloResponse::parse(&mut input);
        assert!(black_box(&reply).is_ok());
    }
}
