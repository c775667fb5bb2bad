//! Both sides against the vectors of RFC 7677 section 3, and against each other.

use super::crypto::{hash, hi, hmac, xor};
use super::message::{decode, encode};
use crate::{AuthError, Mechanism, Nonce, ScramClient, ScramKeys, ScramServer, Secret, Step, Verifier};

const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

/// Their salt and the keys that it gives.
const KEYS: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
    WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

/// Has the keys of `user`, and lets nobody act for `eve`.
struct Store(ScramKeys);

impl Verifier for Store {
    fn scram_keys(&self, authcid: &str) -> Result<Option<ScramKeys>, AuthError> {
        match authcid {
            "down" => Err(AuthError::Unavailable),
            authcid => Ok((authcid == "user").then(|| self.0.clone())),
        }
    }

    fn authorize(&self, _: &str, authzid: &str) -> Result<(), AuthError> {
        if authzid == "eve" { Err(AuthError::Refused) } else { Ok(()) }
    }
}

fn client() -> ScramClient {
    ScramClient::new("user", "pencil", Nonce::from_text("rOprNGfwEbeRWgbNEkqO").unwrap()).unwrap()
}

fn server() -> ScramServer<Store> {
    ScramServer::new(Store(KEYS.parse().unwrap()), Nonce::from_text("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0").unwrap())
}

