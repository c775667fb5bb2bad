//! A plain LMTP server that can be broken in many ways, to test a tester of servers with.

mod fault;
mod twisted;

use lmtp_conformance::Peer;

pub use fault::Fault;
pub use twisted::{Twist, Twisted};

#[derive(Debug, PartialEq, Eq)]
enum Reading {
    Commands,
    /// Nothing, until TLS has begun.
    Handshake,
    Content,
    Chunk {
        left: usize,
        last: bool,
        refused: bool,
    },
}

/// The server.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about the session")]
pub struct Broken {
    fault: Option<Fault>,
    unread: Vec<u8>,
    said: Vec<u8>,
    greeted: bool,
    closed: bool,
    knows_client: bool,
    has_sender: bool,
    recipients: Vec<String>,
    refused: usize,
    has_chunks: bool,
    reading: Reading,
    secured: bool,
}

/// So many recipients of a message.
const RECIPIENTS: usize = 200;

impl Broken {
    /// A server with a fault, or the model itself.
    pub fn new(fault: Option<Fault>) -> Self {
        Self {
            fault,
            unread: Vec::new(),
            said: Vec::new(),
            greeted: false,
            closed: false,
            knows_client: false,
            has_sender: false,
            recipients: Vec::new(),
            refused: 0,
            has_chunks: false,
            reading: Reading::Commands,
            secured: false,
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn say(&mut self, code: u16, text: &str) {
        let class = if self.is(Fault::WrongEnhancedClass) && code == 250 { 5 } else { code / 100 };
        let enhanced = if code == 354 || code == 220 || self.is(Fault::NoEnhancedCodes) {
            String::new()
        } else {
            format!("{class}.0.0 ")
        };
        let end = if self.is(Fault::RepliesWithLf) { "\n" } else { "\r\n" };
        self.said.extend(format!("{code} {enhanced}{text}{end}").into_bytes());
    }

    fn reset(&mut self) {
        self.has_sender = false;
        self.recipients.clear();
        self.refused = 0;
        self.has_chunks = false;
    }

    fn run(&mut self) {
        while !self.closed {
            let went_on = match self.reading {
                Reading::Commands => self.command(),
                Reading::Handshake => false,
                Reading::Content => self.content(),
                Reading::Chunk { .. } => self.chunk(),
            };
            if !went_on {
                return;
            }
        }
    }

    fn command(&mut self) -> bool {
        let found =
            if self.is(Fault::LfEndsCommands) { find(&self.unread, b"\n") } else { find(&self.unread, b"\r\n") };
        let Some(end) = found else { return false };
        let length = if self.is(Fault::LfEndsCommands) { 1 } else { 2 };
        let line: Vec<u8> = self.unread.drain(..end + length).collect();
        if line.len() > 4096 {
            self.say(500, "too long");
            return true;
        }
        let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n', ' ']).to_owned();
        let before = self.said.len();
        self.obey(&line);
        if self.is(Fault::DropsPipelined) && self.said.get(before) == Some(&b'5') {
            self.unread.clear();
        }
        true
    }

    fn obey(&mut self, line: &str) {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let verb = if self.is(Fault::CaseMatters) { verb.to_owned() } else { verb.to_ascii_uppercase() };
        match verb.as_str() {
            "LHLO" => self.lhlo(argument),
            "EHLO" if self.is(Fault::TakesEhlo) => self.say(250, "hello"),
            "HELO" if self.is(Fault::TakesHelo) => self.say(250, "hello"),
            "MAIL" => self.mail(argument),
            "RCPT" => self.rcpt(argument),
            "STARTTLS" if !argument.is_empty() && !self.is(Fault::StarttlsArgument) => self.say(501, "no argument"),
            "STARTTLS" if self.secured && !self.is(Fault::TlsWithin) => self.say(503, "not twice"),
            "STARTTLS" => {
                self.say(220, "go ahead");
                self.reading = Reading::Handshake;
            }
            "DATA" | "RSET" | "QUIT" if !argument.is_empty() => self.say(501, "no argument"),
            "DATA" if self.has_chunks && !self.is(Fault::DataAfterBdat) => self.say(503, "BDAT"),
            "DATA" if self.recipients.is_empty() && !self.is(Fault::DataWithoutRecipients) => {
                self.say(503, "RCPT first");
            }
            "DATA" => {
                self.say(354, "go ahead");
                self.reading = Reading::Content;
                // As if a line had just ended.
                if !self.is(Fault::MissesFirstDot) {
                    self.unread.splice(0..0, *b"\r\n");
                }
            }
            "BDAT" => self.bdat(argument),
            "RSET" => {
                if !self.is(Fault::RsetKeepsState) {
                    self.reset();
                }
                self.say(250, "reset");
            }
            "NOOP" => {
                if self.is(Fault::NoopResets) {
                    self.reset();
                }
                self.say(250, "nothing");
            }
            "VRFY" => self.say(252, "perhaps"),
            "QUIT" => {
                if !self.is(Fault::QuitSilent) {
                    self.say(221, "bye");
                }
                self.closed = !self.is(Fault::QuitStays);
            }
            _ => {
                self.say(500, "what");
                self.closed = self.is(Fault::UnknownCloses);
            }
        }
    }

    fn lhlo(&mut self, name: &str) {
        if !(is_address(&format!("a@{name}")) || self.is(Fault::NamelessLhlo)) {
            return self.say(501, "who");
        }
        if !self.is(Fault::LhloKeepsState) {
            self.reset();
        }
        self.knows_client = true;
        let pipelining = if self.is(Fault::NoPipelining) { "" } else { "250-PIPELINING\r\n" };
        let end = if self.is(Fault::RepliesWithLf) { "\n" } else { "\r\n" };
        let starttls = if self.secured && !self.is(Fault::TlsWithin) { "" } else { "250-STARTTLS\r\n" };
        let offers = format!(
            "250-model.example\r\n{pipelining}250-ENHANCEDSTATUSCODES\r\n250-SIZE\r\n250-CHUNKING\r\n{starttls}\
             250-LIMITS RCPTMAX={RECIPIENTS}\r\n250 8BITMIME{end}"
        );
        self.said.extend(offers.into_bytes());
    }

    /// The path and the parameters behind a `FROM:` or a `TO:`.
    fn path<'a>(&self, argument: &'a str, word: &str) -> Result<&'a str, u16> {
        let rest = argument.get(..word.len()).filter(|start| start.eq_ignore_ascii_case(word)).ok_or(501_u16);
        rest?;
        let path = argument[word.len()..].strip_prefix('<').ok_or(501_u16)?;
        let mut quoted = false;
        let mut escaped = false;
        let end = path.find(|letter| {
            let end = letter == '>' && !quoted;
            quoted ^= letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            end
        });
        let end = end.ok_or(501_u16)?;
        let (path, rest) = (&path[..end], &path[end + 1..]);
        let mut has_size = false;
        if !rest.is_empty() && !rest.starts_with(' ') {
            return Err(501);
        }
        for parameter in rest.split(' ').filter(|word| !word.is_empty()) {
            let (keyword, value) =
                parameter.split_once('=').map_or((parameter, None), |(word, value)| (word, Some(value)));
            let is_keyword = keyword.starts_with(|letter: char| letter.is_ascii_alphanumeric());
            if !is_keyword || value.is_some_and(|value| value.is_empty() || value.contains('=')) {
                return Err(501);
            }
            let value = value.unwrap_or_default().to_ascii_uppercase();
            match keyword.to_ascii_uppercase().as_str() {
                "SIZE" if word == "FROM:" => {
                    let good = (1..=20).contains(&value.len()) && value.bytes().all(|octet| octet.is_ascii_digit());
                    if !good || has_size {
                        return Err(501);
                    }
                    has_size = true;
                }
                "BODY" if word == "FROM:" && ["7BIT", "8BITMIME"].contains(&value.as_str()) => {}
                "BODY" if word == "FROM:" => return Err(501),
                _ if self.is(Fault::TakesParameters) => {}
                _ => return Err(555),
            }
        }
        Ok(path)
    }

