//! The checks of AUTH: our server passes them, each fails where its rule is broken, and the password shows nowhere.

use std::collections::BTreeSet;

use lmtp_conformance::{Addresses, Check, Login, Memory, Outcome, catalogue, run};
use lmtp_proto::server::{Config, Require};
use lmtp_sasl::{AuthError, PlainServer, Secret, Verifier};
use lmtp_testkit::broken::{Twist, Twisted};
use lmtp_testkit::served::Served;

use Twist::{Answers, Says};

const PASSWORD: &str = "tanstaaf";
/// What PLAIN says of her, in base64.
const PLAIN: &str = "AGFubgB0YW5zdGFhZg==";

struct Ann;

impl Verifier for Ann {
    fn check_password(&self, authcid: &str, password: &Secret) -> Result<(), AuthError> {
        if authcid == "ann" && password.expose() == PASSWORD { Ok(()) } else { Err(AuthError::Refused) }
    }

    fn authorize(&self, authcid: &str, authzid: &str) -> Result<(), AuthError> {
        if authcid == authzid { Ok(()) } else { Err(AuthError::Refused) }
    }
}

fn server(require: Require, twists: &[Twist]) -> Memory<Twisted> {
    let mut config = Config::default();
    config.require = require;
    config.offer.auth = vec!["PLAIN".parse().unwrap()];
    config.offer.auth_in_clear = true;
    let mut served = Served::new(config);
    for _ in 0..2 {
        served.mechanisms.push(Box::new(PlainServer::new(Ann)));
    }
    Memory::new(Twisted::new(served, twists))
}

fn addresses() -> Addresses {
    let login = Some(Login::new("ann", PASSWORD).unwrap());
    Addresses { good: "bob@example.org".to_owned(), login, ..Addresses::default() }
}

fn checks() -> impl Iterator<Item = Check> {
    catalogue().into_iter().filter(|check| check.id.starts_with("auth/"))
}

fn reasons(require: Require) -> BTreeSet<String> {
    let mut reasons = BTreeSet::new();
    for check in checks() {
        let verdict = run(&check, &addresses(), &mut server(require, &[]));
        match verdict.outcome {
            Outcome::Passed => {}
            Outcome::NotApplicable(why) => drop(reasons.insert(format!("{}: {why}", check.id))),
            other => panic!("{}: {other:?}\n{}", check.id, verdict.transcript.join("\n")),
        }
    }
    reasons
}

#[test]
fn our_server_passes() {
    let expected =
        ["auth/demanded: the server says 250 before it comes to that", "auth/is-not-offered: the server offers AUTH"];
    assert_eq!(reasons(Require::Nothing), expected.map(str::to_owned).into());
}

#[test]
fn our_server_passes_where_it_demands_auth() {
    let expected = [
        "auth/amid-a-transaction: the server says 530 before it comes to that",
        "auth/failure-changes-nothing: the server says 530 before it comes to that",
        "auth/is-not-offered: the server offers AUTH",
    ];
    assert_eq!(reasons(Require::Auth), expected.map(str::to_owned).into());
}

#[test]
fn without_a_password_what_needs_one_is_not_run() {
    let nobody = Addresses { login: None, ..addresses() };
    let not_run = checks().filter(|check| {
        let outcome = run(check, &nobody, &mut server(Require::Nothing, &[])).outcome;
        outcome == Outcome::NotRun("nobody who may log in was given".to_owned())
    });
    assert_eq!(not_run.count(), 8);
}

/// In which check, and what breaks it.
const TWISTS: &[(&str, &[Twist])] = &[
    ("auth/initial-response", &[Answers("AUTH", "535 5.7.8 no")]),
    ("auth/challenge", &[Answers("AGFubg", "535 5.7.8 no")]),
    ("auth/in-any-case", &[Answers("auth", "500 5.5.1 what")]),
    ("auth/challenge-is-base64", &[Says("334 ", "334 Go ahead")]),
    ("auth/challenge-is-base64", &[Says("334 ", "334")]),
    ("auth/given-up", &[Says("501 5.7.0", "535 5.7.0")]),
    ("auth/no-base64", &[Says("501 5.5.2", "535 5.5.2")]),
    ("auth/no-base64-initial", &[Answers("AUTH PLAIN !", "334 ")]),
    ("auth/padding-within", &[Says("501 5.5.2", "535 5.5.2")]),
    ("auth/empty-initial-response", &[Answers("AUTH", "334 ")]),
    ("auth/two-parts", &[Answers("AUTH", "235 2.7.0 well")]),
    ("auth/long-parts", &[Answers("AGFh", "500 5.5.6 too long")]),
    ("auth/long-line", &[Answers("YWFh", "500 5.5.6 too long\r\n500 5.5.1 what")]),
    ("auth/wrong-password", &[Answers("AUTH", "235 2.7.0 well")]),
    ("auth/wrong-password-is-535", &[Says("535", "554")]),
    ("auth/wrong-then-right", &[Answers("AUTH PLAIN AGFubgB0", "503 5.5.1 not again")]),
    ("auth/given-up-then-right", &[Answers("AUTH PLAIN AGFubgB0", "503 5.5.1 not again")]),
    ("auth/failure-changes-nothing", &[Answers("RCPT", "503 5.5.1 what")]),
    ("auth/twice", &[Says("503 5.5.1 Already", "235 2.7.0 Already")]),
    ("auth/twice-without-initial-response", &[Says("503 5.5.1 Already", "334 ")]),
    ("auth/amid-a-transaction", &[Answers("AUTH", "334 ")]),
    ("auth/unknown-mechanism", &[Answers("AUTH XYZZY", "501 5.5.4 what")]),
    ("auth/is-not-offered", &[Says("250-AUTH PLAIN\r\n", "")]),
    ("auth/demanded", &[Answers("MAIL", "530 5.7.0 who")]),
    ("auth/mail-parameter", &[Answers("MAIL", "555 5.5.4 what")]),
    ("auth/mail-parameter-nobody", &[Answers("MAIL", "555 5.5.4 what")]),
];

#[test]
fn each_check_fails_where_its_rule_is_broken() {
    let mut twisted = BTreeSet::new();
    for (id, twists) in TWISTS {
        let check = checks().find(|check| check.id == *id).unwrap_or_else(|| panic!("no check {id}"));
        // Taken though it was not offered.
        let taken = [&[Answers("AUTH", "235 2.7.0 well")], *twists].concat();
        let twists = if *id == "auth/is-not-offered" { &taken } else { *twists };
        let verdict = run(&check, &addresses(), &mut server(Require::Nothing, twists));
        assert!(matches!(verdict.outcome, Outcome::Failed(_)), "{id}: {verdict:#?}");
        twisted.insert(check.id);
    }
    assert_eq!(twisted, checks().map(|check| check.id).collect());
}

/// Not even where the server says again what it heard, or says it and no reply.
#[test]
fn the_password_shows_nowhere() {
    let again = format!("535 5.7.8 no {PLAIN}, no {PASSWORD}");
    let no_reply = format!("{PASSWORD} {PLAIN}");
    for answer in [again, no_reply] {
        let twists = [Answers("AUTH", answer.leak())];
        for check in checks() {
            let verdict = format!("{:?}", run(&check, &addresses(), &mut server(Require::Nothing, &twists)));
            assert!(!verdict.contains(PASSWORD) && !verdict.contains(PLAIN), "{verdict}");
        }
    }
}