fn said(step: Result<Step, AuthError>) -> String {
    match step {
        Ok(Step::Say(octets)) => String::from_utf8(octets).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// R7677-3-b, R4954-4-q.
#[test]
fn the_vectors_of_rfc_7677() {
    lmtp_testkit::proves!("R7677-3-b");
    let (mut client, mut server) = (client(), server());
    assert_eq!(said(client.step(None)), CLIENT_FIRST);
    assert_eq!(said(server.step(None)), "");
    assert_eq!(said(server.step(Some(CLIENT_FIRST.as_bytes()))), SERVER_FIRST);
    assert_eq!(said(client.step(Some(SERVER_FIRST.as_bytes()))), CLIENT_FINAL);
    assert_eq!(said(server.step(Some(CLIENT_FINAL.as_bytes()))), SERVER_FINAL);
    assert!(!client.is_complete() && !server.is_complete());
    assert_eq!(said(client.step(Some(SERVER_FINAL.as_bytes()))), "");
    let Ok(Step::Done(identity)) = server.step(Some(b"")) else { panic!("{server:?}") };
    assert_eq!((identity.authcid.as_str(), identity.authzid), ("user", None));
    assert!(client.is_complete() && server.is_complete());
    assert_eq!(client.step(Some(b"")), Err(AuthError::TooManySteps));
    assert_eq!(server.step(Some(b"")), Err(AuthError::TooManySteps));
    assert!(!client.is_complete() && !server.is_complete());
}

/// The keys of the vectors, made from the password.
#[test]
fn the_keys_of_rfc_7677() {
    let salt = [0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81];
    let keys = ScramKeys::derive(&Secret::from("pencil"), &salt, 4096).unwrap();
    assert_eq!(keys.encode(), KEYS.into());
}

/// What a client says to a server's first message.
fn answer_first(message: &str) -> Result<Step, AuthError> {
    let mut client = client();
    client.step(None).unwrap();
    let answer = client.step(Some(message.as_bytes()));
    assert!(!client.is_complete());
    answer
}

#[test]
fn a_client_is_not_taken_in_by_the_first_message() {
    lmtp_testkit::proves!("R5802-5.1-a", "R7677-3-a");
    for (from, to, error) in [
        ("r=rO", "r=ro", AuthError::Malformed),
        ("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "", AuthError::Malformed),
        ("%hv", "\u{e4}", AuthError::Malformed),
        ("r=", "", AuthError::Malformed),
        ("r=", "m=x,r=", AuthError::Unacceptable),
        ("W22ZaJ0SNY7soEsUEjb6gQ==", "", AuthError::Malformed),
        ("W22ZaJ0SNY7soEsUEjb6gQ==", "W22ZaJ0SNY7soEsUEjb6gQ=", AuthError::Malformed),
        (",i=4096", "", AuthError::Malformed),
        ("4096", "", AuthError::Malformed),
        ("4096", "-1", AuthError::Malformed),
        ("4096", "0", AuthError::Unacceptable),
        ("4096", "1", AuthError::Unacceptable),
        ("4096", "4095", AuthError::Unacceptable),
        ("4096", "04096", AuthError::Unacceptable),
        ("4096", "1000001", AuthError::Unacceptable),
        ("4096", "99999999999999999999", AuthError::Unacceptable),
        ("4096", "4096,m=x", AuthError::Unacceptable),
        ("4096", "4096,", AuthError::Malformed),
    ] {
        let message = SERVER_FIRST.replacen(from, to, 1);
        assert_eq!(answer_first(&message), Err(error), "{message}");
    }
    assert_eq!(answer_first("e=other-error"), Err(AuthError::Refused));
    assert_eq!(answer_first(""), Err(AuthError::Malformed));
    assert!(answer_first(&format!("{SERVER_FIRST},x=ignored")).is_ok());
    let mut modest = client().with_max_iterations(4095);
    modest.step(None).unwrap();
    assert_eq!(modest.step(Some(SERVER_FIRST.as_bytes())), Err(AuthError::Unacceptable));
}

#[test]
fn a_client_is_not_taken_in_by_the_last_message() {
    lmtp_testkit::proves!("R5802-5-a");
    for (message, error) in [
        ("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8=", AuthError::ServerNotProved),
        ("v=", AuthError::ServerNotProved),
        ("v=AAAA", AuthError::ServerNotProved),
        ("", AuthError::Malformed),
        ("x=y", AuthError::Malformed),
        ("e=invalid-proof", AuthError::Refused),
        ("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=,m=x", AuthError::Unacceptable),
    ] {
        let mut client = client();
        client.step(None).unwrap();
        client.step(Some(SERVER_FIRST.as_bytes())).unwrap();
        assert_eq!(client.step(Some(message.as_bytes())), Err(error), "{message}");
        assert!(!client.is_complete());
        assert_eq!(client.step(Some(SERVER_FINAL.as_bytes())), Err(AuthError::TooManySteps));
    }
}

/// R5802-5.1-c, R5802-6-a.
#[test]
fn what_a_server_does_not_take_first() {
    for (message, error) in [
        ("p=tls-unique,,n=user,r=x", AuthError::Unacceptable),
        ("n,,m=x,n=user,r=x", AuthError::Unacceptable),
        ("n,,n=user,r=x,m=x", AuthError::Unacceptable),
        ("n,,n=us=er,r=x", AuthError::Malformed),
        ("n,,n=,r=x", AuthError::Malformed),
        ("n,,n=\u{7},r=x", AuthError::Refused),
        ("n,,n=user,r=", AuthError::Malformed),
        ("n,,n=user,r=\u{e4}", AuthError::Malformed),
        ("n,,n=user,r=x\0", AuthError::Malformed),
        ("n,,r=x,n=user", AuthError::Malformed),
        ("n,,n=user", AuthError::Malformed),
        ("n=user,r=x", AuthError::Malformed),
        ("", AuthError::Malformed),
        ("n,,n=down,r=x", AuthError::Unavailable),
    ] {
        let mut server = server();
        assert_eq!(server.step(Some(message.as_bytes())), Err(error), "{message}");
        assert_eq!(server.step(Some(CLIENT_FIRST.as_bytes())), Err(AuthError::TooManySteps));
    }
    assert!(server().step(Some(b"y,,n=user,r=x,a=b")).is_ok());
}

#[test]
fn what_a_server_does_not_take_last() {
    for (from, to, error) in [
        ("biws", "eSws", AuthError::Refused),
        ("r=rO", "r=ro", AuthError::Refused),
        ("p=dH", "p=dh", AuthError::Refused),
        ("c=biws,", "", AuthError::Malformed),
        ("p=dHzb", "p=", AuthError::Malformed),
        ("p=", "q=", AuthError::Malformed),
        (",p=", ",m=x,p=", AuthError::Unacceptable),
    ] {
        let mut server = server();
        server.step(Some(CLIENT_FIRST.as_bytes())).unwrap();
        let message = CLIENT_FINAL.replacen(from, to, 1);
        assert_eq!(server.step(Some(message.as_bytes())), Err(error), "{message}");
        assert_eq!(server.step(Some(b"")), Err(AuthError::TooManySteps));
        assert!(!server.is_complete());
    }
}

/// A client that proves something else than what was said, with the right password.
#[test]
fn a_good_proof_of_another_exchange_is_refused() {
    lmtp_testkit::proves!("R5802-5.1-a");
    let salted = hi(b"pencil", &decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(), 4096);
    let client_key = hmac(&*salted, b"Client Key");
    let answer = |without_proof: &str| {
        let mut server = server();
        server.step(Some(CLIENT_FIRST.as_bytes())).unwrap();
        let auth_message = format!("n=user,r=rOprNGfwEbeRWgbNEkqO,{SERVER_FIRST},{without_proof}");
        let proof = xor(&client_key, &hmac(&*hash(&*client_key), auth_message.as_bytes()));
        server.step(Some(format!("{without_proof},p={}", encode(&*proof)).as_bytes()))
    };
    let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    assert_eq!(said(answer(&format!("c=biws,r={nonce}"))), SERVER_FINAL);
    assert!(answer(&format!("c=biws,r={nonce},x=ignored")).is_ok());
    for other in
        [format!("c=eSws,r={nonce}"), format!("c=,r={nonce}"), format!("c=biws,r={nonce}0"), "c=biws,r=x".into()]
    {
        assert_eq!(answer(&other), Err(AuthError::Refused), "{other}");
    }
}

/// Runs an exchange to its end.
fn converse(mut client: ScramClient, server: &mut ScramServer<Store>) -> Result<Step, AuthError> {
    let first = said(client.step(None));
    let challenge = said(server.step(Some(first.as_bytes())));
    let last = said(client.step(Some(challenge.as_bytes())));
    let Step::Say(signature) = server.step(Some(last.as_bytes()))? else { panic!("{server:?}") };
    let thanks = said(client.step(Some(&signature)));
    assert!(client.is_complete());
    server.step(Some(thanks.as_bytes()))
}

#[test]
fn acting_for_others() {
    let bob = client().with_authzid("b,o=b").unwrap();
    let Ok(Step::Done(identity)) = converse(bob, &mut server()) else { panic!() };
    assert_eq!((identity.authcid.as_str(), identity.authzid.as_deref()), ("user", Some("b,o=b")));
    assert_eq!(converse(client().with_authzid("eve").unwrap(), &mut server()), Err(AuthError::Refused));
}

/// Somebody unknown looks like somebody whose password is wrong.
#[test]
fn who_is_unknown_is_not_told() {
    let first = |server: ScramServer<Store>, name: &str| {
        let mut server = server.with_decoy("server's own", 8192);
        said(server.step(Some(format!("n,,n={name},r=x").as_bytes())))
    };
    assert_eq!(first(server(), "nobody"), first(server(), "nobody"));
    assert_ne!(first(server(), "nobody"), first(server(), "noone"));
    assert!(first(server(), "nobody").ends_with(",i=8192"));
    assert!(first(server(), "user").ends_with(",i=4096"));

    let nonce = || Nonce::from_text("abc").unwrap();
    let nobody = ScramClient::new("nobody", "pencil", nonce()).unwrap();
    assert_eq!(converse(nobody, &mut server()), Err(AuthError::Refused));
    let wrong = ScramClient::new("user", "pencil2", nonce()).unwrap();
    assert_eq!(converse(wrong, &mut server()), Err(AuthError::Refused));
}
