//! The checks of extensions and of stopping: our server passes them with all that it can offer, and each fails where its rule is broken.

use std::collections::BTreeSet;

use lmtp_conformance::{Addresses, Check, Memory, Outcome, Verdict, catalogue, run};
use lmtp_proto::server::Config;
use lmtp_proto::value::ClientAttribute;
use lmtp_testkit::broken::{Twist, Twisted};
use lmtp_testkit::served::Served;

use Twist::{Answers, Says};

/// A server with all that it can offer in clear, and a twist.
fn server(twists: &[Twist]) -> Memory<Twisted> {
    let mut config = Config::default();
    let offer = &mut config.offer;
    (offer.dsn, offer.binary_mime, offer.ignore_quota) = (true, true, true);
    (offer.deliver_by, offer.priority) = (Some(0), Some("MIXER".to_owned()));
    offer.xclient = vec![ClientAttribute::Addr];
    offer.xforward = vec![ClientAttribute::Addr];
    config.limits.message_size = 100_000;
    Memory::new(Twisted::new(Served::new(config), twists))
}

/// A server with nothing for trusted clients.
fn plain(twists: &[Twist]) -> Memory<Twisted> {
    Memory::new(Twisted::new(Served::new(Config::default()), twists))
}

fn addresses() -> Addresses {
    let [bad, full, other] =
        ["no@example.org", "full@example.org", "eve@example.org"].map(|text| Some(text.to_owned()));
    Addresses { good: "bob@example.org".to_owned(), other, bad, full, ..Addresses::default() }
}

fn check(id: &str) -> Check {
    catalogue().into_iter().find(|check| check.id == id).unwrap_or_else(|| panic!("no check {id}"))
}

/// In which check, and what breaks it.
const TWISTS: &[(&str, Twist)] = &[
    ("addresses/postmaster", Answers("RCPT TO:<postmaster>", "501 5.1.3 no domain")),
    ("addresses/postmaster-in-any-case", Answers("RCPT TO:<PostMaster>", "501 5.1.3 no domain")),
    ("addresses/path-of-256", Answers("MAIL FROM:<aaaa", "500 5.5.2 too long")),
    ("extensions/size-beyond", Answers("MAIL FROM:<sender@conformance.example> SIZE=100001", "250 2.1.0 well")),
    ("extensions/size-beyond", Answers("MAIL FROM:<sender@conformance.example> SIZE=100000", "552 5.3.4 too large")),
    ("extensions/size-said-too-small", Answers("RSET", "250 2.0.0 reset")),
    ("extensions/size-said-too-large", Answers(".", "")),
    ("extensions/chunks-behind-a-refused-one", Answers("NOOP", "250 2.0.0 here")),
    ("extensions/binarymime-comes-with-chunking", Says("250-CHUNKING\r\n", "")),
    ("extensions/binarymime-comes-with-chunking", Answers("MAIL", "555 5.5.4 what")),
    ("extensions/smtputf8-is-one-word", Says("SMTPUTF8", "SMTPUTF8 yes")),
    ("extensions/smtputf8-comes-with-8bitmime", Says("250-8BITMIME\r\n", "")),
    ("extensions/smtputf8-local-part", Answers("MAIL FROM:<bücher@", "501 5.1.7 what")),
    ("extensions/smtputf8-domain", Answers("MAIL FROM:<sender@bücher", "501 5.1.7 what")),
    ("extensions/smtputf8-recipient", Answers("RCPT TO:<bücher@", "501 5.1.3 what")),
    ("extensions/smtputf8-ill-formed", Answers("MAIL FROM:<b", "250 2.1.0 well")),
    ("extensions/smtputf8-has-no-value", Answers("MAIL", "250 2.1.0 well")),
    ("extensions/dsn", Answers("RCPT", "501 5.5.4 what")),
    ("extensions/dsn", Answers("MAIL", "501 5.5.4 what")),
    ("extensions/dsn-never", Answers("RCPT", "501 5.5.4 what")),
    ("extensions/dsn-long", Answers("RCPT", "500 5.5.2 too long")),
    ("extensions/dsn-bad-ret", Answers("MAIL", "250 2.1.0 well")),
    ("extensions/dsn-ret-twice", Answers("MAIL", "250 2.1.0 well")),
    ("extensions/dsn-bad-envid", Answers("MAIL", "250 2.1.0 well")),
    ("extensions/dsn-envid-twice", Answers("MAIL", "250 2.1.0 well")),
    ("extensions/dsn-bad-notify", Answers("RCPT", "250 2.1.5 well")),
    ("extensions/dsn-bad-orcpt", Answers("RCPT", "250 2.1.5 well")),
    ("extensions/deliver-by", Answers("MAIL", "501 5.5.4 what")),
    ("extensions/deliver-by-without-mode", Answers("MAIL", "250 2.1.0 well")),
    ("extensions/deliver-by-too-many-digits", Answers("MAIL", "250 2.1.0 well")),
    ("extensions/deliver-by-no-time", Answers("MAIL", "250 2.1.0 well")),
    ("extensions/priority", Answers("MAIL", "501 5.5.4 what")),
    ("extensions/priority-too-high", Answers("MAIL", "250 2.1.0 well")),
    ("extensions/priority-word", Answers("MAIL", "250 2.1.0 well")),
    ("extensions/priority-twice", Answers("MAIL", "250 2.1.0 well")),
    ("extensions/ignorequota", Answers("RCPT", "555 5.5.4 what")),
    ("extensions/xclient", Answers("XCLIENT", "220 well")),
    ("extensions/xclient-in-any-case", Answers("XCLIENT", "501 5.5.4 what")),
    ("extensions/xclient-without-attributes", Answers("XCLIENT", "220 well")),
    ("extensions/xclient-amid-a-transaction", Answers("XCLIENT", "220 well")),
    ("extensions/xforward", Answers("XFORWARD", "501 5.5.4 what")),
    ("shutdown/idle", Says("421", "221")),
    ("shutdown/amid-a-transaction", Says("421", "221")),
    ("shutdown/amid-content", Answers(".", "554 5.3.2 no\r\n554 5.3.2 no")),
];

