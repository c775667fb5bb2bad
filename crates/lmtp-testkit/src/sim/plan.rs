//! What a session will be like, all of it decided before it begins.

use std::time::Duration;

use lmtp_proto::client::{self, Chunking, EightBit, Pipelining};
use lmtp_proto::server;
use lmtp_proto::value::ForwardPath;
use lmtp_proto::{Content, ContentClass, Envelope, LineEndings, Timeouts};

use super::faults::Planned;
use super::link::{Cuts, RECUT};
use super::random::Random;

/// A message to send, and how it will be read.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) envelope: Envelope,
    /// The places of the recipients that a server may be asked about.
    pub(super) asked: Vec<usize>,
    pub(super) octets: Vec<u8>,
    /// What a server is to get: the octets with their lines ended in CRLF.
    pub(super) whole: Vec<u8>,
    /// What the client is told of it.
    pub(super) content: Content,
    /// How many octets are read at a time, at most.
    pub(super) piece: usize,
    /// After how many octets reading fails.
    pub(super) fails_at: Option<usize>,
    /// How long the line is idle before it.
    pub(super) idle: Duration,
}

/// How the application of the server behaves: chances in a hundred.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manners {
    /// To say no to a question.
    pub(super) no: u64,
    /// To turn a client away.
    pub(super) turns_away: u64,
    /// To say 421.
    pub(super) closing: u64,
    /// To give an answer of a class that answers nothing.
    pub(super) wrong_class: u64,
    /// To answer later.
    pub(super) late: u64,
    /// To answer much later, or never.
    pub(super) too_late: u64,
    /// To give a verdict before the content is there.
    pub(super) early: u64,
    /// To give each verdict twice.
    pub(super) twice: u64,
    /// To crash at a question or at the end of a message.
    pub(super) crash: u64,
}

/// When the application on one side does something of its own accord.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moments {
    /// The client's application forgets the machine and closes, at that step.
    pub(super) drop: Option<usize>,
    /// It gives up.
    pub(super) abort: Option<usize>,
    /// The server is to shut down.
    pub(super) shut_down: Option<usize>,
    /// The server is killed.
    pub(super) kill: Option<usize>,
}

/// What a session will be like.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) client: client::Config,
    pub(super) server: server::Config,
    pub(super) letters: Vec<Letter>,
    pub(super) manners: Manners,
    pub(super) capacity: usize,
    pub(super) latency: [Duration; 2],
    pub(super) cuts: [Cuts; 2],
    pub(super) faults: Vec<Planned>,
    pub(super) moments: Moments,
    /// How long the client's application may think.
    pub(super) thinks: Duration,
    /// Whether the client says QUIT as soon as it may, or when all is answered,
    /// or not at all.
    pub(super) quits: Quits,
    /// Nothing is in the way of anything.
    pub(super) is_fair: bool,
}

/// When the client says QUIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quits {
    Early,
    AtTheEnd,
    Never,
}

const FAIR: Manners =
    Manners { no: 10, turns_away: 0, closing: 0, wrong_class: 0, late: 30, too_late: 0, early: 5, twice: 5, crash: 0 };
const KIND: Manners = Manners { turns_away: 1, ..FAIR };
const UNKIND: Manners =
    Manners { no: 15, turns_away: 2, closing: 1, wrong_class: 3, late: 40, too_late: 8, early: 8, twice: 10, crash: 1 };

