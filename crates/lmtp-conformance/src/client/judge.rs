//! Running one check, and judging what was seen and told.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::run::{Outcome, Verdict, shown};

use super::check::{Check, Need};
use super::errand::{Client, Errand, Trouble};
use super::fate::{Due, Fate, Told};
use super::line;
use super::record::{self, Record};
use super::server::Session;
use super::wire::{Listener, Over, Place};

/// How checks are run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the server listens.
    pub place: Place,
    /// How long the client is to wait for a reply. On a busy machine more is needed than the default, two seconds.
    pub timeout: Duration,
    /// How long a check may take.
    pub deadline: Duration,
    /// How many checks run at a time.
    pub jobs: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let (timeout, deadline) = (Duration::from_secs(2), Duration::from_secs(20));
        Self { place: Place::Tcp, timeout, deadline, jobs: 4 }
    }
}

/// Runs a check: a server of its own listens, and the client is asked once.
pub fn run(check: &Check, client: &dyn Client, settings: &Settings) -> Verdict {
    let missing = match check.needs {
        Some(Need::Timeout) if !client.obeys_timeout() => Some("the client is not told how long to wait"),
        Some(Need::Nul) if !client.takes_nul() => Some("a command line cannot hold a NUL"),
        _ => None,
    };
    let result = match missing {
        Some(why) => Err(Trouble::NotRun(why.to_owned())),
        None => play(check, client, settings).map_err(|error| Trouble::NotRun(format!("no server: {error}"))),
    };
    match result {
        Ok(verdict) => verdict,
        Err(Trouble::NotRun(why) | Trouble::Failed(why)) => {
            Verdict { outcome: Outcome::NotRun(why), transcript: Vec::new() }
        }
    }
}

fn play(check: &Check, client: &dyn Client, settings: &Settings) -> io::Result<Verdict> {
    let listener = Listener::open(settings.place)?;
    let (port, socket) = (listener.port()?, listener.socket());
    let url = match (&socket, port) {
        (Some(socket), _) => format!("unix:{}", socket.display()),
        (None, port) => format!("lmtp://127.0.0.1:{}", port.unwrap_or_default()),
    };
    let errand = Errand {
        url,
        port,
        socket,
        from: check.from.clone(),
        to: check.to.clone(),
        message: check.message.clone(),
        timeout: settings.timeout,
        deadline: settings.deadline,
    };
    let over = Over::at(Instant::now() + settings.deadline);
    let records = Mutex::new(Vec::new());
    let told = thread::scope(|scope| {
        scope.spawn(|| {
            // Each connection has a thread: a client may dial again before it has let go.
            while let Ok(wire) = listener.accept()
                && !over.is_over()
            {
                let place = {
                    let mut records = records.lock().unwrap_or_else(PoisonError::into_inner);
                    records.push(Record::default());
                    records.len() - 1
                };
                let (records, errand, over) = (&records, &errand, &over);
                scope.spawn(move || {
                    let record = Session::hold(wire, &check.script, errand, over);
                    records.lock().unwrap_or_else(PoisonError::into_inner)[place] = record;
                });
            }
        });
        let told = catch_unwind(AssertUnwindSafe(|| client.send(&errand)));
        let is_late = over.is_over();
        over.set();
        listener.wake();
        match told {
            Ok(Ok(_)) if is_late => Err(Trouble::Failed(format!("it did not end within {:?}", settings.deadline))),
            Ok(told) => told,
            Err(_) => Err(Trouble::Failed("the client panicked".to_owned())),
        }
    });
    let records = records.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut transcript = Vec::new();
    for (place, record) in records.iter().enumerate() {
        if place > 0 {
            transcript.push("-- another connection".to_owned());
        }
        transcript.extend(record.transcript.iter().cloned());
    }
    let outcome = match told {
        Err(Trouble::NotRun(why)) => Outcome::NotRun(why),
        Err(Trouble::Failed(why)) => Outcome::Failed(why),
        Ok(told) => {
            transcript.extend(report(check, &told));
            let found = faults(check, &records, &told);
            if found.is_empty() { Outcome::Passed } else { Outcome::Failed(found.join("; ")) }
        }
    };
    Ok(Verdict { outcome, transcript })
}

