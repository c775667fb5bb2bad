//! The text that checks are written in.
//!
//! `== ID LEVEL RFC:SECTION RULE[,RULE] [needs=WORD,…]`, a sentence, then steps:
//!
//! | step | means |
//! |---|---|
//! | `C: TEXT` | send a line; lines go out together, when a reply is next awaited |
//! | `D: TEXT` | send octets as they stand |
//! | `S: CODE [xN]` | N replies, each of this code; `y` and `z` are any digit, `a\|b` is either |
//! | `S: CODE+ [xN]` | the same, and each has an enhanced code |
//! | `S? CODE` | a reply; with another code the check does not apply: no document says that this one is due |
//! | `S: CODE or closed` | a reply of this code, or the end of the connection and of the check |
//! | `offers WORD` `offers-not WORD` | the last reply to LHLO offered it, or did not |
//! | `offers-alone WORD` | it offered it without anything behind |
//! | `tls` `tls or closed` | TLS begins; or the server has closed the connection by then |
//! | `beyond WORD` | as many as LIMITS has under that word are taken, and one more is not; `SIZE` is that of SIZE |
//! | `challenge` | a 334 with base64 and nothing else |
//! | `unless CODE` | the check does not apply where the last reply was this one |
//! | `idle` | what comes next may take as long as the server waits for a client |
//! | `stop` | the server is told to stop |
//! | `open` `mail N` `data` `alive` `closed` | the common passages |
//! | `over` | at the end: the server may close or stay |
//!
//! `*N ` before a line of `C:` or `D:` repeats it. `\r \n \0 \t \xHH \\` are octets.
//! A check that does not say `closed` at its end goes on with QUIT, 221 and the close.
//!
//! Words of `needs=` are in [`need`]: one of them, or what has to be offered, or with `not-` before it what must not be.
//! A `+` in what has to be offered is a blank: `AUTH+PLAIN`.
//!
//! `{good} {other} {bad} {full}` addresses, `{also}` the other one, or the good one where there is no other;
//! `{a*N}` is N times `a`. `mail N` names the good one and the other in turn. `{plain} {wrong}` is what PLAIN
//! says of who may log in, with the password and with another.

use crate::check::{Check, Level, Need};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Send(String),
    Expect(String),
    /// A reply that may be another, and then the rest is not about this server.
    Supposes(String),
    /// A reply, or the end of the connection, and of the check.
    ExpectOrEnd(String),
    /// The extension was offered in the reply to LHLO.
    Offers(String),
    Closed,
    /// The extension was not offered in it.
    OffersNot(String),
    /// The extension was offered in it without a parameter.
    OffersAlone(String),
    /// TLS begins, behind a 220 to STARTTLS. It may fail to where the server has cause to, and then all is said.
    Tls {
        may_fail: bool,
    },
    /// As many as the server says that it takes, and one more.
    Beyond(String),
    /// A 334 with a challenge.
    Challenge,
    /// The check does not apply behind such a reply.
    Unless(String),
    /// The server is told to stop.
    Stop,
    /// What comes next may take as long as the server waits.
    Idle,
    /// Nothing is asked of what comes next. Only at the end of a text.
    Over,
}

pub(crate) fn parse(text: &str) -> Vec<Check> {
    let blocks = text.split("\n== ").skip(1);
    blocks.map(check).collect()
}

fn check(block: &str) -> Check {
    let mut lines = block.lines().filter(|line| !line.is_empty());
    let head: Vec<&str> = lines.next().expect("a head").split_whitespace().collect();
    let level = match head[1] {
        "MUST" => Level::Must,
        "SHOULD" => Level::Should,
        "MAY" => Level::May,
        other => panic!("{other} is no level"),
    };
    let needs = head.get(4).and_then(|word| word.strip_prefix("needs=")).unwrap_or_default();
    let needs = needs.split(',').filter(|need| !need.is_empty()).map(need);
    let about = lines.next().expect("a sentence").to_owned();
    let mut steps: Vec<Step> = lines.flat_map(steps).collect();
    // A reply too many would be read in place of 221.
    if steps.last() == Some(&Step::Over) {
        steps.pop();
    } else if steps.last() != Some(&Step::Closed) {
        steps.extend([Step::Send("QUIT\\r\\n".to_owned()), Step::Expect("221".to_owned()), Step::Closed]);
    }
    Check {
        id: head[0].to_owned(),
        rules: head[3].split(',').map(str::to_owned).collect(),
        level,
        section: section(head[2]),
        about,
        needs: needs.collect(),
        steps,
    }
}

