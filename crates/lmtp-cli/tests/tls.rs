//! TLS and AUTH as the command line asks for them, against a server that has both.

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use lmtp_blocking::proto::bytes::Buf as _;
use lmtp_blocking::proto::server::{Ask, Config, Event, Require, Server};
use lmtp_blocking::proto::value::Reply;
use lmtp_blocking::proto::{Instant, Machine as _, Output};
use lmtp_blocking::tls::{ServerTls, Tls};
use lmtp_sasl::{AuthError, Mechanism, PlainServer, Secret, Verifier};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use support::{Run, lmtp, run};
use tempfile::TempDir;

/// A server on a port of the loopback interface, and the files that go with it.
struct Secured {
    directory: TempDir,
    port: u16,
}

impl Secured {
    /// A server whose certificate is for `name`; with `implicit` TLS comes first.
    fn start(name: &str, implicit: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two authorities of one name would be taken for each other.
        authority.distinguished_name.push(DnType::CommonName, directory.path().display().to_string());
        let authority_certificate = authority.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let write = |file: &str, text: String| fs::write(directory.path().join(file), text).unwrap();
        write("ca.pem", authority_certificate.pem());
        write("server.pem", certificate.pem());
        write("server.key", key.serialize_pem());
        write("secret", "tanstaaf\n".into());
        let path = |file: &str| directory.path().join(file);
        let tls = ServerTls::builder(path("server.pem"), path("server.key")).build().unwrap();

        let mut config = Config::default();
        config.offer.starttls = !implicit;
        config.offer.auth = vec!["PLAIN".parse().unwrap()];
        config.require = Require::Auth;
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let server = Server::new(Arc::clone(&config));
                let machine =
                    if implicit { Tls::implicit(server, tls.handshake()) } else { Tls::new(server, tls.handshake()) };
                // A client that does not like us leaves at once.
                let _ = serve(stream.unwrap(), machine);
            }
        });
        Self { directory, port }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn send(&self, scheme: &str, more: &[&str]) -> Run {
        let url = format!("{scheme}://127.0.0.1:{}", self.port);
        let mut send =
            lmtp(["send", &url, "--from", "ann@example.org", "--to", "bob@example.org", "--to", "eve@example.org"]);
        let secret = self.file("secret");
        send.args(["--subject", "hi", "--body", "Hello!", "--auth-user", "ann", "--auth-password-file"]).arg(secret);
        run(send.args(more))
    }
}

struct Ann;

impl Verifier for Ann {
    fn check_password(&self, authcid: &str, password: &Secret) -> Result<(), AuthError> {
        if (authcid, password.expose()) == ("ann", "tanstaaf") { Ok(()) } else { Err(AuthError::Refused) }
    }
}

/// Says yes to everything, 250 to the first recipient of a message and 452 to the others.
fn serve(mut stream: TcpStream, mut machine: Tls<Server>) -> std::io::Result<()> {
    let (now, mut recipients, mut mechanism) = (Instant::ORIGIN, Vec::new(), None::<Box<dyn Mechanism>>);
    loop {
        match machine.poll_output(now).map_err(std::io::Error::other)? {
            Output::Event(Event::Question(question)) => {
                match question.ask() {
                    Ask::Mail(..) => recipients.clear(),
                    Ask::Rcpt(_, recipient, ..) => recipients.push(*recipient),
                    Ask::Auth(..) => mechanism = Some(Box::new(PlainServer::new(Ann))),
                    _ => {}
                }
                match question.ask() {
                    Ask::Auth(..) | Ask::AuthResponse(..) => {
                        let mechanism = mechanism.as_mut().expect("AUTH came first");
                        _ = machine.inner_mut().authenticate(question, mechanism.as_mut());
                    }
                    _ => machine.inner_mut().accept(question).expect("it is open"),
                }
            }
            Output::Event(Event::End(transaction)) => {
                for (recipient, code) in recipients.drain(..).zip([250, 452]) {
                    let reply = Reply::new(code, None, "as the test wants").expect("a reply");
                    machine.inner_mut().verdict(transaction, recipient, reply).expect("it is due");
                }
            }
            Output::Event(_) => {}
            Output::Transmit => {
                let written = stream.write(machine.transmit().chunk())?;
                machine.transmit().advance(written);
            }
            Output::Receive => {
                let mut octets = vec![0; machine.input().capacity() - machine.input().len()];
                match stream.read(&mut octets)? {
                    0 => machine.handle_eof(),
                    read => machine.input().extend_from_slice(&octets[..read]),
                }
            }
            Output::StartTls | Output::Closed | Output::Wait => return Ok(()),
        }
    }
}

