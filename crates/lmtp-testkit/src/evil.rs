//! A server that may do anything: refuse, contradict itself, say too much or
//! too little, talk rubbish, hang up.

use std::collections::VecDeque;

use proptest::prelude::*;

use crate::memory::{Session, Waiting};
pub use crate::outcomes::{expected_of_each, expected_outcomes};

/// What the server does when something is due from it.
#[derive(Debug, Clone)]
pub enum Act {
    /// Gives the answer that lets the session go on.
    Good,
    /// Gives this reply.
    Reply(Said),
    /// Gives this reply and hangs up.
    ReplyAndClose(Said),
    /// Hangs up.
    Close,
    /// Says nothing.
    Silence,
    /// Says one reply too many.
    Twice(Said, Said),
    /// Gives the answer that lets the session go on, and begins with this reply
    /// behind it.
    AndHalf(Said),
    /// Says something that is no reply.
    Rubbish(Vec<u8>),
}

impl Act {
    /// Whether it answers one command with one reply, or goes away.
    pub fn is_honest(&self) -> bool {
        matches!(self, Self::Good | Self::Reply(_) | Self::ReplyAndClose(_) | Self::Close)
    }
}

/// A well-formed reply.
#[derive(Debug, Clone)]
pub struct Said {
    /// Its code.
    pub code: u16,
    /// Its lines.
    pub lines: Vec<String>,
}

impl Said {
    fn wire(&self) -> Vec<u8> {
        let last = self.lines.len().saturating_sub(1);
        let mut wire = Vec::new();
        for (index, text) in self.lines.iter().enumerate() {
            let separator = if index < last { "-" } else { " " };
            // A code alone is a reply as well.
            let line = if text.is_empty() && index == last {
                format!("{}\r\n", self.code)
            } else {
                format!("{}{separator}{text}\r\n", self.code)
            };
            wire.extend_from_slice(line.as_bytes());
        }
        wire
    }
}

/// Replies; of an honest server none with a line that no client need take.
fn said(honest: bool) -> impl Strategy<Value = Said> {
    let code = prop_oneof![
        4 => Just(250_u16),
        3 => prop_oneof![Just(450), Just(451), Just(452), Just(550), Just(552), Just(503)],
        2 => Just(421_u16),
        2 => Just(354_u16),
        1 => 200..600_u16,
    ];
    let text = prop_oneof![
        3 => Just(String::new()),
        4 => "[ -~]{0,20}",
        2 => "[245]\\.[0-9]\\.[0-9] [ -~]{0,9}",
        1 => Just("x".repeat(if honest { 500 } else { 5000 })),
        1 => "\\PC{0,9}",
    ];
    (code, prop::collection::vec(text, 1..4)).prop_map(|(code, lines)| Said { code, lines })
}

/// Acts that are honest, if that is asked for, or anything.
fn act(honest: bool) -> BoxedStrategy<Act> {
    let rubbish = prop_oneof![
        "[ -~]{0,12}(\r\n|\n|\r|)".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..20),
        Just(b"250-a\r\n251 b\r\n".to_vec()),
        Just([b"250 ".to_vec(), vec![b'x'; 70_000]].concat()),
    ];
    let well_behaved = prop_oneof![
        40 => Just(Act::Good),
        4 => said(honest).prop_map(Act::Reply),
        1 => said(honest).prop_map(Act::ReplyAndClose),
        1 => Just(Act::Close),
    ];
    if honest {
        return well_behaved.boxed();
    }
    prop_oneof![
        40 => well_behaved,
        1 => Just(Act::Silence),
        1 => (said(false), said(false)).prop_map(|(one, two)| Act::Twice(one, two)),
        1 => said(false).prop_map(Act::AndHalf),
        1 => rubbish.prop_map(Act::Rubbish),
    ]
    .boxed()
}

/// A course of acts for a session with so many recipients.
pub fn acts(recipients: usize, honest: bool) -> impl Strategy<Value = Vec<Act>> {
    prop::collection::vec(act(honest), 6 + 2 * recipients)
}