/// What the client told, as lines behind the conversation.
fn report(check: &Check, told: &Told) -> Vec<String> {
    match told {
        Told::Each(fates) => {
            let names = check.to.iter().map(String::as_str).chain(std::iter::repeat("?"));
            fates
                .iter()
                .zip(names)
                .map(|((_, fate), to)| format!("= {} {}", shown(to.as_bytes()), fate.name()))
                .collect()
        }
        Told::Success => vec!["= success".to_owned()],
        Told::TryAgain => vec!["= try again".to_owned()],
        Told::Failure => vec!["= failure".to_owned()],
    }
}

/// All that is wrong, the broken laws first.
fn faults(check: &Check, records: &[Record], told: &Told) -> Vec<String> {
    let law = |law: &record::Law, how: &str| format!("{how} ({} {}, {})", law.level.name(), law.section, law.rule);
    let mut found: Vec<String> = Vec::new();
    for record in records {
        found.extend(record.breaches.iter().map(|breach| law(breach.law, &breach.how)));
    }
    found.extend(untruths(check, records, told).into_iter().map(|(broken, how)| law(broken, &how)));
    let expected = &check.expected;
    let said =
        |pattern: &str| records.iter().flat_map(|record| &record.commands).any(|command| is_like(pattern, command));
    found.extend(expected.commands.iter().filter(|pattern| !said(pattern)).map(|it| format!("{it:?} was not sent")));
    found.extend(expected.never.iter().filter(|pattern| said(pattern)).map(|it| format!("{it:?} was sent")));
    if let Some(content) = &expected.content
        && let Some(other) = (records.iter().flat_map(|record| &record.contents))
            .find(|other| *other != content && Some(*other) != expected.or_content.as_ref())
    {
        found.push(difference(content, other));
    }
    match told {
        Told::Each(fates) => {
            for ((due, (_, fate)), to) in dues(check, records).into_iter().zip(fates).zip(&check.to) {
                if !due.allows(*fate) {
                    let to = shown(to.as_bytes());
                    found.push(format!("{to} was reported as {}, where {} was due", fate.name(), due.shown()));
                }
            }
        }
        told if !Due::all_allow(&expected.due, told) => {
            let due: Vec<String> = expected.due.iter().map(Due::shown).collect();
            found.push(format!("{told:?} was reported, where this was due: {}", due.join("; ")));
        }
        _ => {}
    }
    found
}

/// What is due for each recipient of the check: a client says RCPT in an order of its own, and replies are by that order.
fn dues<'c>(check: &'c Check, records: &[Record]) -> Vec<&'c Due> {
    let said = records.iter().map(|record| &record.rcpts).max_by_key(|rcpts| rcpts.len());
    let mut left: Vec<usize> = (0..check.to.len()).collect();
    let mut order: Vec<usize> = Vec::new();
    for path in said.into_iter().flatten() {
        let Some(at) = left.iter().position(|&place| line::is_asked_for(path, &check.to[place])) else { continue };
        order.push(left.remove(at));
    }
    // Whoever was not said keeps what is due.
    let mut dues: Vec<&Due> = check.expected.due.iter().collect();
    let mut places = order.clone();
    places.sort_unstable();
    for (place, said) in places.into_iter().zip(order) {
        dues[said] = &check.expected.due[place];
    }
    dues
}

/// What the client told against what the server knows, whatever the check expects.
fn untruths(check: &Check, records: &[Record], told: &Told) -> Vec<(&'static record::Law, String)> {
    let finals = || records.iter().flat_map(|record| &record.finals);
    let taken = |to: &str| {
        finals().any(|(path, code)| line::is_asked_for(path, to) && code.is_some_and(|code| code / 100 == 2))
    };
    let mut found = Vec::new();
    let mut delivered: Vec<&str> = Vec::new();
    match told {
        Told::Each(fates) => {
            if fates.len() != check.to.len() {
                let how = format!("{} outcomes for {} recipients", fates.len(), check.to.len());
                found.push((&record::EVERYBODY_IS_TOLD, how));
            }
            for ((name, fate), to) in fates.iter().zip(&check.to) {
                if let Some(name) = name
                    && !line::same_path(name, to)
                    && !line::same_path(name.trim_start_matches('<').trim_end_matches('>'), to)
                {
                    found.push((
                        &record::EVERYBODY_IS_TOLD,
                        format!("the report names {name:?} in the place of {to:?}"),
                    ));
                }
                if *fate == Fate::Delivered {
                    delivered.push(to);
                }
            }
        }
        Told::Success => delivered = check.to.iter().map(String::as_str).collect(),
        Told::TryAgain | Told::Failure => {}
    }
    for to in delivered.into_iter().filter(|to| !taken(to)) {
        let how = format!("{} was reported as delivered without a 2yz of its own", shown(to.as_bytes()));
        found.push((&record::DELIVERED_IS_TRUE, how));
    }
    found
}

