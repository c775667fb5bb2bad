//! Playing one check.

use std::fmt::Write as _;

use crate::check::{Check, Need};
use crate::conversation::Conversation;
use crate::reply::{NoReply, Reader};
use crate::script::Step;

/// The addresses that checks may use.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// One that the server accepts.
    pub good: String,
    /// One that it refuses, if known.
    pub bad: Option<String>,
}

/// What became of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server did as it should.
    Passed,
    /// It did not; what it did.
    Failed(String),
    /// The check is not about this server; why.
    NotApplicable(String),
    /// The check could not be run; why.
    NotRun(String),
}

/// The outcome of a check and the conversation that shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What became of it.
    pub outcome: Outcome,
    /// Lines of `C:` and `S:`.
    pub transcript: Vec<String>,
}

/// Runs a check on a new connection.
pub fn run(check: &Check, addresses: &Addresses, conversation: &mut dyn Conversation) -> Verdict {
    run_cut(check, addresses, conversation, usize::MAX)
}

/// Runs a check, sending no more than `cut` octets at a time.
pub fn run_cut(check: &Check, addresses: &Addresses, conversation: &mut dyn Conversation, cut: usize) -> Verdict {
    if check.needs.contains(&Need::Bad) && addresses.bad.is_none() {
        return Verdict {
            outcome: Outcome::NotRun("an address to be refused was not given".to_owned()),
            transcript: Vec::new(),
        };
    }
    let mut play = Play { conversation, reader: Reader::default(), transcript: Vec::new(), offers: Vec::new(), cut };
    let outcome = match play.steps(check, addresses) {
        Ok(()) => Outcome::Passed,
        Err(outcome) => outcome,
    };
    Verdict { outcome, transcript: play.transcript }
}

struct Play<'c> {
    conversation: &'c mut dyn Conversation,
    reader: Reader,
    transcript: Vec<String>,
    /// What the first reply to LHLO offered, a keyword each.
    offers: Vec<String>,
    cut: usize,
}

impl Play<'_> {
    fn steps(&mut self, check: &Check, addresses: &Addresses) -> Result<(), Outcome> {
        let mut ahead = Vec::new();
        let mut replies = 0;
        for step in &check.steps {
            match step {
                Step::Send(text) => ahead.extend(octets(text, addresses)),
                Step::Expect(pattern) => {
                    self.flush(&mut ahead);
                    let reply = self.expect(pattern)?;
                    replies += 1;
                    if replies == 2 && reply.code == 250 && reply.lines.len() > 1 {
                        self.offers = reply.lines[1..].to_vec();
                    }
                    // The greeting and the reply to LHLO have none, and nor has 3yz (RFC 2034 section 4).
                    if replies > 2
                        && self.offers("ENHANCEDSTATUSCODES")
                        && reply.code / 100 != 3
                        && !reply.has_enhanced_code()
                    {
                        let lhlo = reply.lines.len() > 1 && reply.code == 250;
                        if !lhlo {
                            return Err(Outcome::Failed("a reply without its enhanced code (R2034-4-a)".to_owned()));
                        }
                    }
                    if replies == 2 {
                        self.needs(check)?;
                    }
                }
                Step::Offers(keyword) if self.offers(keyword) => {}
                Step::Offers(keyword) => return Err(Outcome::Failed(format!("{keyword} is not offered"))),
                Step::Over => {}
                Step::Closed => {
                    self.flush(&mut ahead);
                    match self.reader.reply(self.conversation) {
                        Err(NoReply::Closed) => self.transcript.push("S: (closes)".to_owned()),
                        other => return Err(Outcome::Failed(format!("the connection was to be closed: {other:?}"))),
                    }
                }
            }
        }
        self.flush(&mut ahead);
        if self.reader.surplus() {
            return Err(Outcome::Failed("a reply too many".to_owned()));
        }
        Ok(())
    }

    fn needs(&self, check: &Check) -> Result<(), Outcome> {
        let missing = check.needs.iter().find_map(|need| match need {
            Need::Offer(offer) if !self.offers(offer) => Some(offer),
            _ => None,
        });
        missing.map_or(Ok(()), |offer| Err(Outcome::NotApplicable(format!("the server does not offer {offer}"))))
    }

    fn offers(&self, keyword: &str) -> bool {
        self.offers.iter().any(|line| line.split(' ').next().is_some_and(|word| word.eq_ignore_ascii_case(keyword)))
    }

    fn flush(&mut self, ahead: &mut Vec<u8>) {
        if ahead.is_empty() {
            return;
        }
        for line in ahead.split_inclusive(|&octet| octet == b'\n') {
            self.transcript.push(format!("C: {}", shown(line)));
        }
        for piece in ahead.chunks(self.cut.max(1)) {
            self.conversation.send(piece);
        }
        ahead.clear();
    }

    fn expect(&mut self, pattern: &str) -> Result<crate::reply::Reply, Outcome> {
        match self.reader.reply(self.conversation) {
            Ok(reply) => {
                let last = reply.lines.len() - 1;
                for (place, line) in reply.lines.iter().enumerate() {
                    let mark = if place == last { ' ' } else { '-' };
                    self.transcript.push(format!("S: {}{mark}{line}", reply.code));
                }
                if pattern.split('|').any(|one| matches(one, reply.code)) {
                    Ok(reply)
                } else {
                    Err(Outcome::Failed(format!("{} where {pattern} was due", reply.code)))
                }
            }
            Err(error) => {
                self.transcript.push(format!("S: ({error})"));
                Err(Outcome::Failed(format!("{error}, where {pattern} was due")))
            }
        }
    }
}

pub(crate) fn matches(pattern: &str, code: u16) -> bool {
    let code = code.to_string();
    pattern.len() == code.len()
        && pattern.chars().zip(code.chars()).all(|(want, have)| matches!(want, 'y' | 'z') || want == have)
}

/// Octets as they can be shown on a line, cut where they get long.
pub(crate) fn shown(octets: &[u8]) -> String {
    let octets = octets.strip_suffix(b"\r\n").unwrap_or(octets);
    let mut line = String::new();
    for octet in octets.iter().take(100) {
        let _ = write!(line, "{}", octet.escape_ascii());
    }
    if octets.len() > 100 {
        let _ = write!(line, "… ({} octets)", octets.len());
    }
    line
}

/// The octets that a text of a script stands for.
pub(crate) fn octets(text: &str, addresses: &Addresses) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '\\' => {
                let (octet, length) = match &rest[1..2] {
                    "r" => (b'\r', 2),
                    "n" => (b'\n', 2),
                    "t" => (b'\t', 2),
                    "0" => (0, 2),
                    "x" => (u8::from_str_radix(&rest[2..4], 16).expect("two hexadecimal digits"), 4),
                    _ => (b'\\', 2),
                };
                octets.push(octet);
                length
            }
            '{' => {
                let end = rest.find('}').expect("a closing brace");
                match &rest[1..end] {
                    "good" => octets.extend(addresses.good.as_bytes()),
                    "bad" => octets.extend(addresses.bad.as_deref().unwrap_or_default().as_bytes()),
                    repeated => {
                        let (part, count) = repeated.rsplit_once('*').expect("what, and how often");
                        octets.extend(self::octets(part, addresses).repeat(count.parse().expect("a count")));
                    }
                }
                end + 1
            }
            other => {
                octets.extend(other.to_string().bytes());
                other.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    octets
}