    fn mail(&mut self, argument: &str) {
        if !(self.knows_client || self.is(Fault::MailBeforeLhlo)) {
            return self.say(503, "LHLO first");
        }
        if self.has_sender && !self.is(Fault::NestedMail) {
            return self.say(503, "RSET first");
        }
        match self.path(argument, "FROM:") {
            Err(code) => self.say(code, "no path"),
            Ok("") if self.is(Fault::NoNullSender) => self.say(550, "no bounces"),
            Ok(path) if path.is_empty() || is_address(path) => {
                self.has_sender = true;
                self.say(250, "sender");
            }
            Ok(_) => self.say(501, "no address"),
        }
    }

    fn rcpt(&mut self, argument: &str) {
        match self.path(argument, "TO:") {
            Err(code) => self.say(code, "no path"),
            Ok(path) if !(is_address(path) || path.eq_ignore_ascii_case("postmaster")) => self.say(501, "no address"),
            Ok(_) if !self.has_sender || self.has_chunks => self.say(503, "not now"),
            Ok(path) if path.starts_with("no") => {
                self.refused += 1;
                self.say(550, "nobody");
            }
            Ok(_) if self.is(Fault::FiftyRecipients) && self.recipients.len() == 50 => self.say(452, "too many"),
            Ok(_) if self.recipients.len() >= self.most() => self.say(452, "too many"),
            Ok(path) => {
                self.recipients.push(path.to_owned());
                self.say(250, "recipient");
            }
        }
    }