/// Where two contents part.
fn difference(expected: &[u8], other: &[u8]) -> String {
    let at = expected.iter().zip(other).take_while(|(one, other)| one == other).count();
    let around = |octets: &[u8]| {
        let rest = &octets[at..];
        format!("\"{}\"", rest[..rest.len().min(20)].escape_ascii())
    };
    let (arrived, due) = (around(other), around(expected));
    format!("the content differs at octet {at}: {arrived} arrived, where {due} was due")
}

/// Whether a pattern with `*` for anything is this text. Verbs are the same in any case.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern.eq_ignore_ascii_case(text),
        Some((head, rest)) => text.split_at_checked(head.len()).is_some_and(|(begin, text)| {
            let mut tails = text.char_indices().map(|(at, _)| &text[at..]).chain([""]);
            begin.eq_ignore_ascii_case(head) && tails.any(|tail| is_like(rest, tail))
        }),
    }
}

/// Runs checks, a few at a time, and tells of each as it is done.
pub fn run_all(
    checks: &[Check],
    client: &dyn Client,
    settings: &Settings,
    done: &(dyn Fn(&Check) + Sync),
) -> Vec<Verdict> {
    let next = Mutex::new(0..checks.len());
    let verdicts = Mutex::new(vec![None; checks.len()]);
    thread::scope(|scope| {
        for _ in 0..settings.jobs.clamp(1, checks.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let Some(place) = next.lock().unwrap_or_else(PoisonError::into_inner).next() else { return };
                    let verdict = run(&checks[place], client, settings);
                    verdicts.lock().unwrap_or_else(PoisonError::into_inner)[place] = Some(verdict);
                    done(&checks[place]);
                }
            });
        }
    });
    verdicts.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect()
}

/// A check that failed or could not be run, for a person to read.
pub fn shown_failure(check: &Check, verdict: &Verdict) -> Option<String> {
    // What was not run has found nothing: that is no pass.
    let (Outcome::Failed(why) | Outcome::NotRun(why)) = &verdict.outcome else { return None };
    let (level, rules) = (check.level.name(), check.rules.join(", "));
    let head = format!("{} ({level} {}; {rules}): {why}\n  {}", check.id, check.section, check.about);
    Some(
        std::iter::once(head)
            .chain(verdict.transcript.iter().map(|line| format!("  {line}")))
            .collect::<Vec<_>>()
            .join("\n"),
    )
}

/// Holds a client in this process to every check; gives the failures, for a person to read.
///
/// See the [example](super).
pub fn hold(settings: &Settings, client: &impl Client) -> Vec<String> {
    let checks = super::catalogue();
    let verdicts = run_all(&checks, client, settings, &|_| {});
    checks.iter().zip(&verdicts).filter_map(|(check, verdict)| shown_failure(check, verdict)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_anything() {
        for (pattern, text, is) in [
            ("LHLO *", "lhlo x", true),
            ("LHLO *", "LHLO", false),
            ("MAIL FROM:<a@b>*", "MAIL FROM:<a@b> SIZE=1", true),
            ("MAIL*SIZE=*", "MAIL FROM:<a@b> SIZE=1", true),
            ("MAIL*BODY*", "MAIL FROM:<a@b> SIZE=1", false),
            ("QUIT", "QUIT ", false),
        ] {
            assert_eq!(is_like(pattern, text), is, "{pattern} {text}");
        }
    }

    #[test]
    fn contents_part_where_they_differ() {
        assert_eq!(
            difference(b"ab\r\n", b"a\r\n"),
            "the content differs at octet 1: \"\\r\\n\" arrived, where \"b\\r\\n\" was due"
        );
    }
}
