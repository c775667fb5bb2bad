//! Client and server of every mechanism joined: the right one comes in, nobody else does, and nothing
//! that is printed on the way holds a secret.

use std::cell::RefCell;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lmtp_sasl::{
    AuthError, BearerToken, ExternalClient, ExternalServer, Identity, LoginClient, LoginServer, Mechanism, Nonce,
    OauthBearerClient, OauthBearerServer, PlainClient, PlainServer, ScramClient, ScramKeys, ScramServer, Secret, Step,
    Verifier,
};
use lmtp_testkit::effort::cases;
use proptest::prelude::*;

/// Knows one name and its secret.
#[derive(Clone)]
struct One {
    name: String,
    secret: Secret,
    keys: Option<ScramKeys>,
}

impl One {
    fn new(name: &str, secret: &str) -> Self {
        let keys = ScramKeys::derive(&secret.into(), b"sixteen octets !", 4096).ok();
        Self { name: name.to_owned(), secret: secret.into(), keys }
    }
}

impl Verifier for One {
    fn scram_keys(&self, authcid: &str) -> Result<Option<ScramKeys>, AuthError> {
        Ok(self.keys.clone().filter(|_| authcid == self.name))
    }

    fn check_token(&self, token: &BearerToken<'_>) -> Result<String, AuthError> {
        if *token.token == self.secret { Ok(self.name.clone()) } else { Err(AuthError::Refused) }
    }
}

const MECHANISMS: [&str; 4] = ["PLAIN", "LOGIN", "SCRAM-SHA-256", "OAUTHBEARER"];

fn client(mechanism: &str, name: &str, secret: &str, nonce: [u8; 24]) -> Box<dyn Mechanism> {
    match mechanism {
        "PLAIN" => Box::new(PlainClient::new(name, secret).unwrap()),
        "LOGIN" => Box::new(LoginClient::new(name, secret).unwrap()),
        "SCRAM-SHA-256" => Box::new(ScramClient::new(name, secret, Nonce::from_random(nonce)).unwrap()),
        _ => Box::new(OauthBearerClient::new(secret).unwrap()),
    }
}

fn server(mechanism: &str, one: One, nonce: [u8; 24]) -> Box<dyn Mechanism> {
    match mechanism {
        "PLAIN" => Box::new(PlainServer::new(one)),
        "LOGIN" => Box::new(LoginServer::new(one)),
        "SCRAM-SHA-256" => Box::new(ScramServer::new(one, Nonce::from_random(nonce))),
        _ => Box::new(OauthBearerServer::new(one)),
    }
}

/// A session: hands what one says to the other, and notes all that could be printed.
struct Session<'a> {
    client: &'a mut dyn Mechanism,
    server: &'a mut dyn Mechanism,
    printed: &'a RefCell<String>,
    /// Whether the client's initial response goes into the AUTH command.
    initial: bool,
}

impl Session<'_> {
    fn run(&mut self) -> Result<Identity, AuthError> {
        let outcome = self.exchange();
        self.note(&outcome);
        if let Err(error) = &outcome {
            self.printed.borrow_mut().push_str(&error.to_string());
        }
        outcome
    }

    fn exchange(&mut self) -> Result<Identity, AuthError> {
        let mut said = match self.ask(true, None)? {
            Step::Say(response) if self.initial => Some(response),
            Step::Say(response) => {
                assert_eq!(self.ask(false, None)?, Step::Say(Vec::new()), "the client is to speak");
                Some(response)
            }
            _ => None,
        };
        for _ in 0..10 {
            let challenge = match self.ask(false, said.as_deref())? {
                Step::Done(identity) => return Ok(identity),
                Step::Say(challenge) => challenge,
                step => panic!("a server does not {step:?}"),
            };
            said = match self.ask(true, Some(&challenge))? {
                Step::Say(response) => Some(response),
                step => panic!("a client does not {step:?}"),
            };
        }
        panic!("they never end")
    }

    fn ask(&mut self, client: bool, heard: Option<&[u8]>) -> Result<Step, AuthError> {
        let side = if client { &mut self.client } else { &mut self.server };
        let step = side.step(heard);
        self.note(&step);
        step
    }

    fn note(&self, thing: &impl std::fmt::Debug) {
        let mut printed = self.printed.borrow_mut();
        let _ = writeln!(
            printed,
            "{thing:?} {thing:#?} {:?} {:#?} {:?} {:#?}",
            self.client, self.client, self.server, self.server
        );
    }
}