    fn most(&self) -> usize {
        match self.fault {
            Some(Fault::TakesOneMore) => RECIPIENTS + 1,
            Some(Fault::TakesOneLess) => RECIPIENTS - 1,
            _ => RECIPIENTS,
        }
    }

    /// What each recipient is answered, by name: who is full is refused.
    fn verdicts(&self, count: usize, code: u16) -> Vec<u16> {
        let of = |to: Option<&String>| match to {
            Some(to) if code == 250 && to.starts_with("full") && !self.is(Fault::HidesFailures) => 552,
            _ => code,
        };
        let mut codes: Vec<u16> = (0..count).map(|place| of(self.recipients.get(place))).collect();
        if self.is(Fault::FinalsReversed) {
            codes.reverse();
        }
        if self.is(Fault::OneRefusesAll) && codes.contains(&552) {
            codes.fill(552);
        }
        codes
    }

    fn finish(&mut self, chunked: bool, code: u16) {
        let all = self.recipients.len();
        let mut count = match self.fault {
            Some(Fault::OneReply) => all.min(1),
            Some(Fault::OneReplyToChunks) if chunked => all.min(1),
            Some(Fault::ReplyTooMany) => all + 1,
            Some(Fault::ReplyTooFew) if all > 1 => all - 1,
            Some(Fault::AnswersRefused) => all + self.refused,
            Some(Fault::AnswersEmptyLast) => all.max(1),
            _ => all,
        };
        if self.is(Fault::CollapsesDuplicates) {
            self.recipients.sort();
            self.recipients.dedup();
            count = self.recipients.len();
        }
        for code in self.verdicts(count, code) {
            self.say(code, "done");
        }
        let kept = self.is(Fault::KeepsRecipients).then(|| self.recipients.clone());
        self.reset();
        if let Some(kept) = kept {
            self.recipients = kept;
        }
        self.reading = Reading::Commands;
    }