/// What a check cannot do without, as it is written.
fn need(word: &str) -> Need {
    match word {
        "bad" => Need::Bad,
        "full" => Need::Full,
        "other" => Need::Other,
        "idle" => Need::Idle,
        "login" => Need::Login,
        offer => match offer.strip_prefix("not-") {
            Some(offer) => Need::NoOffer(offer.to_owned()),
            None => Need::Offer(offer.replace('+', " ")),
        },
    }
}

/// The document and the section: those without a number are no RFCs.
fn section(written: &str) -> String {
    let is_rfc = written.starts_with(|first: char| first.is_ascii_digit());
    format!("{}{}", if is_rfc { "RFC " } else { "" }, written.replace(':', " "))
}

fn steps(line: &str) -> Vec<Step> {
    let (times, step) = match line.strip_prefix('*') {
        Some(rest) => {
            let (count, step) = rest.split_once(' ').expect("a count and a step");
            (count.parse().expect("a count"), step)
        }
        None => (1, line),
    };
    let send = |text: &str| vec![Step::Send(text.repeat(times))];
    let expect = |pattern: &str, times: usize| vec![Step::Expect(pattern.to_owned()); times];
    if let Some(text) = step.strip_prefix("C: ") {
        return send(&format!("{text}\\r\\n"));
    }
    if let Some(text) = step.strip_prefix("D: ") {
        return send(text);
    }
    if let Some(pattern) = step.strip_prefix("S: ").and_then(|text| text.strip_suffix(" or closed")) {
        return vec![Step::ExpectOrEnd(pattern.to_owned())];
    }
    if let Some(text) = step.strip_prefix("S: ") {
        let (pattern, count) = text.split_once(" x").unwrap_or((text, "1"));
        return expect(pattern, count.parse().expect("a count"));
    }
    if let Some(pattern) = step.strip_prefix("S? ") {
        return vec![Step::Supposes(pattern.to_owned())];
    }
    if let Some(keyword) = step.strip_prefix("offers-not ") {
        return vec![Step::OffersNot(keyword.to_owned())];
    }
    if let Some(keyword) = step.strip_prefix("offers-alone ") {
        return vec![Step::OffersAlone(keyword.to_owned())];
    }
    if let Some(keyword) = step.strip_prefix("offers ") {
        return vec![Step::Offers(keyword.to_owned())];
    }
    let said = |steps: &[&str]| steps.iter().flat_map(|step| self::steps(step)).collect::<Vec<_>>();
    match step.split_once(' ').unwrap_or((step, "")) {
        ("open", "") => said(&["S: 220", "C: LHLO conformance.example", "S: 250"]),
        ("mail", count) => {
            let mut steps = said(&["C: MAIL FROM:<sender@conformance.example>", "S: 250"]);
            for number in 0..count.parse().expect("a count") {
                let who = if number % 2 == 0 { "C: RCPT TO:<{good}>" } else { "C: RCPT TO:<{also}>" };
                steps.extend(said(&[who, "S: 25y"]));
            }
            steps
        }
        ("data", "") => said(&["C: DATA", "S: 354"]),
        ("alive", "") => said(&["C: NOOP", "S: 250"]),
        ("over", "") => vec![Step::Over],
        ("tls", words) => vec![Step::Tls { may_fail: words == "or closed" }],
        ("beyond", keyword) => vec![Step::Beyond(keyword.to_owned())],
        ("stop", "") => vec![Step::Stop],
        ("challenge", "") => vec![Step::Challenge],
        ("unless", code) => vec![Step::Unless(code.to_owned())],
        ("idle", "") => vec![Step::Idle],
        ("closed", "") => vec![Step::Closed],
        _ => panic!("{step} is no step"),
    }
}