impl Plan {
    pub(super) fn new(random: &mut Random<'_>) -> Self {
        let is_fair = random.percent(20);
        let faults: Vec<_> = match is_fair {
            true => Vec::new(),
            false => (0..random.pick(&[0, 1, 1, 1, 1, 2])).map(|_| Planned::new(random)).collect(),
        };
        let mut client = client_config(random);
        let mut server = server_config(random, is_fair);
        // What waits for chunks shall have some.
        let in_chunks = faults.iter().any(Planned::waits_for_chunks);
        if in_chunks {
            (client.chunking, server.offer.chunking) = (Chunking::Always, true);
        }
        let count = random.pick(&[1, 1, 2, 2, 3, 4]);
        let mut letters: Vec<_> = (0..count).map(|number| letter(number, &client, &server, is_fair, random)).collect();
        for letter in letters.iter_mut().filter(|_| in_chunks) {
            letter.piece = (letter.octets.len() / 4).max(1);
        }
        let narrow = client.limits.pipelined_octets <= 512;
        let once = |random: &mut Random<'_>, chance| (!is_fair && random.percent(chance)).then(|| random.up_to(600));
        Self {
            letters,
            manners: match random.percent(50) {
                _ if is_fair => FAIR,
                true => KIND,
                false => UNKIND,
            },
            capacity: if narrow { 2048 } else { 64 * 1024 },
            latency: [latency(random), latency(random)],
            cuts: [cuts(random), cuts(random)],
            faults,
            moments: Moments {
                drop: once(random, 5),
                abort: once(random, 3),
                shut_down: once(random, 6),
                kill: once(random, 2),
            },
            thinks: match random.percent(80) {
                true => Duration::ZERO,
                false => seconds(if is_fair { 1 } else { random.pick(&[1, 10, 50]) }),
            },
            quits: random.pick(&[Quits::Early, Quits::Early, Quits::AtTheEnd, Quits::AtTheEnd, Quits::Never]),
            is_fair,
            client,
            server,
        }
    }
}

pub(super) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn latency(random: &mut Random<'_>) -> Duration {
    Duration::from_millis(random.pick(&[0, 0, 1, 20, 300]))
}

fn cuts(random: &mut Random<'_>) -> Cuts {
    random.pick(&[Cuts::Whole, Cuts::Whole, Cuts::Random, Cuts::Octets(RECUT)])
}

fn timeouts(random: &mut Random<'_>) -> Timeouts {
    match random.below(4) {
        0 => Timeouts::all(seconds(60)),
        1 => Timeouts::all(seconds(20)),
        _ => Timeouts::default(),
    }
}

fn client_config(random: &mut Random<'_>) -> client::Config {
    let mut config = client::Config::default();
    config.lhlo_name = "client.example".parse().expect("a name");
    config.pipelining = if random.percent(75) { Pipelining::Auto } else { Pipelining::Off };
    config.depth = random.pick(&[1, 2, 2, 3]);
    config.chunking = random.pick(&[Chunking::Auto, Chunking::Auto, Chunking::Always, Chunking::Off]);
    config.line_endings = random.pick(&[LineEndings::Reject, LineEndings::Convert]);
    config.eight_bit = random.pick(&[EightBit::Refuse, EightBit::Send]);
    config.timeouts = timeouts(random);
    config.limits.outstanding_chunks = random.pick(&[1, 2, 16]);
    if random.percent(25) {
        config.limits.pipelined_commands = random.up_to(4);
        config.limits.pipelined_octets = 512;
    }
    config
}

fn server_config(random: &mut Random<'_>, is_fair: bool) -> server::Config {
    let mut config = server::Config::default();
    config.name = "server.example".parse().expect("a name");
    config.timeouts = timeouts(random);
    config.offer.chunking = random.percent(80);
    config.offer.binary_mime = random.percent(50);
    config.offer.smtputf8 = random.percent(70);
    config.transcript = true;
    if random.percent(10) {
        config.limits.recipients = random.up_to(4);
    }
    if !is_fair {
        config.limits.message_size = random.pick(&[64 << 20, 64 << 20, 64 << 20, 64 << 20, 300, 50]);
        config.limits.drained = random.pick(&[1 << 20, 1 << 20, 100]);
        config.limits.errors = random.pick(&[20, 20, 20, 20, 20, 20, 1, 0]);
        config.limits.transactions = random.pick(&[None, None, None, None, None, Some(2)]);
        // Shorter or longer than what the client waits.
        config.timeouts.handler = seconds(random.pick(&[5, 50, 240]));
        config.timeouts.verdict = seconds(random.pick(&[5, 50, 500]));
    }
    config
}