/// The server.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "flags are what a model is made of")]
pub struct EvilServer {
    acts: VecDeque<Act>,
    capabilities: Vec<String>,
    /// Octets that are no whole line yet.
    buffer: Vec<u8>,
    /// Whether what comes is content.
    in_content: bool,
    /// The chunk that comes: octets left of it, and whether it is the last.
    chunk: Option<(usize, bool)>,
    /// Whether a chunk of this transaction was refused.
    chunk_refused: bool,
    /// Recipients that got 2yz in this transaction.
    accepted: usize,
    /// The messages whose end was seen, unstuffed.
    pub messages: Vec<Vec<u8>>,
    /// Whether the last message was taken whole.
    pub stored: bool,
    /// Whether its end was seen, taken or not.
    pub ended: bool,
    content: Vec<u8>,
    /// Whether it said something that answers nothing. What a client makes of
    /// its answers from there on is anybody's guess.
    pub babbled: bool,
    /// Whether it has hung up.
    pub closed: bool,
    /// What was answered with what; `None` where it was not one reply.
    pub log: Log,
    /// What it saw of each transaction.
    pub transactions: Vec<Seen>,
}

/// What was answered with what; `None` where it was not one reply.
pub type Log = Vec<(String, Option<u16>)>;

/// What a server saw of one transaction: all from its MAIL to the next.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// What was answered with what.
    pub log: Log,
    /// Whether the message was taken whole.
    pub stored: bool,
    /// Whether the end of a message for somebody was seen, taken or not.
    pub ended: bool,
}

impl EvilServer {
    /// A server that offers this and acts so.
    pub fn new(acts: Vec<Act>, capabilities: &[&str]) -> Self {
        Self {
            acts: acts.into(),
            capabilities: capabilities.iter().map(ToString::to_string).collect(),
            buffer: Vec::new(),
            in_content: false,
            chunk: None,
            chunk_refused: false,
            accepted: 0,
            messages: Vec::new(),
            stored: false,
            ended: false,
            content: Vec::new(),
            babbled: false,
            closed: false,
            log: Vec::new(),
            transactions: Vec::new(),
        }
    }

    /// Begins anew on the same connection: other acts, an empty log.
    pub fn start_over(&mut self, acts: Vec<Act>) {
        self.acts = acts.into();
        self.log.clear();
        (self.stored, self.ended) = (false, false);
    }

    /// What it says when somebody connects.
    pub fn greet(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.answer("greeting", 220, "mx.example.org ready", &mut out);
        out
    }

    /// What it says to these octets.
    pub fn hear(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.buffer.extend_from_slice(octets);
        loop {
            if let Some((left, last)) = self.chunk.take() {
                let taken: Vec<u8> = self.buffer.drain(..left.min(self.buffer.len())).collect();
                self.content.extend_from_slice(&taken);
                if taken.len() < left {
                    self.chunk = Some((left - taken.len(), last));
                    break;
                }
                self.end_chunk(last, &mut out);
                continue;
            }
            let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") else { break };
            let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let line = &line[..end];
            // Who has hung up hears nothing, but chunks may be on their way.
            if self.closed && !line.starts_with(b"BDAT") {
                continue;
            }
            if self.in_content {
                if line == b"." {
                    self.in_content = false;
                    self.end_message(&mut out);
                } else {
                    self.content.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
                    self.content.extend_from_slice(b"\r\n");
                }
                continue;
            }
            let verb = String::from_utf8_lossy(line.get(..4).unwrap_or(line)).into_owned();
            if verb == "BDAT" {
                let line = String::from_utf8_lossy(line);
                let mut words = line.split(' ').skip(1);
                let size = words.next().and_then(|size| size.parse().ok()).expect("a size");
                self.chunk = Some((size, words.next() == Some("LAST")));
                continue;
            }
            if verb == "MAIL" {
                self.transactions.push(Seen::default());
            }
            let code = match verb.as_str() {
                "LHLO" => self.answer(&verb, 250, &self.offers(), &mut out),
                "DATA" => self.answer(&verb, 354, "go on", &mut out),
                "STAR" => self.answer(&verb, 220, "go ahead", &mut out),
                "AUTH" => self.answer(&verb, 235, "2.7.0 welcome", &mut out),
                "QUIT" => self.answer(&verb, 221, "bye", &mut out),
                _ => self.answer(&verb, 250, "2.0.0 ok", &mut out),
            };
            match (verb.as_str(), code) {
                ("MAIL" | "RSET", _) => {
                    (self.accepted, self.stored, self.ended, self.chunk_refused) = (0, false, false, false);
                    self.content.clear();
                }
                ("RCPT", Some(200..300)) => self.accepted += 1,
                ("DATA", Some(300..400)) => self.in_content = true,
                _ => {}
            }
        }
        out
    }

