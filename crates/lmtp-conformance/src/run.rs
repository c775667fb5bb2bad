//! Playing one check.

mod auth;
mod offered;
mod stop;

use std::fmt::Write as _;
use std::time::Duration;

use crate::check::{Check, Need};
use crate::conversation::{Conversation, NoTls};
use crate::login::Login;
use crate::reply::{NoReply, Reader, Reply};
use crate::script::Step;

/// What checks may use: the addresses of a server, and what is known of it.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// One that the server accepts.
    pub good: String,
    /// Another one, if known.
    pub other: Option<String>,
    /// One that it refuses, if known.
    pub bad: Option<String>,
    /// One that it accepts, and cannot deliver to when it has the message, if known.
    pub full: Option<String>,
    /// How long it waits for a client that says nothing, if known.
    pub idle: Option<Duration>,
    /// Who may log in, if anybody.
    pub login: Option<Login>,
}

/// How much longer than it says a server may wait.
const GRACE: Duration = Duration::from_secs(5);

/// Limits that are larger are not tried.
const MOST: usize = 1000;

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
    if let Some(why) = check.missing(addresses) {
        return Verdict { outcome: Outcome::NotRun(why.to_owned()), transcript: Vec::new() };
    }
    let mut play = Play {
        conversation,
        reader: Reader::default(),
        transcript: Vec::new(),
        offers: Vec::new(),
        cut,
        login: addresses.login.as_ref(),
        after_lhlo: false,
        replies: 0,
        last: 0,
    };
    let outcome = match play.steps(check, addresses) {
        Ok(()) => Outcome::Passed,
        Err(outcome) => outcome,
    };
    play.verdict(outcome)
}

struct Play<'c> {
    conversation: &'c mut dyn Conversation,
    reader: Reader,
    transcript: Vec<String>,
    /// What the last reply to LHLO offered, a line each.
    offers: Vec<String>,
    cut: usize,
    /// Whose password is not shown.
    login: Option<&'c Login>,
    /// Whether the last line that was sent is LHLO.
    after_lhlo: bool,
    replies: usize,
    /// The code of the last reply.
    last: u16,
}