fn letter(
    number: usize,
    client: &client::Config,
    server: &server::Config,
    is_fair: bool,
    random: &mut Random<'_>,
) -> Letter {
    let from = format!("m{number}@client.example").parse().expect("a sender");
    let mut to: Vec<ForwardPath> = Vec::new();
    for _ in 0..random.up_to(5) {
        to.push(match random.below(10) {
            0..4 if !to.is_empty() => to[random.up_to(to.len()) - 1].clone(),
            4 => "d\u{f6}rte@server.example".parse().expect("a recipient"),
            name => format!("r{name}@server.example").parse().expect("a recipient"),
        });
    }
    let asked = (0..to.len()).filter(|&place| server.offer.smtputf8 || to[place].is_ascii()).collect();
    let envelope = Envelope::new(from, to).expect("an envelope");

    let binary = random.percent(8);
    let convert = client.line_endings == LineEndings::Convert;
    let octets = text(binary, convert, random);
    let whole = if binary { octets.clone() } else { with_crlf(&octets) };
    let size = Some(whole.len() as u64);
    let mut content = match random.below(4) {
        // Who tells nothing is refused an octet that comes as a surprise.
        _ if is_fair && !binary && !octets.is_ascii() => {
            Content::of(&octets, client.line_endings).expect("it can be sent")
        }
        _ if binary => Content { size: size.filter(|_| random.percent(50)), class: Some(ContentClass::Binary) },
        0 => Content::UNKNOWN,
        1 => Content { size, class: None },
        _ => Content::of(&octets, client.line_endings).expect("it can be sent"),
    };
    let mut fails_at = None;
    if !is_fair && random.percent(10) {
        match random.below(3) {
            0 => content.size = Some(whole.len() as u64 + random.pick(&[1, 100])),
            1 => content.size = Some((whole.len() as u64).saturating_sub(1)),
            _ => fails_at = Some(random.up_to(octets.len() + 1) - 1),
        }
    }
    let idle = if random.percent(90) { Duration::ZERO } else { seconds(if is_fair { 1 } else { 15 }) };
    Letter {
        envelope,
        asked,
        whole,
        content,
        piece: random.pick(&[usize::MAX, 1000, 40, 7]).max(octets.len() / 50),
        octets,
        fails_at,
        idle: if is_fair || random.percent(95) { idle } else { seconds(400) },
    }
}

/// A message: lines with dots at their beginnings, now and then a long one.
fn text(binary: bool, convert: bool, random: &mut Random<'_>) -> Vec<u8> {
    if binary {
        return (0..random.below(200)).map(|_| random.pick(b"a.\r\n\0\xff")).collect();
    }
    let lines = if random.percent(1) { 3000 } else { random.below(12) };
    let mut octets = Vec::new();
    for line in 0..lines {
        let words: &[u8] =
            random.pick(&[b"", b".", b"..", b".x", b"Subject: hi", b"hello", b"QUIT", b"MAIL FROM:<x@x>"]);
        octets.extend_from_slice(words);
        if line > 2000 {
            octets.extend_from_slice(&[b'x'; 60]);
        }
        if line > 4 && random.percent(10) {
            octets.extend_from_slice("\u{fc}".as_bytes());
        }
        let last = line + 1 == lines;
        match random.below(10) {
            0 if last => {}
            1..5 if convert => octets.push(b'\n'),
            5 if convert => octets.extend(b"\r\r\n"),
            _ => octets.extend(b"\r\n"),
        }
    }
    octets
}

/// Every line ended in CRLF, by definition.
fn with_crlf(octets: &[u8]) -> Vec<u8> {
    let mut whole: Vec<u8> = Vec::with_capacity(octets.len());
    let mut at = 0;
    while let Some(&octet) = octets.get(at) {
        match (octet, octets.get(at + 1)) {
            (b'\r', Some(b'\n')) => {
                whole.extend(b"\r\n");
                at += 1;
            }
            (b'\r' | b'\n', _) => whole.extend(b"\r\n"),
            _ => whole.push(octet),
        }
        at += 1;
    }
    if !whole.is_empty() && !whole.ends_with(b"\r\n") {
        whole.extend(b"\r\n");
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_crlf() {
        for (text, expected) in [("", ""), ("a", "a\r\n"), ("a\nb\r\nc\r", "a\r\nb\r\nc\r\n"), ("\r\r\n", "\r\n\r\n")] {
            assert_eq!(with_crlf(text.as_bytes()), expected.as_bytes(), "{text:?}");
        }
    }
}
