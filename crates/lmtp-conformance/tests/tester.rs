//! The suite finds every fault of the broken servers, and none in the model or in our server.

use std::collections::BTreeSet;

use lmtp_conformance::property::{Settings, hold};
use lmtp_conformance::{Addresses, Level, Memory, Outcome, Peer, catalogue, run_cut};
use lmtp_proto::server::Config;
use lmtp_testkit::broken::{Broken, Fault};
use lmtp_testkit::served::Served;

fn addresses() -> Addresses {
    let [bad, full] = ["nobody@example.org", "full@example.org"].map(|address| Some(address.to_owned()));
    Addresses {
        good: "bob@example.org".to_owned(),
        other: Some("eve@example.org".to_owned()),
        bad,
        full,
        ..Addresses::default()
    }
}

fn ours() -> Served {
    let mut served = Served::new(Config::default());
    served.run();
    served
}

/// What went wrong, and what did not apply.
fn suite<P: Peer>(mut peer: impl FnMut() -> P, cut: usize) -> (Vec<String>, Vec<String>) {
    let (mut failed, mut skipped) = (Vec::new(), Vec::new());
    for check in catalogue() {
        let verdict = run_cut(&check, &addresses(), &mut Memory::new(peer()), cut);
        match verdict.outcome {
            Outcome::Passed => {}
            Outcome::Failed(why) => failed.push(format!("{}: {why}\n{}", check.id, verdict.transcript.join("\n"))),
            Outcome::NotApplicable(why) | Outcome::NotRun(why) => skipped.push(format!("{}: {why}", check.id)),
        }
    }
    (failed, skipped)
}

fn settings(cases: u32) -> Settings {
    Settings { seed: 7, cases, good: addresses().good, chunking: true }
}

#[test]
fn the_model_passes() {
    for cut in [usize::MAX, 40] {
        let (failed, _) = suite(|| Broken::new(None), cut);
        assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    }
    hold(&settings(2_000), || Memory::new(Broken::new(None))).expect("a model that does as it should");
}

/// What our server does not offer as it is by default; tests/extensions.rs and tests/auth.rs have the rest.
const UNOFFERED: [&str; 13] = [
    "AUTH",
    "AUTH PLAIN",
    "BINARYMIME",
    "DELIVERBY",
    "DSN",
    "HELP",
    "IGNOREQUOTA",
    "MT-PRIORITY",
    "REQUIRETLS",
    "STARTTLS",
    "VRFY",
    "XCLIENT",
    "XFORWARD",
];

#[test]
fn our_server_passes() {
    for cut in [usize::MAX, 1, 7] {
        let (failed, skipped) = suite(ours, cut);
        assert!(failed.is_empty(), "{}", failed.join("\n\n"));
        let reasons: BTreeSet<&str> = skipped.iter().filter_map(|line| line.split(": ").nth(1)).collect();
        // Many an extension is off in the default configuration, and so is a limit on transactions; time is virtual.
        let unoffered = reasons.iter().filter_map(|reason| reason.strip_prefix("the server does not offer "));
        assert_eq!(unoffered.collect::<Vec<_>>(), UNOFFERED);
        let others: Vec<_> =
            reasons.iter().filter(|reason| !reason.starts_with("the server does not offer ")).collect();
        assert_eq!(others, [&"how long the server waits was not given", &"the server tells no MAILMAX"]);
    }
    hold(&settings(2_000), || Memory::new(ours())).expect("a server that does as it should");
}

#[test]
fn every_broken_server_is_found() {
    let missed: Vec<&Fault> =
        Fault::ALL.iter().filter(|&&fault| suite(|| Broken::new(Some(fault)), usize::MAX).0.is_empty()).collect();
    assert!(missed.is_empty(), "{missed:?}");
    assert!(Fault::ALL.len() >= 28);
}

#[test]
fn enhanced_codes_are_a_matter_of_their_own() {
    let (failed, _) = suite(|| Broken::new(Some(Fault::NoEnhancedCodes)), usize::MAX);
    assert!(failed.len() > 10 && failed.iter().all(|line| line.starts_with("enhanced/")), "{}", failed.join("\n\n"));
}

#[test]
fn what_a_server_takes_out_of_kindness_breaks_no_must() {
    let names: Vec<String> = suite(|| Broken::new(Some(Fault::TakesParameters)), usize::MAX).0;
    for check in catalogue().iter().filter(|check| names.iter().any(|name| name.starts_with(&check.id))) {
        assert_ne!(check.level, Level::Must, "{}", check.id);
    }
}

#[test]
fn a_failure_is_made_short_and_the_same_seed_shows_the_same() {
    let fail = || hold(&settings(500), || Memory::new(Broken::new(Some(Fault::RsetKeepsState)))).expect_err("a fault");
    let shown = fail();
    assert_eq!(shown, fail());
    assert!(shown.transcript.len() <= 12, "{:#?}", shown.transcript);
}

#[test]
fn made_up_conversations_find_wrong_counts_too() {
    for fault in
        [Fault::OneReply, Fault::ReplyTooFew, Fault::EndsAtLfDotLf, Fault::KeepsRecipients, Fault::DropsPipelined]
    {
        hold(&settings(500), || Memory::new(Broken::new(Some(fault)))).expect_err("a fault");
    }
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
    assert!(ids.len() >= 120);
}