    /// The end of a message, with an answer for each accepted recipient.
    fn end_message(&mut self, out: &mut Vec<u8>) {
        self.see_end();
        let message = std::mem::take(&mut self.content);
        // A lone dot is a message for nobody.
        self.stored = self.accepted > 0;
        self.messages.extend(self.stored.then_some(message));
        if let Some(seen) = self.transactions.last_mut() {
            seen.stored = self.stored;
        }
        for index in 0..std::mem::take(&mut self.accepted) {
            self.answer(&format!("final {index}"), 250, "2.0.0 stored", out);
        }
    }

    fn see_end(&mut self) {
        self.ended = self.accepted > 0;
        if let Some(seen) = self.transactions.last_mut() {
            seen.ended = self.ended;
        }
    }

    /// The end of a chunk: the last one ends the message, if none was refused.
    fn end_chunk(&mut self, last: bool, out: &mut Vec<u8>) {
        if last {
            self.see_end();
        }
        if self.closed {
            return;
        }
        if last && !self.chunk_refused {
            return self.end_message(out);
        }
        let code = match self.chunk_refused {
            true => self.answer("chunk", 503, "5.5.1 a chunk was refused", out),
            false => self.answer("chunk", 250, "2.0.0 so far", out),
        };
        // Silence is no refusal.
        self.chunk_refused |= code.is_some_and(|code| code / 100 != 2);
    }

    fn offers(&self) -> String {
        std::iter::once("mx.example.org")
            .chain(self.capabilities.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Acts, where `code` and `text` would be good; gives the code that was said.
    fn answer(&mut self, to: &str, code: u16, text: &str, out: &mut Vec<u8>) -> Option<u16> {
        if self.closed {
            return None;
        }
        let good = Said { code, lines: text.split('\n').map(String::from).collect() };
        let mut behind = Vec::new();
        let said = match self.acts.pop_front().unwrap_or(Act::Good) {
            Act::Good => Some(good),
            Act::Reply(said) => Some(said),
            Act::ReplyAndClose(said) => {
                self.closed = true;
                Some(said)
            }
            Act::Close => {
                self.closed = true;
                None
            }
            Act::Silence => None,
            Act::Twice(one, two) => {
                self.babbled = true;
                out.extend(one.wire());
                Some(two)
            }
            Act::AndHalf(next) => {
                self.babbled = true;
                behind = next.wire();
                behind.truncate(behind.len() / 2);
                Some(good)
            }
            Act::Rubbish(octets) => {
                self.babbled = true;
                out.extend(octets);
                None
            }
        };
        if let Some(said) = &said {
            out.extend(said.wire());
        }
        out.extend(behind);
        let code = said.map(|said| said.code);
        self.log.push((to.into(), code));
        if let Some(seen) = self.transactions.last_mut() {
            seen.log.push((to.into(), code));
        }
        code
    }
}

/// Lets client and server talk until the client is done. The server's words
/// arrive in pieces of at most `piece` octets; the client writes at most `write`
/// at once. `watch` sees both before each step.
pub fn converse(
    session: &mut Session,
    server: &mut EvilServer,
    pace: (usize, usize),
    watch: impl FnMut(&Session, &EvilServer),
) {
    let greeting = server.greet();
    go_on(session, server, greeting.into(), pace, watch);
}

/// Goes on after the end of a message; gives what the server said that was not
/// heard.
pub fn go_on(
    session: &mut Session,
    server: &mut EvilServer,
    mut said: VecDeque<u8>,
    (piece, write): (usize, usize),
    mut watch: impl FnMut(&Session, &EvilServer),
) {
    for _ in 0..1_000_000 {
        watch(session, server);
        match session.settle() {
            Waiting::Over => return,
            Waiting::ToEncrypt => panic!("the session encrypts by itself"),
            Waiting::ToSend if server.closed => {
                // The write fails; what was said before is read first.
                session.hear(said.make_contiguous());
                session.eof();
                session.run();
                return;
            }
            Waiting::ToSend => {
                let before = session.sent.len();
                session.step(write);
                let octets = session.sent[before..].to_vec();
                said.extend(server.hear(&octets));
            }
            Waiting::ToReceive if !said.is_empty() => {
                let piece: Vec<u8> = said.drain(..piece.min(said.len())).collect();
                session.hear(&piece);
            }
            Waiting::ToReceive if server.closed => session.eof(),
            Waiting::ToReceive => {
                if !session.time_out() {
                    return; // idle
                }
            }
        }
    }
    panic!("it does not end");
}
