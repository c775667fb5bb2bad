//! The same words in other pieces.

use super::Choices;
use super::setting::Setting;
use crate::memory::{Session, Waiting};

/// A client that hears any lines at all, each when it waits for it: whole, octet by octet or in pieces, it
/// says and tells the same.
pub fn differential(data: &[u8]) {
    let (mut choices, said) = Choices::of(data);
    let mut setting = Setting::of(&mut choices);
    setting.config.transcript = true;
    let whole = listen(&setting, said, |line| vec![line]);
    let octets = listen(&setting, said, |line| line.chunks(1).collect());
    compare(&whole, &octets);
    let pieces = listen(&setting, said, |mut line| {
        let mut pieces = Vec::new();
        while !line.is_empty() {
            let (piece, rest) = line.split_at(line.len().min(1 + choices.below(16)));
            pieces.push(piece);
            line = rest;
        }
        pieces
    });
    compare(&whole, &pieces);
}

/// A session that hears line after line, cut so, and delivers its message again whenever it can.
fn listen<'a>(setting: &Setting, said: &'a [u8], mut cut: impl FnMut(&'a [u8]) -> Vec<&'a [u8]>) -> Heard {
    let mut session = Session::new(setting.config.clone(), setting.envelope(), setting.message.clone());
    let mut results = Vec::new();
    for line in said.split_inclusive(|&octet| octet == b'\n') {
        if session.run() == Waiting::Over {
            break;
        }
        if session.report.is_some() && session.client.is_ready() {
            results.push(session.results());
            session.deliver(setting.envelope());
            session.run();
        }
        for piece in cut(line) {
            session.hear(piece);
            session.settle();
        }
    }
    session.run();
    session.eof();
    session.run();
    results.push(session.results());
    Heard { session, results }
}

struct Heard {
    session: Session,
    results: Vec<Vec<String>>,
}

fn compare(one: &Heard, other: &Heard) {
    assert_eq!(one.session.events, other.session.events, "events");
    assert_eq!(one.session.sent, other.session.sent, "octets");
    assert_eq!(one.session.error, other.session.error, "error");
    assert_eq!(one.results, other.results, "results");
}