fn outcomes(run: &Run) -> Vec<String> {
    let json = run.json();
    let recipients = json["recipients"].as_array().unwrap();
    recipients.iter().map(|recipient| recipient["outcome"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_message_over_tls() {
    for (scheme, implicit) in [("lmtps", true), ("lmtp+starttls", false)] {
        let server = Secured::start("127.0.0.1", implicit);
        let ca = server.file("ca.pem");
        let sent = server.send(scheme, &["--json", "--transcript", "--ca-file", ca.to_str().unwrap()]);
        assert_eq!(sent.code, Some(75), "{sent:?}");
        assert_eq!(outcomes(&sent), ["delivered", "temporary"]);
        // Neither the password nor its base64 is shown.
        assert!(sent.stderr.contains("AUTH PLAIN"), "{sent:?}");
        assert!(!sent.stderr.contains("tanstaaf") && !sent.stderr.contains("dGFuc3RhYWY"), "{sent:?}");
    }
}

#[test]
fn a_certificate_is_looked_at() {
    let (server, other) = (Secured::start("mx.example.org", true), Secured::start("mx.example.org", true));
    let (ca, other_ca) = (server.file("ca.pem"), other.file("ca.pem"));
    let (ca, other_ca) = (ca.to_str().unwrap(), other_ca.to_str().unwrap());
    for (more, said, hint) in [
        (&["--ca-file", ca][..], "mx.example.org", Some("--server-name")),
        (&["--ca-file", other_ca, "--server-name", "mx.example.org"], "", Some("--ca-file")),
        (&["--ca-file", ca, "--server-name", "mx.example.org"], "", None),
        (&["--insecure"], "", None),
    ] {
        let json = server.send("lmtps", &[more, &["--json"]].concat());
        let plain = server.send("lmtps", more);
        assert_eq!(json.code, Some(75), "{more:?}: {json:?}");
        let expected = if hint.is_some() { ["unsent", "unsent"] } else { ["delivered", "temporary"] };
        assert_eq!(outcomes(&json), expected, "{more:?}: {json:?}");
        if let Some(hint) = hint {
            assert_eq!(json.json()["error"]["kind"], "tls");
            assert!(plain.stderr.contains("hint: ") && plain.stderr.contains(hint), "{plain:?}");
        }
        assert!(plain.stderr.contains(said), "{plain:?}");
    }
    let probed = run(&mut lmtp(["probe", &format!("lmtps://127.0.0.1:{}", server.port), "--ca-file", other_ca]));
    assert_eq!(probed.code, Some(76), "{probed:?}");
}

#[test]
fn a_probe_insists_on_starttls() {
    let server = Secured::start("127.0.0.1", false);
    let (url, ca) = (format!("lmtp://127.0.0.1:{}", server.port), server.file("ca.pem"));
    let probed = run(&mut lmtp(["probe", &url, "--starttls-required", "--ca-file", ca.to_str().unwrap(), "--json"]));
    assert_eq!(probed.code, Some(0), "{probed:?}");
    assert!(!probed.json()["capabilities"].to_string().contains("STARTTLS"), "it is encrypted by then: {probed:?}");

    let without = support::Server::tcp(support::Script::default());
    let probed = run(&mut lmtp(["probe", &without.url, "--starttls-required", "--json"]));
    assert_eq!(probed.code, Some(76), "{probed:?}");
    assert_eq!(probed.json()["error"]["kind"], "tls");
}

#[test]
fn a_password_is_not_said_in_the_clear() {
    let server = Secured::start("127.0.0.1", false);
    let sent = server.send("lmtp", &[]);
    assert_eq!(sent.code, Some(75), "{sent:?}");
    assert!(sent.stderr.contains("--auth-in-clear"), "{sent:?}");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let server = Secured::start("127.0.0.1", true);
    let secret = server.file("secret");
    for more in [&["--ca-file", "/no/such/ca.pem"][..], &["--ca-file", secret.to_str().unwrap()]] {
        let sent = server.send("lmtps", more);
        assert_eq!(sent.code, Some(78), "{sent:?}");
        assert!(sent.stderr.contains(more[1]), "{sent:?}");
    }
    let sent = server.send("lmtps", &["--insecure", "--auth", "oauthbearer"]);
    assert!(sent.code == Some(75) || sent.code == Some(78), "{sent:?}");
}
