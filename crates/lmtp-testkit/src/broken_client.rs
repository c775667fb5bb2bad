//! A plain LMTP client that can be broken in many ways, to test a tester of clients with.

mod fault;
mod link;

use std::fmt::Write as _;

use lmtp_conformance::client::{Errand, Fate};

pub use fault::Fault;
use link::{Link, Lost, Reply};

/// Sends a message as a client with a fault does, or one without.
pub fn send(fault: Option<Fault>, errand: &Errand) -> Vec<Fate> {
    let mut errand = errand.clone();
    if fault == Some(Fault::MergesDuplicates) {
        let mut seen: Vec<String> = Vec::new();
        errand.to.retain(|to| !seen.contains(to) && (seen.push(to.clone()), true).1);
    }
    if fault != Some(Fault::AnyAddress) {
        let sender_is_good = errand.from == "<>" || is_address(&errand.from);
        if !sender_is_good || !errand.to.iter().all(|to| is_address(to)) {
            return vec![Fate::Permanent; errand.to.len()];
        }
    }
    let mut sending = Sending {
        fault,
        errand: &errand,
        offers: Vec::new(),
        fates: vec![None; errand.to.len()],
        is_handed_over: false,
    };
    let lost = sending.run().err();
    sending.report(lost)
}

struct Sending<'e> {
    fault: Option<Fault>,
    errand: &'e Errand,
    offers: Vec<String>,
    /// What is known of each recipient.
    fates: Vec<Option<Fate>>,
    /// The dot may have left.
    is_handed_over: bool,
}

