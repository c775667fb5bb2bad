//! The suite finds every fault of the broken clients, and none in the plain one or in ours.

use std::collections::BTreeSet;
use std::time::Duration;

use lmtp_conformance::Outcome;
use lmtp_conformance::client::{
    Client, Errand, Fate, Place, Settings, catalogue, hold, made_up, run_all, shown_failure,
};
use lmtp_testkit::broken_client::{Fault, send};

/// On Unix sockets: ten thousand connections would use the ports up.
fn quick() -> Settings {
    Settings { place: Place::Unix, timeout: Duration::from_millis(500), deadline: Duration::from_secs(4), jobs: 12 }
}

/// For those in whom nothing may be found, however busy the machine is.
fn patient() -> Settings {
    Settings { timeout: Duration::from_secs(5), deadline: Duration::from_secs(60), jobs: 16, ..Settings::default() }
}

/// The names of the checks that fail.
fn found(client: &dyn Client) -> Vec<String> {
    let checks = catalogue();
    let verdicts = run_all(&checks, client, &quick(), &|_| {});
    for (check, verdict) in checks.iter().zip(&verdicts) {
        assert!(!matches!(verdict.outcome, Outcome::NotRun(_)), "{}: {:?}", check.id, verdict.outcome);
    }
    let failed = checks.iter().zip(verdicts).filter(|(_, verdict)| matches!(verdict.outcome, Outcome::Failed(_)));
    failed.map(|(check, _)| check.id.clone()).collect()
}

#[test]
fn the_plain_client_passes() {
    let failures = hold(&patient(), &|errand: &Errand| send(None, errand));
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    for place in [Place::Tcp, Place::Unix] {
        let checks = made_up(7, 200);
        let verdicts =
            run_all(&checks, &|errand: &Errand| send(None, errand), &Settings { place, ..patient() }, &|_| {});
        let failures: Vec<String> =
            checks.iter().zip(&verdicts).filter_map(|(check, verdict)| shown_failure(check, verdict)).collect();
        assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    }
}

/// The check that is there for a fault; others may find it too. A suite that fails everybody would be found out by the
/// plain client.
const FOUND_BY: &[(Fault, &str)] = &[
    (Fault::OneReplyForAll, "outcomes/second-452"),
    (Fault::TriesEhlo, "session/lhlo-500"),
    (Fault::TriesEhloAgain, "session/lhlo-502"),
    (Fault::NoStuffing, "content/dots"),
    (Fault::MissesFirstDot, "content/first-dot"),
    (Fault::MissesDotAtBlock, "content/dot-lines-everywhere"),
    (Fault::ContentBefore354, "refusals/354-is-awaited"),
    (Fault::IgnoresDataReply, "refusals/data-250"),
    (Fault::DeliveredOn4yz, "outcomes/one-452"),
    (Fault::PermanentOn4yz, "outcomes/one-452"),
    (Fault::TemporaryOn5yz, "outcomes/one-550"),
    (Fault::FailsWithQuit, "session/quit-refused"),
    (Fault::LostIsPermanent, "lost/at-dot"),
    (Fault::LostIsDelivered, "lost/at-dot"),
    (Fault::LostIsUnsent, "lost/at-dot"),
    (Fault::LostTakesBack, "lost/at-second-final"),
    (Fault::StopsAtRefusedRcpt, "refusals/rcpt-550"),
    (Fault::CountsRefused, "outcomes/refused-between"),
    (Fault::BareLf, "content/bare-lf"),
    (Fault::NoLastLineEnd, "content/no-line-end"),
    (Fault::MergesDuplicates, "outcomes/twice"),
    (Fault::DataWithoutRecipient, "refusals/every-rcpt"),
    (Fault::AnyAddress, "values/crlf-in-a-recipient"),
    (Fault::Ignores421, "outcomes/421-is-a-reply"),
    (Fault::MixesOrder, "outcomes/first-452"),
    (Fault::OrderByName, "outcomes/no-order-by-name"),
    (Fault::EachLineIsAReply, "outcomes/two-lines"),
    (Fault::OneReadIsAReply, "replies/in-halves"),
    (Fault::AlwaysPipelines, "extensions/no-pipelining"),
    (Fault::PipelinesLhlo, "session/lhlo-is-awaited"),
    (Fault::AlwaysSaysBody, "extensions/only-pipelining"),
    (Fault::AlwaysSaysSize, "extensions/only-pipelining"),
    (Fault::AlwaysEightBit, "extensions/eight-bit-not-offered"),
    (Fault::AlwaysUtf8, "extensions/smtputf8-not-offered"),
    (Fault::NeverSaysUtf8, "extensions/smtputf8-is-said"),
    (Fault::OffersInCapitals, "replies/offers-in-any-case"),
    (Fault::NeedsText, "replies/bare-codes"),
    (Fault::Only250, "outcomes/299"),
    (Fault::EnhancedCodeDecides, "outcomes/code-and-enhanced-code-differ"),
    (Fault::TextDecides, "outcomes/texts-mislead"),
    (Fault::HalfReplyCounts, "lost/half-a-reply"),
    (Fault::IgnoresMailReply, "refusals/mail-550"),
    (Fault::BlankBehindColon, "session/plain"),
    (Fault::NoQuit, "session/leaves"),
    (Fault::LowersLocalPart, "outcomes/case-of-the-local-part"),
    (Fault::ForgetsRefused, "refusals/rcpt-550"),
    (Fault::SpeaksFirst, "session/late-greeting"),
    (Fault::TimeoutPerRead, "lost/endless-line"),
    (Fault::NoLimits, "lost/endless-reply"),
    (Fault::NamelessLhlo, "session/lhlo-has-a-name"),
    (Fault::LateIsPermanent, "lost/silent-dot"),
    (Fault::LateIsDelivered, "lost/silent-dot"),
    (Fault::OneRefusalForAll, "outcomes/second-452"),
    (Fault::NoNullSender, "session/null-sender"),
    (Fault::AnyGreeting, "session/greeting-554"),
    (Fault::AsksForAuth, "session/plain"),
];