fn run(
    mechanism: &str,
    mut client: Box<dyn Mechanism>,
    one: One,
    initial: bool,
) -> (Result<Identity, AuthError>, bool, bool, String) {
    let printed = RefCell::default();
    let mut server = server(mechanism, one, [7; 24]);
    assert_eq!((client.name(), server.name()), (mechanism, mechanism));
    assert_eq!(client.reveals_secret(), server.reveals_secret());
    let outcome = Session { client: &mut *client, server: &mut *server, printed: &printed, initial }.run();
    let complete = (client.is_complete(), server.is_complete());
    (outcome, complete.0, complete.1, printed.into_inner())
}

/// Names with what the mechanisms have to escape.
fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9,=@. éß-]{1,20}"
}

/// Secrets that every mechanism can say.
fn secret() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9._~+/-]{8,30}={0,2}"
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn the_right_secret_comes_in(name in name(), secret in secret(), nonce: [u8; 24], initial: bool) {
        for mechanism in MECHANISMS {
            let client = client(mechanism, &name, &secret, nonce);
            let (outcome, client, server, _) = run(mechanism, client, One::new(&name, &secret), initial);
            prop_assert_eq!(outcome.map(|identity| identity.authcid), Ok(name.clone()), "{}", mechanism);
            prop_assert!(client && server, "{}", mechanism);
        }
    }

    #[test]
    fn no_other_secret_does(name in name(), secret in secret(), other in secret(), nonce: [u8; 24], initial: bool) {
        prop_assume!(secret != other);
        for mechanism in MECHANISMS {
            let client = client(mechanism, &name, &other, nonce);
            let (outcome, client, server, _) = run(mechanism, client, One::new(&name, &secret), initial);
            prop_assert_eq!(outcome, Err(AuthError::Refused), "{}", mechanism);
            prop_assert!(!server, "{}", mechanism);
            // Where the client can tell, it does.
            prop_assert!(!client || matches!(mechanism, "PLAIN" | "LOGIN"), "{}", mechanism);
        }
    }

    #[test]
    fn no_other_name_does(name in name(), other in name(), secret in secret(), nonce: [u8; 24]) {
        prop_assume!(name != other);
        for mechanism in ["PLAIN", "LOGIN", "SCRAM-SHA-256"] {
            let client = client(mechanism, &other, &secret, nonce);
            let (outcome, _, server, _) = run(mechanism, client, One::new(&name, &secret), true);
            prop_assert_eq!(outcome, Err(AuthError::Refused), "{}", mechanism);
            prop_assert!(!server);
        }
        let mut external = ExternalServer::new(One::new(&name, &secret), Some(name.clone()));
        let mut client = ExternalClient::new().with_authzid(&other).unwrap();
        let Ok(Step::Say(response)) = client.step(None) else { panic!("{client:?}") };
        prop_assert_eq!(external.step(Some(&response)), Err(AuthError::Refused));
    }

    /// Neither the secret nor what carries it is ever printed, whether it is right or not.
    #[test]
    fn nothing_printed_holds_a_secret(secret in secret(), right: bool, nonce: [u8; 24], initial: bool) {
        let one = One::new("ann", if right { &secret } else { "something else" });
        let keys = one.keys.as_ref().map(ScramKeys::encode).unwrap();
        for mechanism in MECHANISMS {
            let (_, _, _, mut printed) = run(mechanism, client(mechanism, "ann", &secret, nonce), one.clone(), initial);
            let _ = write!(printed, "{:?} {:?} {:?} {keys:?}", one.secret, one.keys, Nonce::from_random(nonce));
            let token = BearerToken { token: &Secret::from(&*secret), authzid: None, host: None, port: None };
            let _ = write!(printed, "{token:?}");
            // As text, as base64 (of itself and within PLAIN), and as a list of octets.
            let list = format!("{:?}", secret.as_bytes());
            let plain = STANDARD.encode(format!("\0ann\0{secret}"));
            for form in [&secret, &STANDARD.encode(&secret), &plain[8..], list.trim_matches(['[', ']'])] {
                prop_assert!(!printed.contains(form), "{}: {}", mechanism, printed);
            }
            let key = keys.expose().rsplit(['$', ':']).next().unwrap();
            prop_assert!(!printed.contains(key) && !printed.contains(&STANDARD.encode(nonce)), "{}", printed);
        }
    }

    /// A server that does not know the password, whatever it says, is never taken for one that does.
    #[test]
    fn a_server_without_the_password_proves_nothing(
        salt in "[A-Za-z0-9+/]{24}", theirs in "[!-+--~]{1,30}", signature: [u8; 32], noise: Vec<u8>, early in 0..3_usize,
    ) {
        let mut client = ScramClient::new("ann", "tanstaaf", Nonce::from_random([1; 24])).unwrap();
        let mine = STANDARD.encode([1; 24]);
        let messages = [
            format!("r={mine}{theirs},s={salt},i=4096").into_bytes(),
            format!("v={}", STANDARD.encode(signature)).into_bytes(),
        ];
        client.step(None).unwrap();
        for message in messages.iter().take(early) {
            // 235 may come at any time.
            prop_assert!(!client.is_complete());
            let _ = client.step(Some(message));
        }
        prop_assert!(!client.is_complete());
        prop_assert!(client.step(Some(&noise)).is_err() || noise.is_empty());
        prop_assert!(!client.is_complete());
    }

    /// One octet of a good exchange changed, and it fails.
    #[test]
    fn a_changed_message_is_seen(message in 0..4_usize, place: prop::sample::Index, change in 1..=255_u8) {
        let one = One::new("ann", "tanstaaf");
        let mut client = client("SCRAM-SHA-256", "ann", "tanstaaf", [1; 24]);
        let mut server = server("SCRAM-SHA-256", one, [2; 24]);
        let outcome = (|| -> Result<Identity, AuthError> {
            let mut heard = None;
            for number in 0.. {
                let client_speaks = number % 2 == 0;
                let side = if client_speaks { &mut client } else { &mut server };
                let mut said = match side.step(heard.as_deref())? {
                    Step::Say(said) => said,
                    Step::Done(identity) => return Ok(identity),
                    step => panic!("{step:?}"),
                };
                if number == message {
                    *place.get_mut(&mut said) ^= change;
                }
                heard = Some(said);
            }
            unreachable!()
        })();
        prop_assert!(outcome.is_err(), "{:?}", outcome);
        prop_assert!(!client.is_complete());
        prop_assert!(!server.is_complete());
    }

    /// No octets bring a side down, or in.
    #[test]
    fn noise_is_refused(noise in prop::collection::vec(noise(), 1..5), initial: bool) {
        let nonce = [3; 24];
        let external = |authcid| ExternalServer::new(One::new("ann", "tanstaaf"), authcid);
        let mut sides: Vec<Box<dyn Mechanism>> = vec![Box::new(external(None))];
        for mechanism in MECHANISMS {
            sides.push(server(mechanism, One::new("ann", "tanstaaf"), nonce));
            let mut client = client(mechanism, "ann", "tanstaaf", nonce);
            client.step(None).unwrap();
            sides.push(client);
        }
        for side in &mut sides {
            if initial {
                let _ = side.step(None);
            }
            for noise in &noise {
                prop_assert!(!matches!(side.step(Some(noise)), Ok(Step::Done(_))), "{:?}", side);
            }
        }
    }
}

/// Octets, and text that is nearly a message.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "n,",
        ",",
        "a=",
        "n=ann",
        "r=",
        "s=",
        "i=4096",
        "p=",
        "c=biws",
        "v=",
        "e=",
        "m=x",
        "\u{1}",
        "auth=Bearer ",
        "ann",
        "\0",
        "=2C",
        "AAAA",
    ];
    let text = prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..12);
    prop_oneof![any::<Vec<u8>>(), text.prop_map(|pieces| pieces.concat().into_bytes())]
}
