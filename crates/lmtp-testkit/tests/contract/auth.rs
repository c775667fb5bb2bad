//! Who is there: AUTH by password, by SCRAM and by certificate, and XCLIENT, from the
//! client to the server of one front end.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use lmtp_sasl::{
    AuthError, ExternalClient, ExternalServer, Nonce, PlainClient, PlainServer, ScramClient, ScramKeys, ScramServer,
    Secret, Verifier,
};

use super::front::proto::auth::{Identity, Mechanism};
use super::front::proto::server::Require;
use super::front::proto::value::{AttributeValue, ClientAttribute, ClientAttributes, MechanismName};
use super::front::{
    Client, Config, ForwardPath, Handler, Outcome, Peer, RcptParams, Reply, Security, Server, ServerConfig, Session,
};
use super::served::begin;
use crate::model::envelope;
use crate::pairs::Socket;
use crate::pki::Pki;

/// Ann may log in.
#[derive(Clone)]
struct OnlyAnn(Option<ScramKeys>);

impl Verifier for OnlyAnn {
    fn scram_keys(&self, authcid: &str) -> Result<Option<ScramKeys>, AuthError> {
        Ok(self.0.clone().filter(|_| authcid == "ann"))
    }

    fn authorize(&self, authcid: &str, authzid: &str) -> Result<(), AuthError> {
        if authcid == authzid { Ok(()) } else { Err(AuthError::Refused) }
    }
}

/// The application: takes no message from who is not known, and notes who is.
#[derive(Clone)]
struct Door {
    verifier: OnlyAnn,
    /// Whom the certificate names.
    shown: Option<String>,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Handler for Door {
    type Session = Self;

    waiting! {
        fn connect(&self, peer: &Peer) -> Result<Self, Reply> {
            Ok(Self { shown: peer.tls.as_ref().and_then(|tls| tls.identity.clone()), ..self.clone() })
        }
    }
}

impl Session for Door {
    waiting! {
        fn rcpt(&mut self, _: &ForwardPath, _: &RcptParams) -> Result<(), Reply> {
            Ok(())
        }
    }

    fn mechanism(&mut self, name: &MechanismName) -> Option<Box<dyn Mechanism>> {
        Some(match name.as_str() {
            "PLAIN" => Box::new(PlainServer::new(self.verifier.clone())),
            "SCRAM-SHA-256" => Box::new(ScramServer::new(self.verifier.clone(), Nonce::from_random([7; 24]))),
            "EXTERNAL" => Box::new(ExternalServer::new(self.verifier.clone(), self.shown.clone())),
            _ => return None,
        })
    }

    fn authenticated(&mut self, identity: &Identity) {
        self.notes.lock().unwrap().push(identity.authcid.clone());
    }

    waiting! {
        fn xclient(&mut self, attributes: &ClientAttributes) -> Result<(), Reply> {
            let address = attributes.value(&ClientAttribute::Addr).and_then(AttributeValue::address);
            self.notes.lock().unwrap().push(format!("for {}", address.unwrap()));
            Ok(())
        }
    }
}

/// What became of a session with these mechanisms, and what the server noted.
fn session(
    security: Security,
    mechanisms: Vec<Box<dyn Mechanism>>,
    xclient: Option<ClientAttributes>,
) -> (String, Vec<String>) {
    session_trusting("127.0.0.0/8", security, mechanisms, xclient)
}

/// The same, where those are trusted who connect from there.
fn session_trusting(
    trusted: &str,
    security: Security,
    mechanisms: Vec<Box<dyn Mechanism>>,
    xclient: Option<ClientAttributes>,
) -> (String, Vec<String>) {
    let (server, ann) = (Pki::new(), Pki::of("ann"));
    let keys = ScramKeys::derive(&Secret::from("tanstaaf"), b"0123456789abcdef", 4096).unwrap();
    let door = Door { verifier: OnlyAnn(Some(keys)), shown: None, notes: Arc::default() };
    let notes = Arc::clone(&door.notes);
    let mut config = ServerConfig::default();
    config.require = if xclient.is_some() { Require::Nothing } else { Require::Auth };
    config.offer.auth = ["SCRAM-SHA-256", "PLAIN", "EXTERNAL"].map(|name| name.parse().unwrap()).to_vec();
    config.offer.xclient = vec![ClientAttribute::Addr];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let scheme = if security == Security::Tls { "lmtps" } else { "lmtp" };
    let endpoint = format!("{scheme}://{}", listener.local_addr().unwrap());
    let ours = Server::new(door).config(config).tls(server.server_for(&ann)).trust([trusted.parse().unwrap()]);
    let running = begin(ours, Socket::Tcp(listener, security));
    let tls = server.client_with(&ann);
    let said = run!({
        let mut config = Config::default();
        config.xclient = xclient;
        let builder = Client::builder(endpoint.as_str()).unwrap().config(config).tls(tls).authenticate(mechanisms);
        match wait!(builder.connect()) {
            Err(fault) => fault.to_string(),
            Ok(mut client) => {
                let report = wait!(client.deliver(&envelope(), "Hi\r\n")).unwrap();
                wait!(client.quit()).unwrap();
                // The application says nothing of the message; but it was asked.
                report.recipients().all(|recipient| recipient.outcome() == Outcome::Temporary).to_string()
            }
        }
    });
    drop(running);
    let noted = std::mem::take(&mut *notes.lock().unwrap());
    (said, noted)
}

fn scram(password: &str) -> Box<dyn Mechanism> {
    Box::new(ScramClient::new("ann", password, Nonce::from_random([9; 24])).unwrap())
}

#[test]
fn a_password_is_told_to_nobody_in_the_clear() {
    let plain = || -> Box<dyn Mechanism> { Box::new(PlainClient::new("ann", "tanstaaf").unwrap()) };
    let (said, noted) = session(Security::Tls, vec![plain()], None);
    assert_eq!((said.as_str(), &noted[..]), ("true", &["ann".to_owned()][..]));
    let (said, noted) = session(Security::Plain, vec![plain()], None);
    assert!(said.contains("no way to log in that may be used on this connection"), "{said}");
    assert!(noted.is_empty(), "{noted:?}");
}

#[test]
fn scram_tells_who_knows_the_password() {
    let (said, noted) = session(Security::Plain, vec![scram("tanstaaf")], None);
    assert_eq!((said.as_str(), &noted[..]), ("true", &["ann".to_owned()][..]));
    let (said, noted) = session(Security::Plain, vec![scram("guessed")], None);
    assert!(said.contains("535"), "{said}");
    assert!(noted.is_empty(), "{noted:?}");
}

#[test]
fn a_certificate_says_who_is_there() {
    let (said, noted) = session(Security::Tls, vec![Box::new(ExternalClient::new())], None);
    assert_eq!((said.as_str(), &noted[..]), ("true", &["ann".to_owned()][..]));
}

#[test]
fn xclient_is_put_to_the_application() {
    let address = AttributeValue::from("192.0.2.7".parse::<std::net::IpAddr>().unwrap());
    let attributes = ClientAttributes::new([(ClientAttribute::Addr, address)]).unwrap();
    let (said, noted) = session(Security::Plain, Vec::new(), Some(attributes.clone()));
    assert_eq!(said, "true");
    assert_eq!(noted, ["for 192.0.2.7"]);
    // Who is not trusted is not offered it, and a client does not say what is not offered.
    let (said, noted) = session_trusting("192.0.2.0/24", Security::Plain, Vec::new(), Some(attributes));
    assert!(said == "true" && noted.is_empty(), "{said}, {noted:?}");
}