#[test]
fn every_broken_client_is_found() {
    let next = std::sync::Mutex::new(Fault::ALL.iter());
    let missed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let Some(&fault) = next.lock().unwrap().next() else { return };
                    let found = found(&|errand: &Errand| send(Some(fault), errand));
                    println!("{fault:?}: {}", found.join(" "));
                    let by = FOUND_BY.iter().find(|(one, _)| *one == fault).map(|(_, check)| *check);
                    if !by.is_some_and(|by| found.iter().any(|check| check == by)) {
                        missed.lock().unwrap().push((fault, by, found));
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "{missed:?}");
    assert!(Fault::ALL.len() >= 20);
}

/// A client may leave control octets out of an address. One that sends them is found by each check that has some.
#[test]
fn control_octets_that_are_sent_are_found() {
    let found = found(&|errand: &Errand| send(Some(Fault::AnyAddress), errand));
    for name in ["cr-in-a-recipient", "crlf-at-the-end", "nul-in-a-recipient", "tab-in-a-recipient"] {
        assert!(found.contains(&format!("values/{name}")), "{name}: {found:?}");
    }
}

/// No document says in which order recipients are to be said.
#[test]
fn the_order_of_the_recipients_is_the_clients() {
    let failures = hold(&patient(), &|errand: &Errand| {
        let mut reversed = errand.clone();
        reversed.to.reverse();
        let mut fates = send(None, &reversed);
        fates.reverse();
        fates
    });
    // Of two that are the same nobody can tell which was first.
    let failures: Vec<_> = failures.into_iter().filter(|failure| !failure.starts_with("outcomes/twice ")).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn our_blocking_client_passes() {
    let failures = hold(&patient(), &|errand: &Errand| {
        use lmtp_blocking::{Client, Envelope, ForwardPath, LineEndings, Timeouts};

        let to: Result<Vec<ForwardPath>, _> = errand.to.iter().map(|to| to.parse()).collect();
        let (Ok(from), Ok(to)) = (errand.from.parse(), to) else { return vec![Fate::Permanent; errand.to.len()] };
        let envelope = Envelope::new(from, to).expect("recipients");
        let builder = Client::builder(errand.url.as_str()).expect("an endpoint");
        let builder = builder.timeouts(Timeouts::all(errand.timeout)).line_endings(LineEndings::Convert);
        let Ok(mut client) = builder.connect() else { return vec![Fate::Unsent; errand.to.len()] };
        let report = client.deliver(&envelope, errand.message.as_slice()).expect("an open session");
        let _ = client.quit();
        report.recipients().map(|one| Fate::from_name(one.outcome().name()).expect("a word")).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn the_catalogue_is_sound() {
    let known = include_str!("../../../docs/requirements.toml");
    let mut ids = BTreeSet::new();
    for check in catalogue() {
        assert!(ids.insert(check.id.clone()), "{} is there twice", check.id);
        for rule in &check.rules {
            assert!(known.contains(&format!("id = \"{rule}\"")), "{}: no rule {rule}", check.id);
        }
    }
    assert!(ids.len() >= 60);
    println!("{} checks", ids.len());
}
