//! How fast commands and replies are read, beside the crate `smtp-proto`.
//!
//! Both do the whole work: from octets with their CRLF to a value. The values
//! differ. Ours own what they hold and are validated by the grammar of RFC 5321
//! and of each parameter. `smtp-proto` borrows from the input, so there is a
//! column for it with values that are owned, as a session needs them; it looks
//! at an address only for its outline, at LHLO's name for its length, and a lone
//! LF ends a line for it.
//!
//! `cargo bench -p lmtp-proto`; without `--bench` each case runs once.

use std::hint::black_box;
use std::time::{Duration, Instant};

use lmtp_proto::bytes::BytesMut;
use lmtp_proto::value::{Capabilities, Command};
use lmtp_proto::{Limits, Phase, ReplyReader, parse_command};
use smtp_proto::response::parser::ResponseReceiver;
use smtp_proto::{EhloResponse, Request};

/// Inputs read in a row, so that the clock costs nothing.
const BATCH: usize = 500;

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

fn main() {
    let rounds = if std::env::args().any(|arg| arg == "--bench") { 200 } else { 1 };
    println!("{:28}{:>9}{:>12}{:>9}{:>12}{:>9}", "", "ours", "smtp-proto", "times", "…, owned", "times");
    for (name, line) in COMMANDS {
        let batch = line.repeat(BATCH);
        show(
            name,
            measure(
                rounds,
                [
                    &mut || clock(|| read_commands(batch.as_bytes())),
                    &mut || clock(|| their_commands(batch.as_bytes(), |request| drop(black_box(request)))),
                    &mut || clock(|| their_commands(batch.as_bytes(), |request| drop(black_box(request.into_owned())))),
                ],
            ),
        );
    }
    for (name, reply) in REPLIES {
        let batch = reply.repeat(BATCH);
        let mut theirs = || clock(|| their_replies(batch.as_bytes()));
        // The reply is owned there in either case.
        show(
            name,
            measure(
                rounds,
                [&mut || our_replies(&batch, |reply| drop(black_box(reply))), &mut theirs.clone(), &mut theirs],
            ),
        );
    }
    let batch = LHLO.repeat(BATCH);
    let mut theirs = || clock(|| their_capabilities(batch.as_bytes()));
    let mut ours = || our_replies(&batch, |reply| drop(black_box(Capabilities::from(&reply))));
    show("LHLO, as capabilities", measure(rounds, [&mut ours, &mut theirs.clone(), &mut theirs]));
}

fn show(name: &str, [ours, borrowed, owned]: [f64; 3]) {
    let (by, by_owned) = (borrowed / ours, owned / ours);
    println!("{name:28}{ours:>6.1} ns{borrowed:>9.1} ns{by:>9.2}{owned:>9.1} ns{by_owned:>9.2}");
}

/// Nanoseconds for one input, for each of these: the best of many rounds, taken
/// in turns, so that a disturbance meets all of them.
fn measure(rounds: usize, routines: [&mut dyn FnMut() -> Duration; 3]) -> [f64; 3] {
    let mut best = [Duration::MAX; 3];
    let mut routines = routines;
    for _ in 0..rounds {
        for (routine, best) in routines.iter_mut().zip(&mut best) {
            *best = routine().min(*best);
        }
    }
    best.map(|best| best.as_secs_f64() * 1e9 / BATCH as f64)
}

fn clock(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// As a server does: the line is found, then read.
fn read_commands(mut input: &[u8]) {
    while let Some(lf) = memchr::memchr(b'\n', input) {
        let line = input[..lf].strip_suffix(b"\r").expect("CRLF");
        assert!(memchr::memchr(b'\r', line).is_none());
        let command: Command = parse_command(line).expect("a command");
        drop(black_box(command));
        input = &input[lf + 1..];
    }
}

fn their_commands<'a>(input: &'a [u8], mut take: impl FnMut(Request<std::borrow::Cow<'a, str>>)) {
    let mut input = input.iter();
    while !input.as_slice().is_empty() {
        take(Request::parse(&mut input).expect("a command"));
    }
}

/// The buffer is filled before the clock runs: somebody else reads the socket.
fn our_replies(batch: &str, mut take: impl FnMut(lmtp_proto::Reply)) -> Duration {
    let (mut input, mut reader, limits) = (BytesMut::from(batch), ReplyReader::new(), Limits::default());
    clock(|| {
        while let Some(reply) = reader.read(&mut input, &limits, Phase::Rcpt).expect("a reply") {
            take(reply);
        }
    })
}

fn their_replies(input: &[u8]) {
    let (mut input, mut receiver) = (input.iter(), ResponseReceiver::default());
    while !input.as_slice().is_empty() {
        drop(black_box(receiver.parse(&mut input).expect("a reply")));
        receiver.reset();
    }
}

fn their_capabilities(input: &[u8]) {
    let mut input = input.iter();
    while !input.as_slice().is_empty() {
        drop(black_box(EhloResponse::parse(&mut input).expect("a reply")));
    }
}