impl Sending<'_> {
    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn set(&mut self, places: &[usize], fate: Option<Fate>) {
        for &at in places {
            self.fates[at] = fate;
        }
    }

    fn run(&mut self) -> Result<(), Lost> {
        let mut link = Link::open(self.errand, self.fault).map_err(|_| Lost::Closed)?;
        if self.is(Fault::SpeaksFirst) {
            link.say(b"LHLO client.example\r\n");
        }
        let greeting = link.reply()?;
        if greeting.code != 220 && !self.is(Fault::AnyGreeting) {
            link.say(b"QUIT\r\n");
            return Ok(());
        }
        let nameless = self.is(Fault::NamelessLhlo);
        let mut lhlo = if nameless { b"LHLO\r\n".to_vec() } else { b"LHLO client.example\r\n".to_vec() };
        if self.is(Fault::PipelinesLhlo) {
            lhlo.extend(self.mail());
        }
        if !self.is(Fault::SpeaksFirst) {
            link.say(&lhlo);
        }
        let mut hello = link.reply()?;
        if hello.code / 100 == 5 && self.is(Fault::TriesEhlo) {
            link.say(b"EHLO client.example\r\n");
            hello = link.reply()?;
        }
        if hello.code / 100 == 5 && self.is(Fault::TriesEhloAgain) {
            link = Link::open(self.errand, self.fault).map_err(|_| Lost::Closed)?;
            link.reply()?;
            link.say(b"EHLO client.example\r\n");
            hello = link.reply()?;
        }
        if hello.code / 100 != 2 {
            link.say(b"QUIT\r\n");
            return Ok(());
        }
        self.offers = hello.text.lines().skip(1).map(str::to_owned).collect();
        if self.is(Fault::AsksForAuth) {
            link.say(b"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n");
            link.reply()?;
        }
        if self.may_be_sent() {
            self.transaction(&mut link)?;
        }
        if self.is(Fault::NoQuit) {
            return Ok(());
        }
        link.say(b"QUIT\r\n");
        let farewell = link.reply();
        if self.is(Fault::FailsWithQuit) && farewell.map_or(true, |reply| reply.code != 221) {
            self.fates.fill(Some(Fate::Permanent));
        }
        Ok(())
    }

    /// What is not offered and needed is refused here.
    fn may_be_sent(&mut self) -> bool {
        let eight_bit = self.errand.message.is_ascii() || self.offers("8BITMIME") || self.is(Fault::AlwaysEightBit);
        let utf8 = self.offers("SMTPUTF8") || self.is(Fault::AlwaysUtf8);
        if !eight_bit || !self.errand.from.is_ascii() && !utf8 {
            self.fates.fill(Some(Fate::Permanent));
        }
        for (fate, to) in self.fates.iter_mut().zip(&self.errand.to) {
            if !to.is_ascii() && !utf8 {
                *fate = Some(Fate::Permanent);
            }
        }
        self.fates.contains(&None)
    }

    fn offers(&self, keyword: &str) -> bool {
        self.offers.iter().any(|offer| {
            let offer = offer.split(' ').next().unwrap_or_default();
            offer == keyword || offer.eq_ignore_ascii_case(keyword) && !self.is(Fault::OffersInCapitals)
        })
    }

    fn mail(&self) -> Vec<u8> {
        let from = if self.errand.from == "<>" { "" } else { &self.errand.from };
        let blank = if self.is(Fault::BlankBehindColon) { " " } else { "" };
        let mut line = format!("MAIL FROM:{blank}<{from}>");
        if self.is(Fault::NoNullSender) && from.is_empty() {
            line.truncate("MAIL FROM:".len());
        }
        if self.is(Fault::AlwaysSaysBody) || self.offers("8BITMIME") && !self.errand.message.is_ascii() {
            line += " BODY=8BITMIME";
        }
        if self.is(Fault::AlwaysSaysSize) || self.offers("SIZE") {
            let _ = write!(line, " SIZE={}", self.errand.message.len());
        }
        let international = !self.errand.from.is_ascii() || self.errand.to.iter().any(|to| !to.is_ascii());
        if international && self.offers("SMTPUTF8") && !self.is(Fault::NeverSaysUtf8) {
            line += " SMTPUTF8";
        }
        (line + "\r\n").into_bytes()
    }

    fn transaction(&mut self, link: &mut Link) -> Result<(), Lost> {
        let pipelines = self.offers("PIPELINING") || self.is(Fault::AlwaysPipelines);
        let asked: Vec<usize> = (0..self.fates.len()).filter(|&at| self.fates[at].is_none()).collect();
        let mut commands = if self.is(Fault::PipelinesLhlo) { vec![Vec::new()] } else { vec![self.mail()] };
        for &at in &asked {
            let to = &self.errand.to[at];
            let to = if self.is(Fault::LowersLocalPart) { to.to_lowercase() } else { to.clone() };
            commands.push(format!("RCPT TO:<{to}>\r\n").into_bytes());
        }
        let mut data = b"DATA\r\n".to_vec();
        if self.is(Fault::ContentBefore354) {
            data.extend(self.content());
        }
        if pipelines {
            link.say(&[commands.concat(), data.clone()].concat());
        }
        let mut answers: Vec<Reply> = Vec::new();
        for command in &commands {
            if !pipelines {
                link.say(command);
            }
            let reply = link.reply()?;
            let may_go_on =
                pipelines || !answers.is_empty() || reply.code / 100 == 2 || self.is(Fault::IgnoresMailReply);
            answers.push(reply);
            if !may_go_on {
                break;
            }
        }
        if let Some(refusal) = self.refusal(&answers[0])
            && !self.is(Fault::IgnoresMailReply)
        {
            self.set(&asked, Some(refusal));
        }
        for (&at, answer) in asked.iter().zip(&answers[1..]) {
            self.fates[at] = self.fates[at].or(self.refusal(answer));
        }
        let mut waiting: Vec<usize> = asked.iter().copied().filter(|&at| self.fates[at].is_none()).collect();
        if self.is(Fault::StopsAtRefusedRcpt) && waiting.len() < asked.len() {
            self.fates.iter_mut().for_each(|fate| *fate = fate.or(Some(Fate::Permanent)));
            waiting.clear();
        }
        if waiting.is_empty() && !pipelines && !self.is(Fault::DataWithoutRecipient) {
            return Ok(());
        }
        if !pipelines {
            link.say(&data);
        }
        let go = link.reply()?;
        let goes = go.code == 354 || self.is(Fault::IgnoresDataReply);
        if waiting.is_empty() {
            // RFC 2920 section 3.1: nothing but a dot, and not even that to a server that refused MAIL.
            if goes && self.refusal(&answers[0]).is_none() {
                link.say(b".\r\n");
            }
            return Err(Lost::Closed);
        }
        if !goes {
            let refusal = self.refusal(&go).unwrap_or(Fate::Temporary);
            self.set(&waiting, Some(refusal));
            return Ok(());
        }
        if !self.is(Fault::ContentBefore354) {
            link.say(&self.content());
        }
        self.is_handed_over = true;
        if self.is(Fault::CountsRefused) {
            waiting = asked;
        }
        self.finals(link, waiting)
    }

    fn finals(&mut self, link: &mut Link, mut waiting: Vec<usize>) -> Result<(), Lost> {
        if self.is(Fault::MixesOrder) {
            waiting.reverse();
        }
        if self.is(Fault::OrderByName) {
            waiting.sort_by_key(|&at| &self.errand.to[at]);
        }
        if self.is(Fault::OneReplyForAll) {
            let reply = link.reply()?;
            let fate = self.refusal(&reply).unwrap_or(Fate::Delivered);
            self.set(&waiting, Some(fate));
            return Ok(());
        }
        for at in waiting.iter().copied() {
            let reply = match link.reply() {
                Ok(reply) => reply,
                Err(lost) => {
                    if self.is(Fault::LostTakesBack) {
                        self.set(&waiting, None);
                    }
                    return Err(lost);
                }
            };
            let named = waiting.iter().copied().find(|&at| reply.text.contains(&self.errand.to[at]));
            let at = named.filter(|_| self.is(Fault::TextDecides)).unwrap_or(at);
            let fate = match reply.code / 100 {
                // No final reply: what comes behind it is not known either.
                3 => return Err(Lost::Closed),
                _ => self.refusal(&reply).unwrap_or(Fate::Delivered),
            };
            self.fates[at] = Some(fate);
            if fate != Fate::Delivered && self.is(Fault::OneRefusalForAll) {
                self.set(&waiting, Some(fate));
                break;
            }
        }
        Ok(())
    }

    /// What a reply means that is no success.
    fn refusal(&self, reply: &Reply) -> Option<Fate> {
        let class = match reply.text.split('.').next() {
            Some(class @ ("2" | "4" | "5")) if self.is(Fault::EnhancedCodeDecides) => class.parse().unwrap_or(0),
            _ => reply.code / 100,
        };
        match class {
            2 if self.is(Fault::Only250) && reply.code != 250 => Some(Fate::Permanent),
            2 => None,
            4 if self.is(Fault::DeliveredOn4yz) => None,
            4 if self.is(Fault::PermanentOn4yz) => Some(Fate::Permanent),
            5 if !self.is(Fault::TemporaryOn5yz) => Some(Fate::Permanent),
            _ => Some(Fate::Temporary),
        }
    }

    /// The message with its stuffing and its dot.
    fn content(&self) -> Vec<u8> {
        let mut message =
            if self.is(Fault::BareLf) { self.errand.message.clone() } else { mended(&self.errand.message) };
        if !message.ends_with(b"\n") && !self.is(Fault::NoLastLineEnd) {
            message.extend_from_slice(b"\r\n");
        }
        let mut content = Vec::with_capacity(message.len() + 100);
        for (at, &octet) in message.iter().enumerate() {
            let is_missed = self.is(Fault::NoStuffing)
                || self.is(Fault::MissesFirstDot) && at == 0
                || self.is(Fault::MissesDotAtBlock) && at > 0 && at % 4096 == 0;
            let begins = at == 0 || message[at - 1] == b'\n';
            if octet == b'.' && begins && !is_missed {
                content.push(b'.');
            }
            content.push(octet);
        }
        content.extend_from_slice(b".\r\n");
        content
    }

    fn report(self, lost: Option<Lost>) -> Vec<Fate> {
        let unknown = match (self.fault, self.is_handed_over, lost) {
            (_, false, _) => Fate::Unsent,
            (Some(Fault::LostIsPermanent), ..) | (Some(Fault::LateIsPermanent), _, Some(Lost::Late)) => Fate::Permanent,
            (Some(Fault::LostIsDelivered), ..) | (Some(Fault::LateIsDelivered), _, Some(Lost::Late)) => Fate::Delivered,
            (Some(Fault::LostIsUnsent), ..) => Fate::Unsent,
            _ => Fate::Uncertain,
        };
        let forgets = self.fault == Some(Fault::ForgetsRefused) && self.is_handed_over;
        let told = self.fates.into_iter().filter(|fate| !forgets || *fate != Some(Fate::Permanent));
        told.map(|fate| fate.unwrap_or(unknown)).collect()
    }
}

/// Each line end as CRLF, and a lone CR is one.
fn mended(message: &[u8]) -> Vec<u8> {
    let mut mended = Vec::with_capacity(message.len() + 2);
    let mut octets = message.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        match octet {
            b'\r' => {
                let _ = octets.next_if_eq(&b'\n');
                mended.extend_from_slice(b"\r\n");
            }
            b'\n' => mended.extend_from_slice(b"\r\n"),
            other => mended.push(other),
        }
    }
    mended
}

/// Whether an address can stand in a command.
fn is_address(text: &str) -> bool {
    let is_quoted = text.starts_with('"');
    let harmless = |char: char| !char.is_control() && (is_quoted || !matches!(char, ' ' | '<' | '>'));
    text.contains('@') && text.chars().all(harmless)
}