    fn content(&mut self) -> bool {
        let mut ends: Vec<&[u8]> = vec![b"\r\n.\r\n"];
        match self.fault {
            Some(Fault::EndsAtLfDotLf) => ends.push(b"\n.\n"),
            Some(Fault::EndsAtLfDotCrlf) => ends.push(b"\n.\r\n"),
            Some(Fault::EndsAtCrlfDotLf) => ends.push(b"\r\n.\n"),
            Some(Fault::EndsAtCrDotCr) => ends.push(b"\r.\r"),
            Some(Fault::IgnoresNulInEnd) => ends.push(b"\r\n.\0\r\n"),
            _ => {}
        }
        let found = ends.iter().filter_map(|end| find(&self.unread, end).map(|at| (at, at + end.len()))).min();
        let Some((at, end)) = found else { return false };
        let code = if self.is(Fault::SmallMessages) && at > 16_384 { 552 } else { 250 };
        self.unread.drain(..end);
        self.finish(false, code);
        true
    }

    fn bdat(&mut self, argument: &str) {
        let (size, last) = argument.split_once(' ').unwrap_or((argument, ""));
        let Ok(left) = size.parse() else { return self.say(501, "size") };
        let refused = !self.has_sender || (self.recipients.is_empty() && !last.eq_ignore_ascii_case("LAST"));
        if refused && self.is(Fault::RefusedChunkIsRun) {
            return self.say(503, "not now");
        }
        self.reading = Reading::Chunk { left, last: last.eq_ignore_ascii_case("LAST"), refused };
    }

    fn chunk(&mut self) -> bool {
        let Reading::Chunk { left, last, refused } = self.reading else { return false };
        if self.unread.len() < left {
            return false;
        }
        self.unread.drain(..left);
        self.reading = Reading::Commands;
        if refused {
            self.say(503, "not now");
        } else if last {
            self.finish(true, 250);
        } else {
            self.has_chunks = true;
            let count = if self.is(Fault::RepliesToEachChunk) { self.recipients.len() } else { 1 };
            (0..count).for_each(|_| self.say(250, "chunk"));
        }
        true
    }
}

impl Peer for Broken {
    fn hear(&mut self, octets: &[u8]) -> Vec<u8> {
        if !self.greeted {
            self.greeted = true;
            self.say(220, "model.example");
        }
        self.unread.extend_from_slice(octets);
        self.run();
        std::mem::take(&mut self.said)
    }

    fn has_closed(&self) -> bool {
        self.closed
    }

    fn secure(&mut self) -> bool {
        if self.reading != Reading::Handshake {
            return false;
        }
        (self.reading, self.secured) = (Reading::Commands, true);
        if !self.is(Fault::KeepsPlaintext) {
            self.unread.clear();
        }
        self.knows_client &= self.is(Fault::KnowsClientWithin);
        self.reset();
        true
    }
}

fn find(octets: &[u8], what: &[u8]) -> Option<usize> {
    octets.windows(what.len()).position(|window| window == what)
}

/// Whether a text is a mailbox, perhaps behind a source route (RFC 5321 section 4.1.2).
fn is_address(text: &str) -> bool {
    let mailbox = if text.starts_with('@') { text.split_once(':').map_or("", |(_, mailbox)| mailbox) } else { text };
    let quoted = mailbox.starts_with('"');
    let at = if quoted { mailbox.rfind("\"@").map(|at| at + 1) } else { mailbox.find('@') };
    let Some(at) = at else { return false };
    let (local, domain) = (&mailbox[..at], &mailbox[at + 1..]);
    let local_is_good = if quoted {
        local.len() >= 2 && local.bytes().all(|octet| matches!(octet, b' '..=b'~'))
    } else {
        let atext = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet);
        local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(atext))
    };
    local_is_good && is_domain(domain)
}

fn is_domain(domain: &str) -> bool {
    if let Some(literal) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return match literal.strip_prefix("IPv6:") {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => literal.parse::<std::net::Ipv4Addr>().is_ok(),
        };
    }
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
    };
    domain.split('.').all(label)
}