impl Play<'_> {
    fn steps(&mut self, check: &Check, addresses: &Addresses) -> Result<(), Outcome> {
        let mut ahead = Vec::new();
        for step in &check.steps {
            match step {
                Step::Send(text) => ahead.extend(octets(text, addresses)),
                Step::Expect(pattern) => {
                    self.flush(&mut ahead);
                    self.reply(pattern)?;
                    if self.replies == 2 {
                        self.needs(check)?;
                    }
                }
                Step::Supposes(pattern) => {
                    self.flush(&mut ahead);
                    self.supposed(pattern)?;
                }
                Step::Offers(keyword) if self.offers(keyword) => {}
                Step::Offers(keyword) => return Err(Outcome::Failed(format!("{keyword} is not offered"))),
                Step::OffersNot(keyword) if !self.offers(keyword) => {}
                Step::OffersNot(keyword) => return Err(Outcome::Failed(format!("{keyword} is offered"))),
                Step::OffersAlone(keyword) => self.offers_alone(keyword)?,
                Step::Tls { may_fail } => {
                    if !self.secure(*may_fail)? {
                        return Ok(());
                    }
                }
                Step::Beyond(keyword) if keyword == "SIZE" => self.beyond_size()?,
                Step::Beyond(keyword) => self.beyond(keyword, addresses)?,
                Step::Challenge => {
                    self.flush(&mut ahead);
                    self.challenge()?;
                }
                Step::ExpectOrEnd(pattern) => {
                    self.flush(&mut ahead);
                    if !self.reply_or_end(pattern)? {
                        return Ok(());
                    }
                }
                Step::Stop => {
                    self.flush(&mut ahead);
                    self.stop()?;
                }
                Step::Unless(pattern) => self.unless(pattern)?,
                Step::Idle => {
                    self.flush(&mut ahead);
                    self.conversation.wait(addresses.idle.unwrap_or_default() + GRACE);
                }
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

    /// The next reply, by its pattern.
    fn reply(&mut self, pattern: &str) -> Result<(), Outcome> {
        let (codes, is_enhanced) = pattern.strip_suffix('+').map_or((pattern, false), |codes| (codes, true));
        let reply = self.next(codes)?;
        if !codes.split('|').any(|one| matches(one, reply.code)) {
            return Err(Outcome::Failed(format!("{} where {codes} was due", reply.code)));
        }
        if is_enhanced && !reply.has_enhanced_code() {
            return Err(Outcome::Failed("a reply without its enhanced code".to_owned()));
        }
        Ok(())
    }

    /// A reply that no document demands, and that the rest is about.
    fn supposed(&mut self, pattern: &str) -> Result<(), Outcome> {
        let code = self.next(pattern)?.code;
        if pattern.split('|').any(|one| matches(one, code)) {
            return Ok(());
        }
        Err(Outcome::NotApplicable(format!("the server answers {code} where this is about {pattern}")))
    }

    fn next(&mut self, pattern: &str) -> Result<Reply, Outcome> {
        let reply = self.reader.reply(self.conversation).map_err(|error| {
            self.transcript.push(format!("S: ({error})"));
            Outcome::Failed(format!("{error}, where {pattern} was due"))
        })?;
        let last = reply.lines.len() - 1;
        for (place, line) in reply.lines.iter().enumerate() {
            let mark = if place == last { ' ' } else { '-' };
            self.transcript.push(format!("S: {}{mark}{line}", reply.code));
        }
        self.replies += 1;
        self.last = reply.code;
        if self.after_lhlo && reply.code == 250 {
            self.offers = reply.lines[1..].to_vec();
        }
        Ok(reply)
    }

    /// Whether TLS has begun.
    fn secure(&mut self, may_fail: bool) -> Result<bool, Outcome> {
        // A server that does not begin TLS for it has done nothing within it.
        if may_fail && self.last != 220 {
            return Ok(false);
        }
        if self.reader.surplus() {
            return Err(Outcome::Failed("a reply too many, before TLS".to_owned()));
        }
        match self.conversation.secure() {
            Ok(()) => {
                self.transcript.push("(TLS)".to_owned());
                self.offers.clear();
                Ok(true)
            }
            Err(NoTls::Unsupported) => Err(Outcome::NotRun("TLS cannot be begun over this conversation".to_owned())),
            Err(NoTls::Failed(why)) => {
                self.transcript.push(format!("(no TLS: {why})"));
                if may_fail { Ok(false) } else { Err(Outcome::Failed(format!("no TLS behind STARTTLS: {why}"))) }
            }
        }
    }

    /// Asks for as many as the server says that it takes, which it has to take, and for one more, which it has not.
    fn beyond(&mut self, keyword: &str, addresses: &Addresses) -> Result<(), Outcome> {
        let words = self.offers.iter().find_map(|line| line.strip_prefix("LIMITS ")).unwrap_or_default();
        let told = words.split(' ').find_map(|word| word.strip_prefix(keyword)?.strip_prefix('='));
        let Some(told) = told else { return Err(Outcome::NotApplicable(format!("the server tells no {keyword}"))) };
        let Some(most) = told.parse::<usize>().ok().filter(|most| (1..=999_999).contains(most)) else {
            return Err(Outcome::Failed(format!("{keyword}={told} is no number from 1 to 999999")));
        };
        if most > MOST {
            return Err(Outcome::NotApplicable(format!("{keyword}={most} is more than are tried ({MOST})")));
        }
        let (one, code) = match keyword {
            "RCPTMAX" => (octets("RCPT TO:<{good}>\\r\\n", addresses), "25y"),
            _ => (octets("MAIL FROM:<sender@conformance.example>\\r\\nRSET\\r\\n", addresses), "250"),
        };
        let each = one.split(|octet| *octet == b'\n').count() - 1;
        for _ in 0..most {
            self.flush(&mut one.clone());
            for _ in 0..each {
                self.reply(code)?;
            }
        }
        let mut first = one.split_inclusive(|octet| *octet == b'\n').next().unwrap_or_default().to_vec();
        self.flush(&mut first);
        self.reply("4yz|5yz")
    }

    fn needs(&self, check: &Check) -> Result<(), Outcome> {
        let wanting = check.needs.iter().find_map(|need| match need {
            Need::Offer(offer) if !self.offers(offer) => {
                Some(Outcome::NotApplicable(format!("the server does not offer {offer}")))
            }
            Need::NoOffer(offer) if self.offers(offer) => {
                Some(Outcome::NotApplicable(format!("the server offers {offer}")))
            }
            // Where nobody can log in, nobody has to be named.
            Need::Login if self.login.is_none() => Some(Outcome::NotRun("nobody who may log in was given".to_owned())),
            _ => None,
        });
        wanting.map_or(Ok(()), Err)
    }

    fn offers(&self, keyword: &str) -> bool {
        self.offers.iter().any(|line| offered::has_keyword(line, keyword))
    }

    fn flush(&mut self, ahead: &mut Vec<u8>) {
        if ahead.is_empty() {
            return;
        }
        for line in ahead.split_inclusive(|&octet| octet == b'\n') {
            self.transcript.push(format!("C: {}", self.shown(line)));
        }
        for piece in ahead.chunks(self.cut.max(1)) {
            self.conversation.send(piece);
        }
        self.after_lhlo = ahead.len() >= 4 && ahead[..4].eq_ignore_ascii_case(b"LHLO")
            || ahead.windows(5).any(|window| window.eq_ignore_ascii_case(b"\nLHLO"));
        ahead.clear();
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
                    "other" => octets.extend(addresses.other.as_deref().unwrap_or_default().as_bytes()),
                    "also" => octets.extend(addresses.other.as_ref().unwrap_or(&addresses.good).as_bytes()),
                    "full" => octets.extend(addresses.full.as_deref().unwrap_or_default().as_bytes()),
                    "plain" => octets.extend(addresses.login.as_ref().map(Login::plain).unwrap_or_default().bytes()),
                    "wrong" => octets.extend(addresses.login.as_ref().map(Login::wrong).unwrap_or_default().bytes()),
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