/// The same, of servers that do not offer it, or offer it and do not have it.
const UNOFFERED: &[(&str, &[Twist])] = &[
    ("extensions/xclient-for-those-who-may", &[Answers("XCLIENT", "220 well")]),
    ("extensions/xforward-for-those-who-may", &[Answers("XFORWARD", "250 2.0.0 well")]),
    ("extensions/help-is-there", &[OFFERS_HELP, Answers("HELP", "502 5.5.1 what")]),
    ("extensions/vrfy-is-there", &[OFFERS_VRFY, Answers("VRFY", "502 5.5.1 what")]),
    ("extensions/requiretls", &[OFFERS_REQUIRETLS]),
    ("extensions/requiretls-has-no-value", &[OFFERS_REQUIRETLS, Answers("MAIL", "250 2.1.0 well")]),
];

const OFFERS_HELP: Twist = Says("250-8BITMIME", "250-HELP\r\n250-8BITMIME");
const OFFERS_VRFY: Twist = Says("250-8BITMIME", "250-VRFY\r\n250-8BITMIME");
const OFFERS_REQUIRETLS: Twist = Says("250-8BITMIME", "250-REQUIRETLS\r\n250-8BITMIME");

fn outcomes(mut server: impl FnMut() -> Memory<Twisted>) -> BTreeSet<String> {
    let mut reasons = BTreeSet::new();
    for check in catalogue() {
        let Verdict { outcome, transcript } = run(&check, &addresses(), &mut server());
        match outcome {
            Outcome::Passed => {}
            Outcome::Failed(why) => panic!("{}: {why}\n{}", check.id, transcript.join("\n")),
            Outcome::NotApplicable(why) | Outcome::NotRun(why) => drop(reasons.insert(why)),
        }
    }
    reasons
}

#[test]
fn our_server_passes_with_all_that_it_can_offer() {
    let expected = [
        "how long the server waits was not given",
        "the server does not offer AUTH",
        "the server does not offer AUTH PLAIN",
        "the server does not offer HELP",
        "the server does not offer REQUIRETLS",
        "the server does not offer STARTTLS",
        "the server does not offer VRFY",
        "the server offers XCLIENT",
        "the server offers XFORWARD",
        "the server tells no MAILMAX",
    ];
    assert_eq!(outcomes(|| server(&[])), expected.map(str::to_owned).into());
}

#[test]
fn each_check_fails_where_its_rule_is_broken() {
    let mut twisted = BTreeSet::new();
    let with = TWISTS.iter().map(|(id, twist)| (*id, server(&[*twist])));
    let without = UNOFFERED.iter().map(|(id, twists)| (*id, plain(twists)));
    for (id, mut server) in with.chain(without) {
        let verdict = run(&check(id), &addresses(), &mut server);
        assert!(matches!(verdict.outcome, Outcome::Failed(_)), "{id}: {verdict:#?}");
        twisted.insert(id.to_owned());
    }
    let groups = ["addresses/", "extensions/", "shutdown/"];
    let all =
        catalogue().into_iter().map(|check| check.id).filter(|id| groups.iter().any(|group| id.starts_with(group)));
    assert_eq!(twisted, all.collect());
}
