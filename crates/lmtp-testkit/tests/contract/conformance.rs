//! The whole suite of `lmtp-conformance` over sockets, at every level: nothing fails, and what does not apply has one of
//! the reasons that are known here.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Duration;

use lmtp_conformance::property::{Settings, hold};
use lmtp_conformance::{Addresses, Login, Outcome, Socket as Line, SocketTarget, catalogue, run};

use lmtp_sasl::{AuthError, PlainServer, Secret, Verifier};

use super::front::proto::RecipientId;
use super::front::proto::auth::Mechanism;
use super::front::proto::value::MechanismName;
use super::front::{ForwardPath, Message, Peer, RcptParams, Reply, Security, Server, ServerConfig, Session, Verdicts};
use super::served::begin;
use crate::model;
use crate::pairs::Socket;
use crate::pki::Pki;

/// Keeps nothing, and answers by the name of the recipient.
struct Forgetful;

/// Bob may log in.
struct OnlyBob;

impl Verifier for OnlyBob {
    fn check_password(&self, authcid: &str, password: &Secret) -> Result<(), AuthError> {
        if (authcid, password.expose()) == ("bob", "tanstaaf") { Ok(()) } else { Err(AuthError::Refused) }
    }

    fn authorize(&self, authcid: &str, authzid: &str) -> Result<(), AuthError> {
        if authcid == authzid { Ok(()) } else { Err(AuthError::Refused) }
    }
}

impl Session for Forgetful {
    fn mechanism(&mut self, name: &MechanismName) -> Option<Box<dyn Mechanism>> {
        (name.as_str() == "PLAIN").then(|| -> Box<dyn Mechanism> { Box::new(PlainServer::new(OnlyBob)) })
    }

    waiting! {
        fn rcpt(&mut self, to: &ForwardPath, _: &RcptParams) -> Result<(), Reply> {
            model::rcpt(to)
        }
    }

    waiting! {
        fn deliver(&mut self, mut message: Message, verdicts: Verdicts) {
            if wait!(message.body.read_all()).is_err() {
                return;
            }
            for (place, (path, _)) in (0..).zip(message.envelope.recipients()) {
                let is_full = path.to_string().starts_with("full");
                let _ = verdicts.give(RecipientId(place), if is_full { Reply::mailbox_full() } else { Reply::stored() });
            }
        }
    }
}

/// Runs the checks whose names begin so, and tells the reasons of those that do not apply.
fn checked(config: ServerConfig, security: Security, only: &str, idle: Option<Duration>) -> BTreeSet<String> {
    let pki = Pki::new();
    let server = Server::new(|_: &Peer| Forgetful).config(config);
    let server = if security == Security::Plain { server } else { server.tls(pki.server()) };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let running = begin(server, Socket::Tcp(listener, security));
    let scheme = if security == Security::Tls { "lmtps" } else { "lmtp" };
    let target = SocketTarget::parse(&format!("{scheme}://localhost:{port}")).unwrap();
    let open = || -> Line { target.connect(Duration::from_secs(10), Some(&pki.raw_client())).unwrap() };
    let [bad, full] = ["nobody@x", "full@x"].map(|address| Some(address.to_owned()));
    let addresses = Addresses {
        good: "bob@x".to_owned(),
        other: Some("eve@x".to_owned()),
        bad,
        full,
        idle,
        login: Some(Login::new("bob", "tanstaaf").unwrap()),
    };
    let mut reasons = BTreeSet::new();
    for check in catalogue().into_iter().filter(|check| check.id.starts_with(only)) {
        let verdict = run(&check, &addresses, &mut open());
        match verdict.outcome {
            Outcome::Passed => {}
            Outcome::Failed(why) => panic!("{}: {why}\n{}", check.id, verdict.transcript.join("\n")),
            Outcome::NotApplicable(why) | Outcome::NotRun(why) => drop(reasons.insert(why)),
        }
    }
    if only.is_empty() {
        hold(&Settings { seed: 7, cases: 100, good: addresses.good, chunking: true }, open).unwrap();
    }
    drop(running);
    reasons
}

const NO_IDLE: &str = "how long the server waits was not given";
const AUTH: &str = "the server offers AUTH";
const NO_DEMAND: &str = "the server says 250 before it comes to that";
const NO_STOP: &str = "how to stop the server was not given";
const NO_MAILMAX: &str = "the server tells no MAILMAX";

/// What is not offered here, and what would want a client that is trusted.
const UNOFFERED: [&str; 8] = ["DELIVERBY", "DSN", "HELP", "IGNOREQUOTA", "MT-PRIORITY", "VRFY", "XCLIENT", "XFORWARD"];

/// These reasons, and that of each extension that is not offered.
fn reasons(known: &[&str], unoffered: &[&str]) -> BTreeSet<String> {
    let unoffered = UNOFFERED.iter().chain(unoffered).map(|word| format!("the server does not offer {word}"));
    known.iter().map(ToString::to_string).chain(unoffered).collect()
}

/// With all that can be offered beside STARTTLS.
#[test]
fn all_of_it_with_starttls() {
    let mut config = ServerConfig::default();
    (config.offer.binary_mime, config.limits.recipients) = (true, 150);
    let expected = reasons(&[NO_IDLE, NO_STOP, NO_MAILMAX], &["AUTH", "AUTH PLAIN", "REQUIRETLS"]);
    assert_eq!(checked(config, Security::StartTls, "", None), expected);
}

#[test]
fn all_of_it_within_tls() {
    let mut config = ServerConfig::default();
    config.offer.require_tls = true;
    config.offer.auth = vec!["PLAIN".parse().unwrap()];
    let expected = reasons(&[NO_IDLE, NO_STOP, NO_MAILMAX, AUTH, NO_DEMAND], &["BINARYMIME", "STARTTLS"]);
    assert_eq!(checked(config, Security::Tls, "", None), expected);
}

#[test]
fn whoever_says_nothing_is_left() {
    let mut config = ServerConfig::default();
    config.timeouts.command = Duration::from_millis(300);
    config.timeouts.connect = Duration::from_millis(300);
    assert_eq!(checked(config, Security::Plain, "timeouts/", Some(Duration::from_secs(1))), BTreeSet::new());
}
